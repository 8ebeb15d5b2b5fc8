"""Causes of duplicates, each with its own evidence: attempts at once, lost completions, repeats."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from harness.checks.check import Check
from harness.checks.idempotency import CHECKS
from harness.contract.program import ContinueAsNew, Step, Wait, from_json, step
from harness.journal.records import Disposition, Effect, Ending, Operation, Program, Tapped
from harness.outcome import Outcome
from tests.unit.journals import MS, Sequel, Story, payloads

BY_ID = {check.id: check for check in CHECKS}
IDEM_2, IDEM_3, IDEM_7, IDEM_9 = (BY_ID[f"INV-IDEM-{n}"] for n in (2, 3, 7, 9))
NEW = (IDEM_2, IDEM_3, IDEM_7, IDEM_9)
BACK = {"direction": "compensation"}


def clause(story: Story, check: Check, name: str) -> str:
    verdict = story.judge(check)
    failing = [c for c in verdict.clauses if c.outcome is Outcome.FAIL]
    assert [c.name for c in failing] == [name], verdict.reason
    assert verdict.witnesses
    return failing[0].reason


def lacks(story: Story, check: Check) -> str:
    verdict = story.judge(check)
    assert verdict.outcome is Outcome.INCONCLUSIVE, verdict.reason
    return verdict.reason


def passes(story: Story, check: Check) -> None:
    verdict = story.judge(check)
    assert verdict.outcome is Outcome.PASS, verdict.reason
    assert any(character.isdigit() for character in verdict.reason)


@pytest.mark.parametrize("check", NEW, ids=lambda check: check.id)
def test_nothing_recorded_is_inconclusive(check: Check) -> None:
    lacks(Story(), check)


# --- INV-IDEM-2


def zombie() -> Story:
    """The first attempt's request ends after the second one came and went."""
    story = Story()
    plan = {(0, "forward"): ["lost", "ok"]}
    story.saga([step(0, "r")], feeds=["INV-IDEM-2"], case="z", plan=plan)
    end_ns = story.all(Effect, attempt=2)[0].at_ns + 100 * MS
    story.set(Effect, {"at_ns": end_ns}, attempt=1)
    return story


def test_a_zombie_that_changes_nothing_passes() -> None:
    passes(zombie(), IDEM_2)


def test_a_zombie_that_is_applied_as_well_fails() -> None:
    story = zombie()
    story.set(Effect, {"disposition": Disposition.APPLIED}, attempt=2)
    assert "attempt 2" in clause(story, IDEM_2, "both attempts were applied")


def test_attempts_one_after_the_other_are_no_zombies() -> None:
    story = Story()
    plan = {(0, "forward"): ["lost", "ok"]}
    story.saga([step(0, "r")], feeds=["INV-IDEM-2"], case="z", plan=plan)
    assert "at the same time" in lacks(story, IDEM_2)


@pytest.mark.parametrize("how", [Disposition.FAILED, Disposition.REFUSED])
def test_an_attempt_that_did_not_get_to_the_ledger_does_not_count(how: Disposition) -> None:
    story = zombie()
    story.set(Effect, {"disposition": how}, attempt=2)
    assert "at the same time" in lacks(story, IDEM_2)


# --- INV-IDEM-3


def lost() -> Story:
    """One saga whose recorded completion goes unanswered, one whose completion is refused."""
    story = Story()
    feeds = ["INV-IDEM-3"]
    story.saga([step(0, "r")], feeds=feeds, case="answer")
    story.saga([step(1, "r")], feeds=feeds, case="refused", plan={(0, "forward"): ["lost", "ok"]})
    for case, action, engine in (("answer", "lose-answer", "OK"), ("refused", "refuse", "")):
        story.add(
            Tapped(
                **story.at(),
                rule=f"suite/{case}/alpha/0",
                link="wire",
                method="RespondActivityTaskCompleted",
                number=1,
                action=action,
                status="UNAVAILABLE",
                engine_status=engine,
                request_bytes=1,
                received_ns=story.now_ns,
            )
        )
    return story


def test_lost_completions_that_change_nothing_pass() -> None:
    passes(lost(), IDEM_3)


def test_a_second_attempt_that_applies_again_fails() -> None:
    story = lost()
    story.set(Effect, {"disposition": Disposition.APPLIED}, saga_id="s-refused")
    assert "attempt 2" in clause(story, IDEM_3, "applied again")


def test_a_service_called_again_after_the_engine_knew_fails() -> None:
    story = lost()
    (first,) = story.all(Effect, saga_id="s-answer")
    story.add(first)
    story.set(Effect, {"disposition": Disposition.SUPPRESSED}, saga_id="s-answer")
    assert "s-answer" in clause(story, IDEM_3, "called again after its completion was recorded")


@pytest.mark.parametrize(
    ("action", "missing"), [("lose-answer", "after the engine"), ("refuse", "a second attempt")]
)
def test_both_ways_of_losing_it_must_have_bitten(action: str, missing: str) -> None:
    story = lost()
    story.set(Tapped, {"action": ""}, action=action)
    assert missing in lacks(story, IDEM_3)


def test_an_answer_that_the_engine_never_gave_was_not_lost() -> None:
    story = lost()
    story.set(Tapped, {"engine_status": "NOT_FOUND"}, action="lose-answer")
    assert "after the engine" in lacks(story, IDEM_3)


# --- INV-IDEM-7


def signalled(
    sent: tuple[str, ...] = ("a", "a", "b"), counted: tuple[str, ...] = ("a", "b")
) -> Story:
    """A saga that gets a signal twice, and one that is cancelled twice."""
    story = Story()
    feeds = ["INV-IDEM-7"]
    told = story.saga([Wait(signal="x")], feeds=feeds, case="signalled", end="open")
    for each in sent:
        signal = payloads({"name": "x", "id": each})
        story.event(told.run, "WORKFLOW_EXECUTION_SIGNALED", signalName="deliver", input=signal)
    result = payloads({"signals": list(counted)})
    story.event(told.run, "WORKFLOW_EXECUTION_COMPLETED", result=result)
    story.saga([step(0, "r"), step(1, "r")], feeds=feeds, case="cancelled", end="canceled")
    for _ in range(2):
        story.add(
            Operation(
                **story.at(), name="cancel", tenant="alpha", workflow_id="wf-cancelled",
                ending=Ending.OK, status="OK", invoked_ns=story.now_ns,
            )
        )  # fmt: skip
    return story


def test_repeats_that_count_once_pass() -> None:
    passes(signalled(), IDEM_7)


@pytest.mark.parametrize(
    ("counted", "name"),
    [
        (("a", "a#1", "b"), "signal counted twice"),
        (("a", "a", "b"), "signal counted twice"),
        (("b",), "signal not counted"),
        ((), "signal not counted"),
    ],
)
def test_a_signal_counts_once_and_never_less(counted: tuple[str, ...], name: str) -> None:
    assert "received a, a, b" in clause(signalled(counted=counted), IDEM_7, name)


def test_a_signal_must_have_come_twice() -> None:
    assert "signal twice" in lacks(signalled(sent=("a", "b")), IDEM_7)


def test_a_saga_must_have_been_cancelled_twice() -> None:
    story = signalled()
    cancel = story.all(Operation, name="cancel")[0]
    story.drop(Operation, name="cancel")
    story.add(cancel)
    assert "cancelled twice" in lacks(story, IDEM_7)


def test_a_saga_cancelled_twice_is_undone_once() -> None:
    story = signalled()
    run = next(run for run in story.runs if run.workflow_id == "wf-cancelled")
    again = next(
        event
        for event in run.events
        if "release" in str(event) and event["eventType"].endswith("ACTIVITY_TASK_SCHEDULED")
    )
    run.events.insert(-1, {**again, "eventId": "99"})
    assert "scheduled 2 times" in clause(story, IDEM_7, "cancelled twice, undone twice")


# --- INV-IDEM-9


def overtaken() -> Story:
    """Undone twice, undone in vain, and a step that arrives after its compensation."""
    story = Story()
    feeds = ["INV-IDEM-9"]
    refused = ["refuse"]
    story.saga(
        [step(0, "r"), step(1, "r")],
        feeds=feeds,
        case="twice",
        plan={(1, "forward"): refused, (0, "compensation"): ["lost", "ok"]},
    )
    told = story.saga([], feeds=feeds, case="vain", end="open")
    vain(story, told, step(2, "r"))
    return story


def vain(story: Story, told: Sequel, node: Step) -> None:
    who: dict[str, Any] = {
        "tenant": "alpha", "saga_id": told.saga_id, "step": 0, "workflow_id": "wf-vain",
        "run_id": told.run.run_id, "attempt": 1, "idempotency_key": "k",
    }  # fmt: skip
    story.called({**who, **BACK}, node, "deprovision", "ok")
    story.set(
        Effect, {"disposition": Disposition.VOID, "applied_ns": 0}, saga_id=told.saga_id, **BACK
    )
    story.called({**who, "direction": "forward"}, node, "provision", "refuse")


def test_compensations_that_commute_pass() -> None:
    passes(overtaken(), IDEM_9)


def test_what_is_undone_twice_fails() -> None:
    story = overtaken()
    story.change(
        Effect,
        lambda e: {"disposition": Disposition.APPLIED, "applied_ns": e.at_ns},
        saga_id="s-twice",
        **BACK,
    )
    clause(story, IDEM_9, "undone more than once")


def test_what_was_never_done_cannot_be_undone() -> None:
    story = overtaken()
    story.change(
        Effect,
        lambda e: {"disposition": Disposition.APPLIED, "applied_ns": e.at_ns},
        saga_id="s-vain",
        **BACK,
    )
    clause(story, IDEM_9, "undone what was never done")


def test_what_arrives_after_its_compensation_is_not_done() -> None:
    story = overtaken()
    story.change(
        Effect,
        lambda e: {"disposition": Disposition.APPLIED, "applied_ns": e.at_ns},
        saga_id="s-vain",
        direction="forward",
    )
    clause(story, IDEM_9, "done after it was undone")


def test_what_is_compensated_does_not_stay() -> None:
    """Its compensation was taken for something else's duplicate."""
    story = overtaken()
    story.set(
        Effect,
        {"disposition": Disposition.SUPPRESSED, "applied_ns": 0},
        saga_id="s-twice",
        **BACK,
    )
    clause(story, IDEM_9, "done and not undone")


@pytest.mark.parametrize(
    ("where", "missing"),
    [
        ({"saga_id": "s-twice", "attempt": 2}, "came twice"),
        ({"saga_id": "s-vain", **BACK}, "never applied"),
        ({"saga_id": "s-vain", "direction": "forward"}, "after its compensation"),
    ],
)
def test_each_way_must_have_been_provoked(where: dict[str, Any], missing: str) -> None:
    story = overtaken()
    story.drop(Effect, **where)
    assert missing in lacks(story, IDEM_9)


# --- INV-IDEM-5


IDEM_5 = BY_ID["INV-IDEM-5"]
AGAIN = {
    "reset": "",
    "workflow retry": "RETRY",
    "cron": "CRON_SCHEDULE",
    "schedule": "",
    "redelivery": "",
}
OTHER_ID = {"redelivery": "wf-other", "schedule": "wf-at-noon"}


def again() -> Story:
    """Each cause with a saga of its own, whose step comes twice and is applied once."""
    story = Story()
    feeds = ["INV-IDEM-5"]
    for cause, initiator in AGAIN.items():
        case = cause.replace(" ", "-")
        told = story.saga([step(0, "r")], feeds=feeds, case=case)
        program = story.all(Program, case=case)[0].program
        other = story._new_run(from_json(program), told.run.workflow_id)
        other.events[0]["workflowExecutionStartedEventAttributes"]["initiator"] = (
            f"CONTINUE_AS_NEW_INITIATOR_{initiator or 'UNSPECIFIED'}"
        )
        if cause == "reset":
            reset = "WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW"
            story.event(other, "WORKFLOW_TASK_FAILED", cause=reset)
        other.workflow_id = OTHER_ID.get(cause, other.workflow_id)
        if cause == "schedule":
            by = base64.b64encode(b'"nightly"').decode()
            fields = {"indexedFields": {"TemporalScheduledById": {"data": by}}}
            other.events[0]["workflowExecutionStartedEventAttributes"]["searchAttributes"] = fields
        told.run = other
        story.activity(told, step(0, "r"), 0, "forward", {})
        story.event(other, "WORKFLOW_EXECUTION_COMPLETED")
    told = story.saga([step(0, "r"), ContinueAsNew(), step(1, "r")], feeds=feeds, case="continued")
    initiator = {"initiator": "CONTINUE_AS_NEW_INITIATOR_WORKFLOW"}
    told.run.events[0]["workflowExecutionStartedEventAttributes"].update(initiator)
    return story


def test_effects_that_are_suppressed_as_declared_pass() -> None:
    verdict = again().judge(IDEM_5)
    assert verdict.outcome is Outcome.PASS, verdict.reason
    assert verdict.figures["declared"] == "suppress"
    assert all(verdict.figures["asked_again"].values())


@pytest.mark.parametrize("cause", AGAIN)
def test_an_effect_that_is_applied_again_fails_for_its_cause(cause: str) -> None:
    story = again()
    where = {"saga_id": f"s-{cause.replace(' ', '-')}"}
    story.set(Effect, {"disposition": Disposition.APPLIED}, **where)
    assert "2 times over 2 runs" in clause(story, IDEM_5, cause)


def test_a_continued_saga_applies_each_step_once() -> None:
    story = again()
    (first,) = story.all(Effect, saga_id="s-continued", step=0)
    story.add(first)
    assert "2 times" in clause(story, IDEM_5, "continue-as-new")


def test_where_repeating_is_declared_each_run_has_its_effect() -> None:
    story = again()
    assert story.judge(IDEM_5, same_effect_after_reset="repeat").outcome is Outcome.FAIL
    story.set(Effect, {"disposition": Disposition.APPLIED})
    verdict = story.judge(IDEM_5, same_effect_after_reset="repeat")
    assert verdict.outcome is Outcome.PASS, verdict.reason
    assert verdict.figures["declared"] == "repeat"


@pytest.mark.parametrize("cause", [*AGAIN, "continue-as-new"])
def test_a_cause_that_was_not_provoked_leaves_it_open(cause: str) -> None:
    story = again()
    case = {"continue-as-new": "continued"}.get(cause, cause.replace(" ", "-"))
    story.runs = [run for run in story.runs if case not in run.workflow_id and (
        run.workflow_id != OTHER_ID.get(cause))]  # fmt: skip
    assert f"asked for again by {cause}" in lacks(story, IDEM_5)


def test_a_reset_saga_whose_effects_one_run_asked_for_leaves_the_keys_open() -> None:
    story = again()
    story.set(Program, {"feeds": ["INV-IDEM-4"]}, case="reset")
    story.drop(Effect, saga_id="s-reset", run_id=story.runs[1].run_id)
    assert "by two runs" in lacks(story, BY_ID["INV-IDEM-4"])
