"""The checks of durability pass on sagas that are whole or undone, and name every other ending."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from harness.checks.check import Check, Evidence
from harness.checks.durability import CHECKS
from harness.checks.durability.backoff import nominal_ms
from harness.checks.histories import runs, wall_ns
from harness.contract.program import Behaviour, Retry, step
from harness.journal.records import (
    Answer,
    Decision,
    Disposition,
    Effect,
    Ending,
    Fault,
    Gauge,
    Operation,
    Program,
)
from harness.outcome import Outcome
from tests.unit.journals import EPOCH_NS, MS, Story, failure, payloads

BY_ID = {check.id: check for check in CHECKS}
DUR_2, DUR_5, DUR_6, DUR_7 = (BY_ID[f"DUR-{number}"] for number in (2, 5, 6, 7))
IDS = tuple(BY_ID)


def clause(story: Story, check: Check, name: str, **parameters: Any) -> str:
    """The reason of the only clause that fails."""
    verdict = story.judge(check, **parameters)
    failing = [c for c in verdict.clauses if c.outcome is Outcome.FAIL]
    assert [c.name for c in failing] == [name], verdict.reason
    assert verdict.witnesses
    return failing[0].reason


def lacks(story: Story, check: Check, **parameters: Any) -> str:
    """The reason of an inconclusive verdict."""
    verdict = story.judge(check, **parameters)
    assert verdict.outcome is Outcome.INCONCLUSIVE, verdict.reason
    return verdict.reason


@pytest.mark.parametrize("check", CHECKS, ids=IDS)
def test_nothing_recorded_is_inconclusive(check: Check) -> None:
    """An empty journal proves nothing."""
    lacks(Story(), check)


# --- DUR-5


def sagas(failing_at: tuple[int, ...] = (0, 1, 2)) -> Story:
    """Three steps each: completed, failed at some, cancelled, terminated, timed out.

    Each position but the first fails once more, with compensations that fail at first.
    """
    story = Story()
    three = [step(n, "r") for n in range(3)]
    story.saga(three, feeds=IDS, case="done")
    for position in failing_at:
        plan = {(position, "forward"): ["refuse"]}
        story.saga(three, feeds=IDS, case=f"failed-{position}", plan=plan)
        if position:
            hard = {**plan, (position - 1, "compensation"): ["fail", "ok"]}
            story.saga(three, feeds=IDS, case=f"hard-{position}", plan=hard)
    story.saga(three, feeds=IDS, case="cancelled", end="canceled")
    for end in ("terminated", "timed out", "open"):
        # what is abandoned moves accounts of its own
        story.saga([step(n, "left") for n in range(3)], feeds=IDS, case=end, end=end)
    return story


def test_sagas_that_are_whole_or_undone_pass() -> None:
    """Abandoned ones are counted, and nothing is asked of them."""
    verdict = sagas().judge(DUR_5)
    assert verdict.outcome is Outcome.PASS, verdict.reason
    assert verdict.figures["sagas_judged"] == 7
    assert verdict.figures["abandoned"] == 2
    assert verdict.figures["failing_positions"] == [0, 1, 2]


def test_a_completed_saga_without_one_of_its_effects_fails() -> None:
    """The witness leads to the history."""
    story = sagas()
    story.drop(Effect, saga_id="s-done", step=1)
    assert "step 1 was never applied" in clause(story, DUR_5, "not applied")
    assert story.judge(DUR_5).witnesses[0].path.startswith("histories/")


def _compensate(story: Story, saga_id: str, step_number: int, **changes: Any) -> None:
    """One more compensation of a step, applied now."""
    (done,) = story.all(Effect, saga_id=saga_id, step=step_number, direction="forward")
    story.passes(1)
    fields = {"direction": "compensation", "seq": 9999, "received_ns": story.now_ns, **changes}
    copy = type(done)(**{**{f: getattr(done, f) for f in done.__struct_fields__}, **fields})
    story.add(
        type(copy)(
            **{
                **{f: getattr(copy, f) for f in copy.__struct_fields__},
                "applied_ns": changes.get("applied_ns", story.now_ns),
            }
        )
    )


def test_a_completed_saga_that_was_compensated_fails() -> None:
    """Its effect is gone."""
    story = sagas()
    _compensate(story, "s-done", 2)
    assert "s-done" not in clause(story, DUR_5, "compensated though completed")


@pytest.mark.parametrize("saga_id", ["s-failed-2", "s-cancelled"])
def test_a_step_that_is_left_applied_fails(saga_id: str) -> None:
    """In a failed saga and in a cancelled one."""
    story = sagas()
    story.drop(Effect, saga_id=saga_id, step=0, direction="compensation")
    assert "step 0 is still applied" in clause(story, DUR_5, "not compensated")


def test_a_compensation_in_the_order_of_the_steps_fails() -> None:
    """It must be the reverse."""
    story = sagas()
    for number in (0, 1):
        story.change(
            Effect,
            lambda e: {"applied_ns": e.applied_ns + (1 if e.step else -10 * MS)},
            saga_id="s-failed-2",
            step=number,
            direction="compensation",
        )
    assert "applied [0, 1] and compensated [0, 1]" in clause(story, DUR_5, "wrong order")


def test_a_compensation_that_is_applied_twice_fails() -> None:
    """Each once."""
    story = sagas()
    _compensate(story, "s-failed-1", 0)
    assert "2 times" in clause(story, DUR_5, "compensated twice")


def test_a_forward_step_after_the_first_compensation_fails() -> None:
    """Even a compensation that found nothing to undo ends the way forward."""
    story = sagas()
    (first,) = story.all(Effect, saga_id="s-failed-2", step=1, direction="compensation")
    story.set(
        Effect,
        {"applied_ns": first.received_ns + 1},
        saga_id="s-failed-2",
        step=1,
        direction="forward",
    )
    assert "after the first compensation" in clause(story, DUR_5, "forward after compensation")


def test_an_effect_of_no_step_of_the_program_fails() -> None:
    """Nobody would compensate it."""
    story = sagas()
    story.set(Effect, {"step": 7}, saga_id="s-done", step=1)
    verdict = story.judge(DUR_5)
    assert verdict.reason == "1 not applied, 1 effect of no step"


def test_a_compensation_without_effect_is_allowed_and_counted() -> None:
    """The step's outcome was unknown to the worker."""
    story = sagas()
    done = {"saga_id": "s-failed-2", "step": 2, "direction": "forward"}
    _compensate(story, "s-failed-2", 2, disposition=Disposition.VOID, applied_ns=0)
    story.drop(Effect, **done)
    verdict = story.judge(DUR_5)
    assert verdict.outcome is Outcome.PASS, verdict.witnesses
    assert verdict.figures["compensations_without_effect"] == 1


def _give_up(story: Story, times: int, said: str = "compensation_incomplete") -> None:
    """Have the compensation of a step fail that often, and the run say how it ended."""
    where = {"saga_id": "s-failed-1", "step": 0, "direction": "compensation"}
    (last,) = story.all(Effect, **where)
    story.set(Effect, {"disposition": Disposition.FAILED, "applied_ns": 0}, **where)
    for _ in range(times - 1):
        _compensate(story, "s-failed-1", 0, disposition=Disposition.FAILED, applied_ns=0)
    run = next(r for r in story.runs if r.workflow_id == "wf-failed-1")
    info = run.events[-1]["workflowExecutionFailedEventAttributes"]["failure"]
    info["applicationFailureInfo"]["details"] = payloads({"outcome": said})
    assert last.attempt == 1


def test_a_compensation_that_failed_as_often_as_it_may_is_excused_if_the_run_says_so() -> None:
    """The services made it impossible, and nobody hides it."""
    story = sagas()
    _give_up(story, 10)
    assert story.judge(DUR_5).outcome is Outcome.PASS


@pytest.mark.parametrize(("times", "said"), [(9, "compensation_incomplete"), (10, "compensated")])
def test_a_compensation_given_up_early_or_kept_secret_fails(times: int, said: str) -> None:
    """Ten attempts are the contract's, and the outcome must be told."""
    story = sagas()
    _give_up(story, times, said)
    clause(story, DUR_5, "not compensated")


def test_a_compensation_that_the_pdp_denied_is_excused_if_the_run_says_so() -> None:
    """It must not be done without an allow."""
    story = sagas()
    _give_up(story, 1)
    where = {"saga_id": "s-failed-1", "step": 0, "direction": "compensation"}
    story.drop(Effect, **where)
    clause(story, DUR_5, "not compensated")
    story.set(Decision, {"answer": Answer.DENY}, **where)
    assert story.judge(DUR_5).outcome is Outcome.PASS


def test_a_compensation_that_the_service_refused_is_excused_if_the_run_says_so() -> None:
    """It would be refused again."""
    story = sagas()
    _give_up(story, 1)
    where = {"saga_id": "s-failed-1", "step": 0, "direction": "compensation"}
    story.set(Effect, {"disposition": Disposition.REFUSED}, **where)
    assert story.judge(DUR_5).outcome is Outcome.PASS


def test_a_saga_that_failed_with_every_step_applied_failed_at_no_position() -> None:
    """The answer of its last step was lost for ever."""
    story = sagas((0, 1))
    story.saga([step(n, "r") for n in range(2)], feeds=IDS, case="x", end="canceled")
    run = story.runs[-1]
    run.events.pop()
    story.event(run, "WORKFLOW_EXECUTION_FAILED", **failure("SagaFailed"))
    verdict = story.judge(DUR_5)
    assert "positions [0, 1]" in verdict.reason
    assert verdict.outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    "positions",
    [(0, 2), (1, 2), (0, 1)],
)
def test_sagas_must_fail_at_every_step(positions: tuple[int, ...]) -> None:
    """Where they failed is told."""
    assert f"positions {sorted(positions)}" in lacks(sagas(positions), DUR_5)


def test_compensations_must_have_failed_at_first_at_every_step() -> None:
    """Where a saga has something to undo."""
    story = sagas()
    story.set(Program, {"feeds": ["OTHER"]}, saga_id="s-hard-1")
    assert "failed at step [1]" in lacks(story, DUR_5)


def test_an_account_that_holds_what_no_completed_saga_took_fails() -> None:
    """Half of it was given back."""
    story = sagas()
    account = ("alpha", "rms", "r")
    story.held[account] += Decimal("0.5")
    assert "1.5 are held" in clause(story, DUR_5, "not conserved")
    (row,) = [r for r in story.judge(DUR_5).figures["stock_and_money"] if r["service"] == "rms"]
    assert (row["due"], row["held"]) == (1.0, 1.5)


def test_an_account_that_another_saga_moved_is_not_judged() -> None:
    """Nobody knows what it must hold."""
    story = sagas()
    for number in range(3):
        story.saga([step(number, "r")], case=f"foreign-{number}")
    assert "0 accounts" in lacks(story, DUR_5)


def test_a_saga_that_is_as_none_of_its_runs_ended_fails() -> None:
    """Completed and failed, and it is neither whole nor undone."""
    story = sagas()
    done = next(r for r in story.runs if r.workflow_id == "wf-done")
    failed = next(r for r in story.runs if r.workflow_id == "wf-failed-0")
    failed.events[0] = done.events[0]
    story.drop(Effect, saga_id="s-done", step=1)
    assert "1 not applied" in story.judge(DUR_5).reason


def test_positions_of_other_sagas_do_not_count() -> None:
    """They are judged all the same."""
    story = sagas()
    story.set(Program, {"feeds": ["OTHER"]}, saga_id="s-failed-2")
    story.set(Program, {"feeds": ["OTHER"]}, saga_id="s-hard-2")
    assert "positions [0, 1]" in lacks(story, DUR_5)
    story.drop(Effect, saga_id="s-failed-2", step=0, direction="compensation")
    clause(story, DUR_5, "not compensated")


def test_a_saga_with_two_different_endings_is_inconclusive() -> None:
    """Whether its effects should be there cannot be said."""
    story = sagas()
    done = next(r for r in story.runs if r.workflow_id == "wf-done")
    failed = next(r for r in story.runs if r.workflow_id == "wf-failed-0")
    failed.events[0] = done.events[0]
    assert "ended differently" in lacks(story, DUR_5)


# --- DUR-6


def _asked(story: Story, what: str, case: str) -> None:
    """The engine acknowledged it."""
    story.add(
        Operation(
            **story.at(), name=what, tenant="alpha", workflow_id=f"wf-{case}", ending=Ending.OK,
            status="OK", invoked_ns=story.now_ns,
        )
    )  # fmt: skip


def broken_off(cancelled: int = 3, terminated: int = 3) -> Story:
    """Sagas of one step, of two and of three, cancelled and terminated after their last."""
    story = Story()
    for what, count in (("cancel", cancelled), ("terminate", terminated)):
        for position in range(count):
            case = f"{what}-{position}"
            end = {"cancel": "canceled", "terminate": "terminated"}[what]
            story.saga([step(n, "r") for n in range(position + 1)], feeds=IDS, case=case, end=end)
            _asked(story, what, case)
            story.passes(2000)
    return story


def test_cancelled_sagas_are_undone_and_what_terminated_ones_leave_is_listed() -> None:
    """Each effect, with what it was and where."""
    verdict = broken_off().judge(DUR_6)
    assert verdict.outcome is Outcome.PASS, verdict.reason
    assert verdict.figures["orphan_effects"] == 6
    assert verdict.figures["orphans"][0] == {
        "tenant": "alpha", "workflow_id": "wf-terminate-0", "ended": "TERMINATED",
        "effect": "rms.reserve", "resource": "r", "amount": "1", "step": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("cancelled", "terminated", "missing"), [(2, 3, "cancelled at 2"), (3, 2, "terminated at 2")]
)
def test_three_positions_of_each_are_the_least(
    cancelled: int, terminated: int, missing: str
) -> None:
    """Else nothing is concluded."""
    assert missing in lacks(broken_off(cancelled, terminated), DUR_6)


def test_a_cancelled_saga_that_keeps_an_effect_fails() -> None:
    """It was acknowledged, and is not undone."""
    story = broken_off()
    story.drop(Effect, saga_id="s-cancel-2", step=1, direction="compensation")
    assert "step 1 is still applied" in clause(story, DUR_6, "cancelled, not compensated")


@pytest.mark.parametrize(
    ("case", "name"),
    [("cancel-1", "cancel not honoured"), ("terminate-1", "terminate not honoured")],
)
def test_one_that_completes_all_the_same_fails(case: str, name: str) -> None:
    """Whatever it did before."""
    story = broken_off()
    run = next(run for run in story.runs if run.workflow_id == f"wf-{case}")
    run.events[-1]["eventType"] = "EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED"
    clause(story, DUR_6, name)


@pytest.mark.parametrize(("late_ms", "outcome"), [(499, Outcome.PASS), (502, Outcome.FAIL)])
def test_a_request_after_the_termination_fails_unless_it_was_on_its_way(
    late_ms: float, outcome: Outcome
) -> None:
    """Half a second is granted."""
    story = broken_off()
    run = next(run for run in story.runs if run.workflow_id == "wf-terminate-2")
    closed_ns = wall_ns(run.events[-1]["eventTime"])
    (effect,) = story.all(Effect, saga_id="s-terminate-2", step=2)
    at = closed_ns - EPOCH_NS + int(late_ms * MS)
    story.set(
        Effect,
        {"received_ns": at, "at_ns": at, "wall_ns": EPOCH_NS + at},
        saga_id="s-terminate-2",
        step=2,
    )
    assert effect.applied_ns
    assert story.judge(DUR_6).outcome is outcome


def test_a_cancelled_saga_that_was_too_slow_is_unclear() -> None:
    """It was not done when its time was over."""
    story = broken_off(cancelled=4)
    run = next(run for run in story.runs if run.workflow_id == "wf-cancel-3")
    run.events[-1]["eventType"] = "EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT"
    assert "1 sagas were still being cancelled" in lacks(story, DUR_6)


def test_a_termination_that_was_not_acknowledged_is_not_asked_about() -> None:
    """It may not have taken place."""
    story = broken_off(terminated=4)
    story.set(Operation, {"ending": Ending.INFO}, workflow_id="wf-terminate-3")
    run = next(run for run in story.runs if run.workflow_id == "wf-terminate-3")
    run.events[-1]["eventType"] = "EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED"
    assert story.judge(DUR_6).outcome is Outcome.PASS


# --- DUR-7

GROWING = Retry(initial_ms=200, coefficient=2.0, max_interval_ms=1000, max_attempts=6)


def retries(kinds: int = 2, attempts: int = 4) -> Story:
    """Steps that fail four times and then succeed, and one that fails for ever."""
    story = Story()
    for kind in range(kinds):
        story.saga(
            [step(kind, "r", retry=GROWING, behaviour=Behaviour(fail=4))],
            feeds=IDS,
            case=f"gaps-{kind}",
            plan={(0, "forward"): ["fail"] * 4 + ["ok"]},
        )
    story.saga(
        [step(0, "r", retry=Retry(initial_ms=100, max_attempts=4), behaviour=Behaviour(fail=99))],
        feeds=IDS,
        case="never",
        plan={(0, "forward"): ["fail"] * attempts},
    )
    return story


def move(story: Story, saga_id: str, attempt: int, gap_ms: float) -> None:
    """Have an attempt's request come that long after the answer of the one before."""
    (before,) = story.all(Effect, saga_id=saga_id, attempt=attempt - 1)
    (effect,) = story.all(Effect, saga_id=saga_id, attempt=attempt)
    shift_ns = before.at_ns + int(gap_ms * MS) - effect.received_ns
    for each in story.all(Effect, saga_id=saga_id):
        if each.attempt >= attempt:
            moved = {"received_ns": each.received_ns + shift_ns, "at_ns": each.at_ns + shift_ns}
            story.set(Effect, moved, saga_id=saga_id, attempt=each.attempt)


@pytest.mark.parametrize(("late_sagas", "outcome"), [(1, Outcome.INCONCLUSIVE), (2, Outcome.FAIL)])
def test_gaps_that_are_mostly_much_too_long_are_the_policys(
    late_sagas: int, outcome: Outcome
) -> None:
    """Eight of eleven gaps, against four of eleven."""
    story = retries()
    for saga in range(late_sagas):
        for attempt in range(2, 6):
            move(story, f"s-gaps-{saga}", attempt, 60_000)
    assert story.judge(DUR_7).outcome is outcome


@pytest.mark.parametrize(
    ("slowest_ms", "outcome"), [(2000, Outcome.FAIL), (2000.1, Outcome.INCONCLUSIVE)]
)
def test_late_gaps_beside_late_workflow_tasks_are_the_machines(
    slowest_ms: float, outcome: Outcome
) -> None:
    """All of them came late, and so did what has nothing to do with the policy."""
    story = retries()
    for saga in range(2):
        for attempt in range(2, 6):
            move(story, f"s-gaps-{saga}", attempt, 60_000)
    evidence = Evidence(story.journal(), frozenset(DUR_7.needs), {})
    for run in runs(evidence).values():
        run.slowest_task_ns = int(slowest_ms * MS)
    assert DUR_7.judge(evidence).outcome is outcome


@pytest.mark.parametrize(
    ("attempt", "expected"), [(1, 200), (2, 400), (3, 800), (4, 1000), (5000, 1000)]
)
def test_the_nominal_gap_grows_up_to_the_longest(attempt: int, expected: float) -> None:
    """And no attempt is too high for it."""
    assert nominal_ms(GROWING, attempt) == expected
    assert nominal_ms(Retry(initial_ms=500, coefficient=1e300, max_interval_ms=100), attempt) == 100


def test_gaps_that_keep_to_their_policy_pass() -> None:
    """The verdict shows the table of gaps."""
    verdict = retries().judge(DUR_7)
    assert verdict.outcome is Outcome.PASS, verdict.reason
    assert verdict.figures["series_that_should_grow"] == 3
    assert len(verdict.figures["gap_table_ms"]) == 3


@pytest.mark.parametrize(("gap_ms", "outcome"), [(160, Outcome.PASS), (159.9, Outcome.FAIL)])
def test_a_gap_may_be_a_fifth_shorter_than_nominal(gap_ms: float, outcome: Outcome) -> None:
    """And not a tenth of a millisecond more, in whatever saga."""
    story = retries()
    move(story, "s-gaps-0", 2, gap_ms)
    assert story.judge(DUR_7).outcome is outcome
    if outcome is Outcome.FAIL:
        assert "after attempt 1" in clause(story, DUR_7, "too early")


@pytest.mark.parametrize(
    ("gap_ms", "outcome"), [(5000, Outcome.PASS), (5000.1, Outcome.INCONCLUSIVE)]
)
def test_a_gap_may_be_three_times_and_two_seconds_long(gap_ms: float, outcome: Outcome) -> None:
    """In what was driven for it; elsewhere workers are killed on purpose. One longer one alone may
    be the machine's doing."""
    story = retries()
    move(story, "s-gaps-0", 5, gap_ms)
    assert story.judge(DUR_7).outcome is outcome
    story.set(Program, {"feeds": []}, saga_id="s-gaps-0")
    assert story.judge(DUR_7).outcome is Outcome.PASS


def test_a_gap_after_an_answer_that_was_not_sent_is_not_measured() -> None:
    """Nobody knows when the worker took it for failed."""
    story = retries()
    story.set(Effect, {"status": 0}, saga_id="s-gaps-0", attempt=1)
    move(story, "s-gaps-0", 2, 10)
    assert story.judge(DUR_7).outcome is Outcome.PASS


def test_a_gap_after_an_answer_that_was_no_failure_is_not_measured() -> None:
    """The worker may have died with it."""
    story = retries()
    story.set(
        Effect,
        {"disposition": Disposition.APPLIED, "status": 200},
        saga_id="s-gaps-0",
        attempt=1,
    )
    move(story, "s-gaps-0", 2, 10)
    assert story.judge(DUR_7).outcome is Outcome.PASS


def _flat(story: Story, gap_ms: float) -> None:
    for effect in list(story.all(Effect)):
        if effect.attempt > 1:
            move(story, effect.saga_id, effect.attempt, gap_ms)


STEEP = Retry(initial_ms=500, coefficient=2.0, max_interval_ms=5000, max_attempts=5)


def _even_gaps() -> Story:
    story = retries()
    plan = {(0, "forward"): ["fail"] * 3 + ["ok"]}
    story.saga([step(0, "r", retry=STEEP)], feeds=IDS, case="steep", plan=plan)
    _flat(story, 2100)
    return story


def test_gaps_that_do_not_grow_fail() -> None:
    """Though each of them is long enough for its place, and late timers would not hide it."""
    assert "s-steep" in clause(_even_gaps(), DUR_7, "no growth")


def test_gaps_that_do_not_grow_beside_late_workflow_tasks_tell_nothing() -> None:
    """What waited for a starved machine waited longer than its policy asked for."""
    evidence = Evidence(_even_gaps().journal(), frozenset(DUR_7.needs), {})
    for run in runs(evidence).values():
        run.slowest_task_ns = int(2001 * MS)
    finding = DUR_7.judge(evidence)
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert "did not grow on a machine that was too slow" in finding.reason


@pytest.mark.parametrize(("last_ms", "outcome"), [(2100, Outcome.PASS), (2099, Outcome.FAIL)])
def test_half_as_long_again_is_growth(last_ms: float, outcome: Outcome) -> None:
    """From the first gap to the last."""
    story = retries(kinds=0)
    plan = {(0, "forward"): ["fail"] * 3 + ["ok"]}
    story.saga([step(0, "r", retry=STEEP)], feeds=IDS, case="steep", plan=plan)
    story.set(Program, {"feeds": ["OTHER"]}, saga_id="s-never")
    for attempt, gap_ms in ((2, 1400), (3, 1400), (4, last_ms)):
        move(story, "s-steep", attempt, gap_ms)
    growth = next(c for c in story.judge(DUR_7).clauses if c.name == "no growth")
    assert growth.outcome is outcome


def test_gaps_that_late_timers_may_have_made_equal_are_inconclusive() -> None:
    """They should have grown by 800 ms, and all came about a second after the failure."""
    story = retries()
    _flat(story, 1100)
    assert "timers came up to 1000 ms late" in lacks(story, DUR_7)


def test_one_series_that_grows_shows_that_the_policy_does() -> None:
    """The others may have met a slow machine."""
    story = retries()
    for attempt in range(2, 6):
        move(story, "s-gaps-0", attempt, 1500)
    assert story.judge(DUR_7).outcome is Outcome.PASS


def test_an_attempt_that_did_not_come_to_the_service_was_made_all_the_same() -> None:
    """The history says so: the PDP had not answered it in time."""
    story = retries(attempts=3)
    evidence = Evidence(story.journal(), frozenset(DUR_7.needs), {})
    for run in runs(evidence).values():
        for activity in run.activities.values():
            activity.attempt = 4 if activity.attempt == 3 else activity.attempt
    finding = DUR_7.judge(evidence)
    assert finding.outcome is Outcome.PASS, finding.reason


@pytest.mark.parametrize(
    ("attempts", "reason"), [(3, "3 attempts, 4 were to be made"), (5, "attempt 5, 4 are the most")]
)
def test_another_number_of_attempts_than_the_policys_fails(attempts: int, reason: str) -> None:
    """One less and one more."""
    assert reason in clause(retries(attempts=attempts), DUR_7, "wrong number of attempts")


def test_a_step_that_was_retried_with_success_may_need_fewer_attempts() -> None:
    """Its saga failed later, at another step."""
    story = retries()
    story.saga(
        [step(0, "r", retry=GROWING, behaviour=Behaviour(fail=2)), step(1, "r")],
        feeds=IDS,
        case="later",
        plan={(0, "forward"): ["fail", "fail", "ok"], (1, "forward"): ["refuse"]},
    )
    assert story.judge(DUR_7).outcome is Outcome.PASS


@pytest.mark.parametrize("end", ["canceled", "terminated"])
def test_a_saga_that_was_ended_from_outside_may_have_made_fewer_attempts(end: str) -> None:
    """Nobody let it go on."""
    story = retries()
    nodes = [step(0, "r", retry=GROWING, behaviour=Behaviour(fail=99))]
    story.saga(nodes, feeds=IDS, case="x", plan={(0, "forward"): ["fail"]})
    run = story.runs[-1]
    run.events.pop()
    story.event(run, f"WORKFLOW_EXECUTION_{end.upper()}")
    assert story.judge(DUR_7).outcome is Outcome.PASS


def test_a_step_that_fails_for_ever_must_have_been_driven() -> None:
    """Else nothing shows when the attempts end."""
    story = retries()
    story.drop(Program, saga_id="s-never")
    assert "fails for ever" in lacks(story, DUR_7)


def test_three_gaps_are_the_least() -> None:
    """Two do not show growth."""
    story = retries(kinds=0)
    story.set(Effect, {"status": 0}, saga_id="s-never", attempt=1)
    assert "3 gaps" in lacks(story, DUR_7)


# --- DUR-2


def partition(*phases: str, drained_after_s: float = 4.0, watched_s: float = 40.0) -> Story:
    """Sagas before, across and after a cut of five seconds; gauges twice a second."""
    story = Story()
    three = [step(n, "r") for n in range(3)]
    story.saga(three, feeds=IDS, case="before")
    across = story.saga(three, feeds=IDS, case="across", end="open")
    gauge(story, 1.0)
    story.passes(1000)
    cut(story, *(phases or ("planned", "injected", "bit")))
    story.passes(5000)
    gauge(story, 9.0)
    story.event(across.run, "WORKFLOW_EXECUTION_COMPLETED")
    if not phases or "healed" in phases:
        cut(story, "healed")
    healed_ns = story.now_ns
    story.saga(three, feeds=IDS, case="after")
    while story.now_ns < healed_ns + watched_s * 1e9:
        passed_s = (story.now_ns + 500 * MS - healed_ns) / 1e9
        story.now_ns += 499 * MS
        gauge(story, 1.0 if passed_s >= drained_after_s else 9.0)
    return story


def cut(story: Story, *phases: str, fault_id: str = "cut/1", target: str = "worker-engine") -> None:
    """Phases of a fault."""
    for phase in phases:
        if phase != "healed" or not story.all(Fault, phase="healed", fault_id=fault_id):
            story.add(
                Fault(**story.at(), fault_id=fault_id, name="link_cut", target=target, phase=phase)
            )


def gauge(story: Story, value: float) -> None:
    """How many sagas are open."""
    story.add(Gauge(**story.at(), name="open_sagas", value=value))


def test_a_partition_that_loses_nothing_passes() -> None:
    """With what was under way and how long the backlog took."""
    verdict = partition().judge(DUR_2)
    assert verdict.outcome is Outcome.PASS, verdict.reason
    assert verdict.figures["in_flight_at_cut"] == {"cut/1": 1}
    assert 3.5 <= verdict.figures["drained_after_s"]["cut/1"] <= 4.5


@pytest.mark.parametrize("missing", ["injected", "bit", "healed"])
def test_a_fault_without_evidence_of_a_phase_is_inconclusive(missing: str) -> None:
    """A cut that did not bite proves nothing."""
    story = partition()
    story.drop(Fault, phase=missing)
    assert f"no evidence that it {missing}" in lacks(story, DUR_2)


def test_faults_of_other_links_are_no_partition() -> None:
    """Only the workers' link counts."""
    story = partition()
    story.set(Fault, {"target": "pdp"})
    assert "no partition" in lacks(story, DUR_2)


def test_an_acknowledged_saga_without_a_history_is_lost() -> None:
    """The witness names it."""
    story = partition()
    story.runs = [run for run in story.runs if run.workflow_id != "wf-after"]
    assert "wf-after" in clause(story, DUR_2, "acknowledged and lost")


def test_a_start_that_was_not_acknowledged_may_be_lost() -> None:
    """Nobody was promised anything."""
    story = partition()
    story.runs = [run for run in story.runs if run.workflow_id != "wf-after"]
    story.set(Operation, {"ending": Ending.INFO}, workflow_id="wf-after")
    assert story.judge(DUR_2).outcome is Outcome.PASS


def test_an_acknowledged_saga_must_have_ended() -> None:
    """And the run that it continued as."""
    story = partition()
    story.runs[-1].events.pop()
    assert "has not ended" in clause(story, DUR_2, "not ended")


@pytest.mark.parametrize(("following", "name"), [("run-1", None), ("x", "acknowledged and lost")])
def test_a_continued_run_is_followed_to_its_end(following: str, name: str | None) -> None:
    """A link that is not recorded is a loss."""
    story = partition()
    run = story.runs[-1]
    run.events.pop()
    story.event(run, "WORKFLOW_EXECUTION_CONTINUED_AS_NEW", newExecutionRunId=following)
    if name:
        clause(story, DUR_2, name)
    else:
        assert story.judge(DUR_2).outcome is Outcome.PASS


def test_an_open_saga_was_under_way_as_well() -> None:
    """Though it has not ended, which is a failure."""
    story = partition()
    across = next(run for run in story.runs if run.workflow_id == "wf-across")
    across.events.pop()
    verdict = story.judge(DUR_2)
    assert verdict.reason == "1 not ended"
    assert verdict.figures["in_flight_at_cut"] == {"cut/1": 1}


def test_an_effect_that_was_applied_twice_fails() -> None:
    """Retries across the cut are suppressed by their key."""
    story = partition()
    (effect,) = story.all(Effect, saga_id="s-across", step=0)
    story.add(type(effect)(**{f: getattr(effect, f) for f in effect.__struct_fields__}))
    clause(story, DUR_2, "applied more than once")


def test_a_saga_must_have_been_under_way() -> None:
    """Else nothing was at stake."""
    story = partition()
    across = next(run for run in story.runs if run.workflow_id == "wf-across")
    end = across.events.pop()
    story.now_ns, now_ns = story.all(Fault, phase="injected")[0].at_ns - 10 * MS, story.now_ns
    story.event(across, end["eventType"].removeprefix("EVENT_TYPE_"))
    story.now_ns = now_ns
    assert "under way" in lacks(story, DUR_2)


@pytest.mark.parametrize(("late_ns", "outcome"), [(0, Outcome.PASS), (1, Outcome.FAIL)])
def test_the_backlog_must_be_drained_in_time(late_ns: int, outcome: Outcome) -> None:
    """Thirty seconds, if nothing else is declared, and not a nanosecond more."""
    story = partition(drained_after_s=99)
    (healed,) = story.all(Fault, phase="healed")
    drained_ns = healed.at_ns + 30 * 10**9 + late_ns
    story.add(Gauge(at_ns=drained_ns, wall_ns=0, name="open_sagas", value=1.0))
    assert story.judge(DUR_2).outcome is outcome
    assert story.judge(DUR_2, recover_within_s=31).outcome is Outcome.PASS
    clause(story, DUR_2, "backlog not drained", recover_within_s=29)


def test_a_backlog_that_is_never_drained_fails() -> None:
    """It was watched for long enough."""
    story = partition(drained_after_s=99)
    assert "never" in clause(story, DUR_2, "backlog not drained")


def test_a_backlog_that_nobody_watched_long_enough_is_inconclusive() -> None:
    """It may have been drained later."""
    assert "not gauged for 30 s" in lacks(partition(drained_after_s=99, watched_s=20), DUR_2)


def test_a_level_of_before_must_be_known() -> None:
    """Else there is nothing to come back to."""
    story = partition()
    story.drop(Gauge, at_ns=story.all(Gauge)[0].at_ns)
    assert "before the first cut" in lacks(story, DUR_2)


def test_the_level_is_that_before_the_first_cut() -> None:
    """A backlog left by one cut is no level for the next."""
    story = partition(drained_after_s=99, watched_s=5)
    cut(story, "injected", "bit", fault_id="cut/2")
    story.passes(1000)
    cut(story, "healed", fault_id="cut/2")
    for _ in range(90):
        story.passes(499)
        gauge(story, 9.0)
    assert story.judge(DUR_2).outcome is Outcome.FAIL
