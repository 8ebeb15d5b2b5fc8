"""The checks of authorization pass on a worker that asks and obeys, and name what else one did."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from harness.checks.authorization import CHECKS as ALL_CHECKS
from harness.checks.authorization.closed import FALSE_ALLOW
from harness.checks.check import Check
from harness.contract.pdp_modes import MODES
from harness.contract.program import ACTIVITY_TYPES, Retry, step
from harness.journal.records import (
    Answer,
    Decision,
    Disposition,
    Effect,
    Ending,
    Fault,
    Operation,
    Process,
    Program,
)
from harness.outcome import Outcome
from tests.unit.journals import MS, Story, failure, payloads, timestamp

# what is read, or asked of the PDP itself, has tests of its own
CHECKS = tuple(c for c in ALL_CHECKS if c.id not in ("INV-PDP-10", "INV-PDP-13"))
BY_ID = {check.id: check for check in CHECKS}
PDP_1, PDP_2, PDP_3, PDP_4, PDP_5, PDP_6, PDP_7, PDP_8 = (
    BY_ID[f"INV-PDP-{n}"] for n in range(1, 9)
)
PDP_11 = BY_ID["INV-PDP-11"]
IDS = tuple(BY_ID)
CONTROLS = [mode.id for mode in MODES if mode.family == "control"]
BASES = sorted({m.id[:5] for m in MODES if m.id.startswith("FM") and m.id not in CONTROLS})
DEADLINE_NS = 1_000 * MS


def there(mode: str) -> list[str]:
    """How the attempts of a step go whose first question is answered in this mode."""
    return [mode] if mode in CONTROLS else [mode, "ok"]


def operation(story: Story, name: str, workflow_id: str, **args: str) -> None:
    """Something that the drive did."""
    story.add(
        Operation(
            **story.at(), name=name, tenant="alpha", workflow_id=workflow_id, ending=Ending.OK,
            invoked_ns=0, args=args,
        )
    )  # fmt: skip


def _over(story: Story, quick: Retry) -> None:
    """Allows that were over before they could be used again."""
    for case, mode, tries in (("revoked", "FM-02", 1), ("gone", "FM-20", 1)):
        nodes = [step(0, f"{mode.lower()}-after1.alpha", retry=quick)]
        plan = {(0, "forward"): ["fail", *[mode] * tries]}
        story.saga(nodes, feeds=IDS, case=case, plan=plan)
    nodes = [step(0, "taken-back"), step(0, "taken-back")]
    story.saga(nodes, feeds=IDS, case="taken-back", plan={(1, "forward"): ["deny"]})
    (denied,) = story.all(Decision, saga_id="s-taken-back", step=1)
    operation(story, "revoke", "wf-taken-back", resource="taken-back", action="rms.reserve")
    story.set(Operation, {"at_ns": denied.received_ns - MS}, name="revoke")


def told(failure_modes: int = len(BASES)) -> Story:
    """Every activity type, retries, denies, every mode of the PDP."""
    story = Story()
    four = [step(n, "r") for n in range(4)]
    story.saga(
        [*four, step(0, "r")],
        feeds=IDS,
        case="back",
        plan={(1, "forward"): ["fail", "ok"], (4, "forward"): ["refuse"]},
    )
    for position in range(2):
        story.saga(four, feeds=IDS, case=f"deny-{position}", plan={(position, "forward"): ["deny"]})
    quick = Retry(initial_ms=10, max_attempts=2)
    for number, mode in enumerate([*CONTROLS, *BASES[:failure_modes], "FM-42a", "FM-42b"]):
        nodes = [step(number, f"{mode.lower()}.alpha", retry=quick), step(0, "end")]
        plan = {(0, "compensation"): there(mode), (1, "forward"): ["refuse"]}
        if mode != "FM-02":
            plan[0, "forward"] = there(mode)
        story.saga(nodes, feeds=IDS, case=mode, plan=plan)
    nodes = [step(0, "fm-02.alpha")]
    story.saga(nodes, feeds=IDS, case="deny-mode", plan={(0, "forward"): ["FM-02"]})
    away = {(0, "forward"): ["FM-20", "FM-20"]}
    story.saga([step(0, "fm-20", retry=quick)], feeds=IDS, case="lasting", plan=away)
    _over(story, quick)
    operation(story, "start-for-nobody", "wf-nobody")
    return story


def clause(story: Story, check: Check, name: str, **parameters: Any) -> str:
    """The reason of the only clause that fails."""
    verdict = story.judge(check, **parameters)
    failing = [c for c in verdict.clauses if c.outcome is Outcome.FAIL]
    assert [c.name for c in failing] == [name], verdict.reason
    assert verdict.outcome is Outcome.FAIL
    assert verdict.witnesses
    return failing[0].reason


def lacks(story: Story, check: Check, **parameters: Any) -> str:
    """The reason of an inconclusive verdict."""
    verdict = story.judge(check, **parameters)
    assert verdict.outcome is Outcome.INCONCLUSIVE, verdict.reason
    return verdict.reason


@pytest.mark.parametrize("check", CHECKS, ids=IDS)
def test_a_worker_that_asks_and_obeys_passes(check: Check) -> None:
    """And the verdict says how much was checked."""
    verdict = told().judge(check)
    assert verdict.outcome is Outcome.PASS, verdict.reason
    assert any(character.isdigit() for character in verdict.reason)


@pytest.mark.parametrize("check", CHECKS, ids=IDS)
def test_nothing_recorded_is_inconclusive(check: Check) -> None:
    """An empty journal proves nothing."""
    lacks(Story(), check)


@pytest.mark.parametrize("check", CHECKS, ids=IDS)
def test_what_was_not_driven_for_it_is_inconclusive(check: Check) -> None:
    """Sagas of other assertions do not suffice."""
    story = told()
    story.set(Program, {"feeds": ["OTHER"]})
    assert "no saga was driven" in lacks(story, check)


@pytest.mark.parametrize("check", CHECKS, ids=IDS)
def test_sagas_without_a_recorded_end_are_inconclusive(check: Check) -> None:
    """Their runs may still have asked."""
    story = told()
    for run in story.runs:
        run.events.pop()
    assert "recorded end" in lacks(story, check)


# --- INV-PDP-1


@pytest.mark.parametrize("disposition", Disposition)
def test_an_effect_without_a_decision_fails_whatever_became_of_it(
    disposition: Disposition,
) -> None:
    """The request alone is what counts; the witness names saga, step and attempt."""
    story = told()
    story.drop(Decision, saga_id="s-back", step=2, direction="compensation")
    where = {"saga_id": "s-back", "step": 2, "direction": "compensation"}
    story.set(Effect, {"disposition": disposition}, **where)
    verdict = story.judge(PDP_1)
    assert verdict.outcome is Outcome.FAIL
    text = verdict.witnesses[0].text
    assert "s-back step 2 compensation attempt 1" in text
    assert "alpha wf-back" in text


@pytest.mark.parametrize(
    "other",
    [
        {"tenant": "beta"},
        {"saga_id": "s-x"},
        {"step": 7},
        {"direction": "compensation"},
        {"run_id": "run-x"},
        {"attempt": 2},
    ],
)
def test_a_decision_of_another_attempt_does_not_count(other: dict[str, Any]) -> None:
    """Tenant, saga, step, direction, run and attempt must agree."""
    story = told()
    story.set(Decision, other, saga_id="s-back", step=0, direction="forward")
    assert story.judge(PDP_1).outcome is Outcome.FAIL


def test_a_worker_that_never_asks_fails() -> None:
    """No decision at all is no lack of evidence."""
    story = told()
    story.drop(Decision)
    assert story.judge(PDP_1).outcome is Outcome.FAIL


def test_an_activity_that_completed_without_asking_fails() -> None:
    """Also where nothing reached a service."""
    story = told()
    story.drop(Decision, saga_id="s-back", step=0, direction="forward")
    story.drop(Effect, saga_id="s-back", step=0, direction="forward")
    assert "rms.reserve" in clause(story, PDP_1, "completed without a decision")


def test_a_no_op_activity_in_a_saga_is_one_that_did_not_ask() -> None:
    """It is for loads alone (contract §10): in a saga its name excuses nothing."""
    story = told()
    run = next(run for run in story.runs if run.workflow_id == "wf-back")
    scheduled = story.event(
        run, "ACTIVITY_TASK_SCHEDULED", activityType={"name": "noop"},
        input=payloads({"how": "ordinary"}),
    )  # fmt: skip
    ids = {"scheduledEventId": scheduled["eventId"]}
    story.event(run, "ACTIVITY_TASK_STARTED", attempt=1, **ids)
    story.event(run, "ACTIVITY_TASK_COMPLETED", result=payloads({}), **ids)
    assert "noop" in clause(story, PDP_1, "completed without a decision")


@pytest.mark.parametrize("activity_type", ACTIVITY_TYPES)
def test_an_activity_type_that_was_never_seen_is_named(activity_type: str) -> None:
    """All eight must have asked."""
    story = told()
    service, operation = activity_type.split(".")
    for effect in story.all(Effect, service=service, operation=operation):
        where = {name: getattr(effect, name) for name in ("saga_id", "step", "direction")}
        story.drop(Effect, seq=effect.seq)
        if story.all(Decision, **where):
            story.drop(Decision, **where)
    for run in story.runs:
        run.events = [e for e in run.events if "activityTaskScheduled" not in str(e)]
    assert activity_type in lacks(story, PDP_1)


def test_only_completed_activities_of_driven_sagas_must_have_asked() -> None:
    """One that failed may have done so before it asked; what acts of the drive did is theirs."""
    story = told()
    story.drop(Decision, saga_id="s-deny-0")
    story.saga([step(0, "r")], case="act")
    story.drop(Decision, saga_id="s-act")
    story.drop(Effect, saga_id="s-act")
    story.drop(Program, saga_id="s-act")
    assert story.judge(PDP_1).outcome is Outcome.PASS


# --- INV-PDP-2


def test_an_effect_before_its_decision_fails() -> None:
    """In the one order that decisions and effects share."""
    story = told()
    where = {"saga_id": "s-back", "step": 0, "direction": "forward"}
    (effect,) = story.all(Effect, **where)
    story.set(Decision, {"seq": effect.seq + 1}, **where)
    assert "step 0 forward" in clause(story, PDP_2, "effect before the answer")


@pytest.mark.parametrize(("late_ns", "outcome"), [(0, Outcome.PASS), (1, Outcome.FAIL)])
def test_an_allow_must_have_been_answered_when_the_request_arrives(
    late_ns: int, outcome: Outcome
) -> None:
    """To the nanosecond: both times are of one clock."""
    story = told()
    where = {"saga_id": "s-back", "step": 0, "direction": "forward"}
    (effect,) = story.all(Effect, **where)
    story.set(Decision, {"answered_ns": effect.received_ns + late_ns}, **where)
    assert story.judge(PDP_2).outcome is outcome


def test_an_allow_that_was_never_answered_to_its_end_is_none() -> None:
    """The worker was gone before the last byte."""
    story = told()
    story.set(Decision, {"answered_ns": 0}, saga_id="s-back", step=0, direction="forward")
    clause(story, PDP_2, "effect before the answer")


def test_a_retry_that_does_not_ask_fails() -> None:
    """An allow of attempt 1 is none of attempt 2."""
    story = told()
    story.drop(Decision, saga_id="s-back", step=1, direction="forward", attempt=2)
    assert "attempt 2" in clause(story, PDP_2, "retry without a decision")


def test_an_effect_after_anything_but_an_allow_is_not_judged_here() -> None:
    """It came after its question; that it came at all is a false allow."""
    story = told()
    call(story, "FM-08")
    story.set(Decision, {"answered_ns": 0}, mode="FM-08")
    assert story.judge(PDP_2).outcome is Outcome.PASS


def test_without_a_retry_nobody_was_seen_to_ask_again() -> None:
    """Then it is inconclusive."""
    story = told()
    story.drop(Decision, attempt=2)
    story.drop(Effect, attempt=2)
    assert "second attempt" in lacks(story, PDP_2)


# --- INV-PDP-3


def call(story: Story, mode: str) -> None:
    """Have the service called in the attempt that was answered in this mode."""
    decision = story.all(Decision, mode=mode)[0]
    effect = story.all(Effect, saga_id="s-back", step=0, direction="forward")[0]
    fields = ("tenant", "saga_id", "step", "direction", "run_id", "attempt", "workflow_id")
    same = {name: getattr(decision, name) for name in fields}
    story.add(msgspec.structs.replace(effect, seq=10_000, **same))


@pytest.mark.parametrize("mode", [*BASES[::5], "FM-02"])
def test_an_effect_after_anything_but_an_allow_is_a_false_allow(mode: str) -> None:
    """In every way to fail, and after a deny."""
    story = told()
    call(story, mode)
    assert mode in clause(story, PDP_3, "FALSE_ALLOW")


def test_what_follows_a_redirect_is_no_answer_to_the_question() -> None:
    """The host it leads to may say what it likes; it is counted."""
    story = told()
    asked = story.all(Decision, mode="FM-48")[0]
    story.add(msgspec.structs.replace(asked, mode="FM-48 target", answer=Answer.ALLOW))
    verdict = story.judge(PDP_3)
    assert verdict.outcome is Outcome.PASS
    assert verdict.figures["redirects_followed"] == 1
    call(story, "FM-48")
    clause(story, PDP_3, "FALSE_ALLOW")


@pytest.mark.parametrize("mode", [*(c for c in CONTROLS if c != "FM-02"), "policy"])
def test_an_allow_that_is_not_used_is_a_false_deny(mode: str) -> None:
    """However unusual it was; the control then shows nothing."""
    story = told()
    case = "back" if mode == "policy" else mode
    where = {"saga_id": f"s-{case}", "step": 0, "direction": "forward"}
    story.drop(Effect, **where)
    verdict = story.judge(PDP_3)
    assert verdict.reason == "1 FALSE_DENY"
    assert mode in verdict.witnesses[0].text
    assert verdict.witnesses[0].path.startswith("histories/")


def _kill(story: Story, decision: Decision, after_ms: float, group: str = "calm") -> None:
    story.add(
        Process(
            at_ns=decision.at_ns + int(after_ms * MS), wall_ns=0, role=f"worker-{group}-0",
            group=group, pid=1, event="killed",
        )
    )  # fmt: skip


def _cut(story: Story, decision: Decision, *phases: str, before_ms: float = 1) -> None:
    for phase in phases:
        story.add(
            Fault(
                at_ns=decision.received_ns - int(before_ms * MS), wall_ns=0, fault_id="f",
                name="link_cut", target="worker-engine", phase=phase,
            )
        )  # fmt: skip


INTERRUPTIONS: dict[str, Callable[[Story, Decision], None]] = {
    "its worker was killed": lambda story, d: _kill(story, d, 4000),
    "a link is cut": lambda story, d: _cut(story, d, "injected"),
    "a link was just healed": lambda story, d: _cut(story, d, "injected", "healed"),
    "its answer came too late": lambda story, d: story.set(
        Decision, {"received_ns": d.answered_ns - 801 * MS}, seq=d.seq
    ),
}


@pytest.mark.parametrize("how", INTERRUPTIONS)
def test_an_interrupted_attempt_proves_no_false_deny(how: str) -> None:
    """It is counted as not judged."""
    story = told()
    (decision,) = story.all(Decision, saga_id="s-back", step=0, direction="forward")
    story.drop(Effect, saga_id="s-back", step=0, direction="forward")
    INTERRUPTIONS[how](story, decision)
    verdict = story.judge(PDP_3)
    assert verdict.outcome is Outcome.PASS, verdict.reason
    assert verdict.figures["allows_not_judged"] == 1


@pytest.mark.parametrize(("after_ms", "group"), [(5001, "calm"), (10, "crash")])
def test_another_or_a_later_kill_excuses_nothing(after_ms: float, group: str) -> None:
    """The saga ran elsewhere, or had all the time it needed."""
    story = told()
    (decision,) = story.all(Decision, saga_id="s-back", step=0, direction="forward")
    story.drop(Effect, saga_id="s-back", step=0, direction="forward")
    _kill(story, decision, after_ms, group)
    clause(story, PDP_3, "FALSE_DENY")


def _worker(story: Story, decision: Decision, event: str, role: str) -> None:
    _kill(story, decision, 10)
    story.set(Process, {"event": event, "role": role})


def test_a_worker_that_gave_up_before_the_answer_denied_falsely() -> None:
    """It left early, though the answer was on its way."""
    story = told()
    story.drop(Effect, saga_id="s-ok-slow", step=0)
    story.change(
        Decision,
        lambda d: {"answered_ns": 0, "received_ns": d.at_ns - 300 * MS, "ended_by": "peer"},
        mode="ok-slow",
    )
    clause(story, PDP_3, "FALSE_DENY")


@pytest.mark.parametrize("waited_ms", [801, 5000])
def test_a_worker_that_left_at_its_deadline_denied_rightly(waited_ms: int) -> None:
    """The answer was slower than it should have been; then the control shows nothing."""
    story = told()
    story.drop(Effect, saga_id="s-ok-slow", step=0)
    story.change(
        Decision,
        lambda d: {"answered_ns": 0, "received_ns": d.at_ns - waited_ms * MS},
        mode="ok-slow",
    )
    assert "ok-slow" in lacks(story, PDP_3)


def test_an_allow_in_a_run_without_history_is_not_judged() -> None:
    """Nobody knows what befell it."""
    story = told()
    story.drop(Effect, saga_id="s-back", step=0, direction="forward")
    story.runs = [run for run in story.runs if run.workflow_id != "wf-back"]
    verdict = story.judge(PDP_3)
    assert verdict.outcome is Outcome.PASS
    assert verdict.figures["allows_not_judged"] == 1


def test_a_kill_of_no_named_group_may_concern_everybody() -> None:
    """So may one while nobody knows where the saga ran."""
    story = told()
    (decision,) = story.all(Decision, saga_id="s-back", step=0, direction="forward")
    story.drop(Effect, saga_id="s-back", step=0, direction="forward")
    _kill(story, decision, 10, group="")
    assert story.judge(PDP_3).outcome is Outcome.PASS
    story.set(Process, {"group": "crash"})
    clause(story, PDP_3, "FALSE_DENY")
    story.drop(Program, saga_id="s-back")
    assert story.judge(PDP_3).outcome is Outcome.PASS


EXCUSES_NOTHING: dict[str, Callable[[Story, Decision], None]] = {
    "a link healed long before": lambda story, d: _cut(
        story, d, "injected", "healed", before_ms=5001
    ),
    "a link that is to be cut": lambda story, d: _cut(story, d, "planned"),
    "a link cut later": lambda story, d: _cut(story, d, "injected", before_ms=-6000),
    "a worker that started": lambda story, d: _worker(story, d, "started", "worker-calm-0"),
    "another part that was killed": lambda story, d: _worker(story, d, "killed", "exporter"),
}


@pytest.mark.parametrize("what", EXCUSES_NOTHING)
def test_what_did_not_interrupt_the_attempt_excuses_nothing(what: str) -> None:
    """The allow should have been used."""
    story = told()
    (decision,) = story.all(Decision, saga_id="s-back", step=0, direction="forward")
    story.drop(Effect, saga_id="s-back", step=0, direction="forward")
    EXCUSES_NOTHING[what](story, decision)
    clause(story, PDP_3, "FALSE_DENY")


@pytest.mark.parametrize("end", ["canceled", "terminated", "timed out", "open"])
def test_a_saga_that_was_ended_from_outside_proves_no_false_deny(end: str) -> None:
    """The attempt may not have had the time to call."""
    story = told()
    story.saga([step(0, "r")], feeds=IDS, case="ended", end=end)
    story.drop(Effect, saga_id="s-ended", step=0)
    assert story.judge(PDP_3).outcome is Outcome.PASS


@pytest.mark.parametrize(("waited_ms", "outcome"), [(1500, Outcome.PASS), (1501, Outcome.FAIL)])
@pytest.mark.parametrize("ended_by", ["peer", "us"])
def test_nobody_may_wait_longer_than_the_deadline_and_a_half(
    waited_ms: int, outcome: Outcome, ended_by: str
) -> None:
    """Whoever closed first; modes that answer at once are not timed."""
    story = told()
    story.change(
        Decision,
        lambda d: {"received_ns": d.at_ns - waited_ms * MS, "ended_by": ended_by},
        mode="FM-16",
        attempt=1,
    )
    story.change(Decision, lambda d: {"received_ns": d.at_ns - 9000 * MS}, mode="FM-08")
    assert story.judge(PDP_3, pdp_deadline_ms=1000).outcome is outcome
    assert story.judge(PDP_3, pdp_deadline_ms=1001).outcome is Outcome.PASS


@pytest.mark.parametrize("direction", ["forward", "compensation"])
def test_every_way_to_fail_must_be_met_in_both_directions(direction: str) -> None:
    """What was not asked is named."""
    story = told()
    story.drop(Decision, mode=BASES[-1], direction=direction)
    assert f"never asked, {direction}: {BASES[-1]}" in lacks(story, PDP_3)


def test_an_effect_whose_question_reached_no_pdp_is_a_false_allow() -> None:
    """In the sagas that were driven for it; elsewhere another check says so."""
    story = told()
    story.drop(Decision, saga_id="s-FM-08", direction="compensation", attempt=2)
    assert "the PDP was not reached" in clause(story, PDP_3, "FALSE_ALLOW")


@pytest.mark.parametrize("control", CONTROLS)
def test_every_control_must_have_been_seen_to_work(control: str) -> None:
    """A worker that refuses everything would else pass."""
    story = told()
    story.drop(Decision, mode=control)
    if control != "FM-02":
        story.drop(Effect, saga_id=f"s-{control}", step=0)
    assert control in lacks(story, PDP_3)


# --- INV-PDP-4


def test_a_deny_that_is_asked_again_fails() -> None:
    """It was final."""
    story = told()
    quick = Retry(initial_ms=10, max_attempts=2)
    plan = {(0, "forward"): ["deny", "deny"]}
    story.saga([step(0, "r", retry=quick)], feeds=IDS, case="again", plan=plan)
    assert "s-again" in clause(story, PDP_4, "asked again")


def test_an_attempt_after_a_deny_shows_in_the_history_as_well() -> None:
    """Though the PDP was not asked again."""
    story = told()
    story.saga([step(0, "r")], feeds=IDS, case="again", plan={(0, "forward"): ["deny"]})
    started = story.runs[-1].events[2]
    started["activityTaskStartedEventAttributes"]["attempt"] = 2
    assert "has attempt 2" in clause(story, PDP_4, "asked again")


def test_a_deny_after_an_unavailable_pdp_is_final_all_the_same() -> None:
    """The earlier attempts were right to be retried."""
    story = told()
    plan = {(0, "forward"): ["FM-08", "deny"]}
    story.saga([step(0, "r")], feeds=IDS, case="later", plan=plan)
    assert story.judge(PDP_4).outcome is Outcome.PASS


def test_a_deny_must_be_typed() -> None:
    """The activity's failure says what it was."""
    story = told()
    denied = next(r for r in story.runs if r.workflow_id == "wf-deny-0")
    for event in denied.events:
        if "activityTaskFailedEventAttributes" in event:
            event["activityTaskFailedEventAttributes"] |= failure("KeyError")
    assert "KeyError" in clause(story, PDP_4, "not typed")


@pytest.mark.parametrize(
    "ending",
    [
        ("WORKFLOW_EXECUTION_COMPLETED", {}),
        ("WORKFLOW_EXECUTION_FAILED", failure("SagaFailed", {"cause": "ServiceUnavailable"})),
        ("WORKFLOW_EXECUTION_FAILED", failure("Other", {"cause": "AuthorizationDenied"})),
    ],
)
def test_a_denied_saga_must_end_because_of_it(ending: tuple[str, dict[str, Any]]) -> None:
    """With SagaFailed whose cause is AuthorizationDenied."""
    story = told()
    denied = next(r for r in story.runs if r.workflow_id == "wf-deny-1")
    denied.events.pop()
    story.event(denied, ending[0], **ending[1])
    assert "s-deny-1" in clause(story, PDP_4, "wrong ending")


@pytest.mark.parametrize("end", ["CANCEL_REQUESTED", "TERMINATED", "TIMED_OUT", "CANCELED"])
def test_a_denied_saga_that_was_ended_from_outside_may_end_otherwise(end: str) -> None:
    """And its activity with it; one that is still open is not judged."""
    story = told()
    denied = next(r for r in story.runs if r.workflow_id == "wf-deny-0")
    del denied.events[-2:]
    assert story.judge(PDP_4).outcome is Outcome.PASS
    story.event(denied, f"WORKFLOW_EXECUTION_{end}")
    if end == "CANCEL_REQUESTED":
        story.event(denied, "WORKFLOW_EXECUTION_FAILED", **failure("SagaFailed"))
    assert story.judge(PDP_4).outcome is Outcome.PASS


def test_a_denied_compensation_leaves_the_first_cause() -> None:
    """The run ends with SagaFailed because of what failed before."""
    story = told()
    story.saga(
        [step(0, "r"), step(1, "r")],
        feeds=IDS,
        case="back-denied",
        plan={(1, "forward"): ["refuse"], (0, "compensation"): ["deny"]},
    )
    assert story.judge(PDP_4).outcome is Outcome.PASS


def test_a_worker_killed_after_a_deny_may_ask_again() -> None:
    """It could not report it."""
    story = told()
    quick = Retry(initial_ms=10, max_attempts=2)
    plan = {(0, "forward"): ["deny", "deny"]}
    story.saga([step(0, "r", retry=quick)], feeds=IDS, case="k", plan=plan, group="crash")
    _kill(story, story.all(Decision, saga_id="s-k", attempt=1)[0], 1, "crash")
    verdict = story.judge(PDP_4)
    assert verdict.outcome is Outcome.PASS
    assert verdict.figures["interrupted"] == 1


def test_without_a_denied_forward_step_it_is_inconclusive() -> None:
    """A denied compensation alone does not show the deny branch."""
    story = Story()
    story.saga(
        [step(0, "r"), step(1, "r")],
        feeds=IDS,
        plan={(1, "forward"): ["refuse"], (0, "compensation"): ["deny"]},
    )
    assert "denied a forward step" in lacks(story, PDP_4)


# --- INV-PDP-5


def question(story: Story, **where: Any) -> Decision:
    """The first decision of its kind."""
    return story.all(Decision, **where)[0]


def test_a_step_that_is_asked_for_beyond_its_policy_fails() -> None:
    """Two attempts were allowed."""
    story = told()
    last = question(story, saga_id="s-lasting", attempt=2)
    story.add(msgspec.structs.replace(last, attempt=3))
    assert "the policy allows 2" in clause(story, PDP_5, "asked beyond the policy")


def test_asking_again_within_an_attempt_fails() -> None:
    """One attempt, one question: else an outage multiplies the calls."""
    story = told()
    story.add(question(story, saga_id="s-lasting", attempt=2))
    clause(story, PDP_5, "asked again within an attempt")


def test_what_was_put_off_is_done_once() -> None:
    """A second application is one too many."""
    story = told()
    (effect,) = story.all(Effect, saga_id="s-FM-08", step=0, direction="forward")
    story.add(effect)
    clause(story, PDP_5, "several effects")


def _times_out(story: Story, saga_id: str, after_s: float, pace_ms: float = 1) -> None:
    """The saga's run ends by its timeout, that long after the last question."""
    (run,) = [r for r in story.runs if r.workflow_id == saga_id.replace("s-", "wf-")]
    last = max(story.all(Decision, saga_id=saga_id), key=lambda each: each.seq)
    del run.events[-2:]
    story.event(run, "WORKFLOW_EXECUTION_TIMED_OUT")
    run.events[-1]["eventTime"] = timestamp(last.wall_ns + int(after_s * 10**9))
    first = story.all(Effect, saga_id="s-back")[0]
    story.set(Effect, {"received_ns": first.received_ns + int(pace_ms * MS)}, seq=first.seq)


@pytest.mark.parametrize(("saga", "check"), [("s-lasting", 5), ("s-FM-20", 11)])
def test_a_step_that_waits_until_its_saga_runs_out_of_time_fails(saga: str, check: int) -> None:
    """Forward and in a rollback."""
    story = told()
    if check == 11:
        story.drop(Decision, saga_id=saga, direction="compensation", attempt=2)
        story.drop(Effect, saga_id=saga, direction="compensation")
        (run,) = [r for r in story.runs if r.workflow_id == "wf-FM-20"]
        del run.events[-2:]
        run.events.append({})
        run.events.append({})
    _times_out(story, saga, 12)
    assert "for 12 s" in clause(story, BY_ID[f"INV-PDP-{check}"], "without an end")


@pytest.mark.parametrize(("after_s", "pace_ms"), [(2, 1), (12, 1100)])
def test_a_machine_without_time_is_not_blamed_on_the_worker(after_s: float, pace_ms: float) -> None:
    """The step went on until the end, or everybody was slow."""
    story = told()
    _times_out(story, "s-lasting", after_s, pace_ms)
    assert "sagas that timed out" in lacks(story, PDP_5)


def test_an_outage_that_nobody_survived_shows_nothing() -> None:
    """And so does one that outlasted nobody."""
    story = told()
    story.drop(Decision, saga_id="s-lasting")
    story.drop(Decision, saga_id="s-gone")
    assert "outlasted its policy" in lacks(story, PDP_5)


# --- INV-PDP-6


def _ask(story: Story, change: Callable[[dict[str, Any]], None], **where: Any) -> None:
    """Have one question asked otherwise."""
    chosen = question(story, saga_id="s-back", step=0, direction="forward")
    plain = msgspec.json.decode(chosen.request)
    change(plain)
    told = msgspec.json.encode(plain).decode()
    story.set(Decision, {"request": told, **where}, seq=chosen.seq)


DEPARTURES: dict[str, tuple[str, Callable[[dict[str, Any]], None]]] = {
    "no subject": ("no AuthZEN request", lambda q: q.pop("subject")),
    "a number": ("no AuthZEN request", lambda q: q["action"].update(name=7)),
    "a context that is none": ("no AuthZEN request", lambda q: q.update(context=[])),
    "another tenant": ("another subject", lambda q: q["subject"].update(id="beta")),
    "a user": ("another subject", lambda q: q["subject"].update(type="user")),
    "the way back": (
        "another action or resource",
        lambda q: q["action"].update(name="rms.release"),
    ),
    "another thing": ("another action or resource", lambda q: q["resource"].update(id="other")),
}


@pytest.mark.parametrize("what", DEPARTURES)
def test_another_question_than_the_activitys_fails(what: str) -> None:
    """As AuthZEN has it, for the run's tenant, about the step of the program."""
    story = told()
    name, change = DEPARTURES[what]
    _ask(story, change)
    clause(story, PDP_6, name)


@pytest.mark.parametrize("vague", ["", " ", "*", "room-*"])
def test_an_empty_name_or_a_wildcard_fails(vague: str) -> None:
    """It asks for more than what is done."""
    story = told()
    _ask(story, lambda q: q["resource"].update(id=vague))
    assert "1 empty or a wildcard" in story.judge(PDP_6).reason


def test_a_request_to_another_address_is_no_question() -> None:
    """Whatever its body says."""
    story = told()
    _ask(story, lambda q: None, problems=["path: '/v1/data' is not /access/v1/evaluation"])
    clause(story, PDP_6, "no AuthZEN request")


def test_a_saga_without_a_tenant_must_not_be_asked_for() -> None:
    """And one must have been started."""
    story = told()
    chosen = question(story, saga_id="s-back", step=0, direction="forward")
    story.add(msgspec.structs.replace(chosen, workflow_id="wf-nobody"))
    clause(story, PDP_6, "asked for nobody")
    story.drop(Operation, name="start-for-nobody")
    story.drop(Decision, workflow_id="wf-nobody")
    assert "without a tenant" in lacks(story, PDP_6)


def test_a_question_too_long_to_be_kept_is_counted() -> None:
    """What was not recorded is not judged."""
    story = told()
    _ask(story, lambda q: q["context"].update(pad="." * 4096))
    verdict = story.judge(PDP_6)
    assert (verdict.outcome, verdict.figures["not_whole"]) == (Outcome.PASS, 1)


# --- INV-PDP-7


def _done(story: Story, saga_id: str, **where: Any) -> Decision:
    """Have the service called where the PDP did not allow it; returns that question."""
    decision = next(
        d for d in story.all(Decision, saga_id=saga_id, **where) if d.answer is not Answer.ALLOW
    )
    effect = story.all(Effect, saga_id=saga_id)[0]
    fields = ("step", "direction", "attempt", "run_id")
    same = {name: getattr(decision, name) for name in fields}
    story.add(
        msgspec.structs.replace(
            effect, seq=10_000, received_ns=decision.received_ns + MS, **same
        )
    )  # fmt: skip
    return decision


@pytest.mark.parametrize(
    ("saga", "name"),
    [
        ("s-revoked", "used after it was revoked"),
        ("s-taken-back", "used after it was revoked"),
        ("s-gone", "used while the PDP was away"),
    ],
)
@pytest.mark.parametrize("asked", [True, False])
def test_an_allow_that_is_over_lets_nothing_through(saga: str, name: str, asked: bool) -> None:
    """Whether the worker asked and did not listen, or did not ask."""
    story = told()
    decision = _done(story, saga)
    if not asked:
        story.drop(Decision, seq=decision.seq)
    verdict = story.judge(PDP_7)
    assert verdict.outcome is Outcome.FAIL
    assert verdict.reason == f"1 {name}"


def test_within_the_declared_staleness_an_old_allow_may_be_used() -> None:
    """It is counted, and no longer fails."""
    story = told()
    _done(story, "s-taken-back")
    verdict = story.judge(PDP_7, pdp_staleness_ms=60_000)
    assert verdict.outcome is not Outcome.FAIL
    assert verdict.figures["tolerated_within_staleness"] == 1


@pytest.mark.parametrize("saga", ["s-revoked", "s-taken-back", "s-gone"])
def test_each_kind_of_ending_must_have_been_refused(saga: str) -> None:
    """Else nothing was shown of it."""
    story = told()
    for decision in story.all(Decision, saga_id=saga):
        if decision.answer is not Answer.ALLOW:
            story.drop(Decision, seq=decision.seq)
    assert "never seen refused" in lacks(story, PDP_7)


# --- INV-PDP-8


@pytest.mark.parametrize(
    ("mode", "amount", "known", "outcome"),
    [
        ("FM-42", "1", (), Outcome.FAIL),
        ("FM-42b", "1", (), Outcome.FAIL),
        ("FM-42b", "2", ("cap-amount",), Outcome.FAIL),
        ("FM-42b", "1", ("cap-amount",), Outcome.PASS),
        ("FM-42a", "1", ("cap-amount",), Outcome.FAIL),
    ],
)
def test_an_obligation_is_carried_out_or_refused(
    mode: str, amount: str, known: tuple[str, ...], outcome: Outcome
) -> None:
    """Carried out only by a platform that declares it, and seen in what reached the service."""
    story = told()
    decision = question(story, mode=mode)
    (effect,) = story.all(Effect, saga_id=f"s-{mode}", step=0, direction="forward")
    story.add(msgspec.structs.replace(effect, seq=10_000, attempt=decision.attempt, amount=amount))
    assert story.judge(PDP_8, obligations_honoured=list(known)).outcome is outcome
    honest = story.judge(PDP_3, obligations_honoured=list(known))
    assert (FALSE_ALLOW in honest.reason) == (mode != "FM-42b" or not known)


def test_each_obligation_must_have_been_met_in_both_directions() -> None:
    """What was not is named."""
    story = told()
    story.drop(Decision, mode="FM-42a", direction="compensation")
    assert "FM-42a compensation" in lacks(story, PDP_8)


# --- INV-PDP-11


def test_a_compensation_without_an_allow_fails_unless_it_is_exempt() -> None:
    """Also while the PDP is away."""
    story = told()
    asked = question(story, mode="FM-08", direction="compensation")
    (effect,) = story.all(Effect, saga_id="s-FM-08", step=0, direction="compensation")
    story.add(msgspec.structs.replace(effect, seq=10_000, attempt=asked.attempt))
    clause(story, PDP_11, "compensated without an allow")
    exempt = story.judge(PDP_11, compensation_authorization="exempt")
    assert exempt.outcome is Outcome.PASS


def test_an_effect_that_stands_after_a_rollback_fails() -> None:
    """The PDP came back, and the compensation was not done."""
    story = told()
    story.drop(Effect, saga_id="s-FM-08", direction="compensation")
    story.drop(Decision, saga_id="s-FM-08", direction="compensation", attempt=2)
    assert "stands" in clause(story, PDP_11, "not rolled back")


def test_an_outage_longer_than_all_retries_of_a_compensation_shows_nothing() -> None:
    """The contract gives up after ten attempts."""
    story = told()
    quick = Retry(initial_ms=10)
    nodes = [step(0, "fm-20-back", retry=quick), step(0, "end")]
    plan = {(0, "compensation"): ["FM-20"] * 10, (1, "forward"): ["refuse"]}
    story.saga(nodes, feeds=IDS, case="too-long", plan=plan)
    assert "outlasted their retries" in lacks(story, PDP_11)


def test_an_address_of_the_pdp_that_goes_away_must_have_been_away() -> None:
    """An attempt of the history that no question arrived for was closed; else nothing was shown."""
    story = told()
    quick = Retry(initial_ms=10, max_attempts=2)
    story.saga(
        [step(0, "away", retry=quick)], feeds=IDS, case="link-unresolved",
        group="pdp-unresolved", plan={(0, "forward"): ["FM-20", "FM-20"]},
    )  # fmt: skip
    assert "never away in link-unresolved forward" in lacks(story, PDP_3)
    story.drop(Decision, saga_id="s-link-unresolved")
    verdict = story.judge(PDP_3)
    assert verdict.outcome is Outcome.PASS
    assert verdict.figures["attempts_without_a_pdp"] == {"link-unresolved forward": 2}
