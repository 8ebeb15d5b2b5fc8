"""The checks of idempotency pass where duplicates were provoked and suppressed, and only there."""

from __future__ import annotations

from typing import Any

import pytest

from harness.checks.check import Check
from harness.checks.idempotency import CHECKS
from harness.checks.idempotency.starts import (
    CONFLICT,
    EACH,
    EXPECTED,
    GRID,
    INVALID,
    ONE,
    ONE_SHARED,
    REFUSE,
    REPEATED,
    REUSE,
    STATES,
    Cell,
)
from harness.contract.program import ContinueAsNew, step
from harness.journal.records import Disposition, Effect, Ending, Operation, Program
from harness.outcome import Outcome
from tests.unit.journals import Story, payloads

BY_ID = {check.id: check for check in CHECKS}
IDEM_1, IDEM_4, IDEM_6, IDEM_8 = (BY_ID[f"INV-IDEM-{n}"] for n in (1, 4, 6, 8))
LEDGER = (IDEM_1, IDEM_4, IDEM_8)
IDS = tuple(BY_ID)
FORWARD = {"saga_id": "s-there", "step": 0, "direction": "forward"}
BACK = {"saga_id": "s-back", "step": 0, "direction": "compensation"}


def told() -> Story:
    """A lost answer on the way there and on the way back, and a saga that continues as new."""
    story = Story()
    lost = ["lost", "lost", "ok"]
    plan = {(0, "forward"): lost, (1, "forward"): ["fail", "ok"]}
    story.saga([step(0, "r"), step(1, "r")], feeds=IDS, case="there", plan=plan)
    story.saga(
        [step(2, "r"), step(3, "r")],
        feeds=IDS,
        case="back",
        plan={(1, "forward"): ["refuse"], (0, "compensation"): lost},
    )
    story.saga([step(0, "r"), ContinueAsNew(), step(1, "r")], feeds=IDS, case="continued")
    return story


def clause(story: Story, check: Check, name: str) -> str:
    """The reason of the only clause that fails."""
    verdict = story.judge(check)
    failing = [c for c in verdict.clauses if c.outcome is Outcome.FAIL]
    assert [c.name for c in failing] == [name], verdict.reason
    assert verdict.witnesses
    return failing[0].reason


def lacks(story: Story, check: Check) -> str:
    """The reason of an inconclusive verdict."""
    verdict = story.judge(check)
    assert verdict.outcome is Outcome.INCONCLUSIVE, verdict.reason
    return verdict.reason


@pytest.mark.parametrize("check", LEDGER, ids=lambda check: check.id)
def test_suppressed_duplicates_pass(check: Check) -> None:
    """And the verdict says how many there were."""
    verdict = told().judge(check)
    assert verdict.outcome is Outcome.PASS, verdict.reason
    assert any(character.isdigit() for character in verdict.reason)


@pytest.mark.parametrize("check", CHECKS, ids=IDS)
def test_nothing_recorded_is_inconclusive(check: Check) -> None:
    """An empty journal proves nothing."""
    lacks(Story(), check)


@pytest.mark.parametrize("check", LEDGER, ids=lambda check: check.id)
def test_what_was_not_driven_for_it_is_inconclusive(check: Check) -> None:
    """Duplicates of other sagas do not suffice."""
    story = told()
    story.set(Program, {"feeds": ["OTHER"]})
    assert "no saga was driven" in lacks(story, check)


# --- INV-IDEM-1


def test_an_effect_applied_by_two_attempts_fails() -> None:
    """The witness names both."""
    story = told()
    story.change(
        Effect,
        lambda e: {"disposition": Disposition.APPLIED, "applied_ns": e.received_ns},
        **FORWARD,
        attempt=2,
    )
    reason = clause(story, IDEM_1, "applied more than once")
    assert "attempt 1" in reason
    assert "attempt 2" in reason


@pytest.mark.parametrize("other", [{"run_id": "run-x"}, {"workflow_id": "wf-x"}, {"attempt": 1}])
def test_an_effect_is_one_whatever_run_or_workflow_asks_for_it(other: dict[str, Any]) -> None:
    """Tenant, saga, step and direction are all that it is told by."""
    story = told()
    story.change(
        Effect,
        lambda e: {**other, "disposition": Disposition.APPLIED, "applied_ns": e.received_ns},
        **FORWARD,
        attempt=3,
    )
    clause(story, IDEM_1, "applied more than once")


def test_the_same_saga_of_two_tenants_has_two_effects() -> None:
    """Twins are no duplicates."""
    story = told()
    story.saga(
        [step(0, "r")], feeds=IDS, case="there", tenant="beta", plan={(0, "forward"): ["ok"]}
    )
    assert story.judge(IDEM_1).outcome is Outcome.PASS


def test_a_completed_saga_has_applied_every_step() -> None:
    """A retry that takes the effect for granted leaves none."""
    story = told()
    story.drop(Effect, saga_id="s-there", step=1)
    assert "step 1 was never applied" in clause(story, IDEM_1, "completed without its effect")


@pytest.mark.parametrize(("where", "missing"), [(FORWARD, "forward"), (BACK, "compensation")])
def test_duplicates_must_have_been_provoked_both_ways(where: dict[str, Any], missing: str) -> None:
    """Without one there is nothing that could have been applied twice."""
    story = told()
    story.drop(Effect, **where, attempt=2)
    story.drop(Effect, **where, attempt=3)
    assert f"no {missing} duplicate" in lacks(story, IDEM_1)


@pytest.mark.parametrize("where", [FORWARD, BACK])
def test_one_suppressed_duplicate_each_way_is_enough(where: dict[str, Any]) -> None:
    """The second request shows it."""
    story = told()
    story.drop(Effect, **where, attempt=3)
    assert story.judge(IDEM_1).outcome is Outcome.PASS


def test_duplicates_of_other_sagas_are_judged_and_do_not_count() -> None:
    """Only what was driven for it was meant to provoke them."""
    story = told()
    story.set(Program, {"feeds": ["OTHER"]}, saga_id="s-there")
    story.set(Program, {"feeds": ["OTHER"]}, saga_id="s-back")
    assert "no forward duplicate" in lacks(story, IDEM_1)
    assert "suppressed" in lacks(story, IDEM_8)
    story.set(Effect, {"disposition": Disposition.APPLIED}, **FORWARD)
    clause(story, IDEM_1, "applied more than once")


def test_failed_requests_are_no_duplicates() -> None:
    """Nothing had been applied when the next one came."""
    story = Story()
    plan = {(0, "forward"): ["fail", "ok"], (1, "forward"): ["refuse"]}
    story.saga([step(0, "r"), step(1, "r")], feeds=IDS, plan=plan)
    assert "no forward duplicate" in lacks(story, IDEM_1)


# --- INV-IDEM-4


def test_a_key_that_follows_the_attempt_fails() -> None:
    """The witness shows the keys by attempt."""
    story = told()
    story.change(Effect, lambda e: {"idempotency_key": f"k{e.attempt}"}, **FORWARD)
    assert "attempt 2 of run run-1: k2" in clause(story, IDEM_4, "key changes")


def test_a_key_made_from_the_run_is_not_the_contracts() -> None:
    """Though all attempts of that run share it."""
    story = told()
    story.set(Effect, {"idempotency_key": "run-1:0"}, **FORWARD)
    assert "'s-there:0:forward'" in clause(story, IDEM_4, "key is not the contract's")


def test_two_effects_must_not_share_a_key() -> None:
    """Within a tenant; another tenant may have the same."""
    story = told()
    story.set(Effect, {"idempotency_key": "s-there:0:forward"}, saga_id="s-there", step=1)
    verdict = story.judge(IDEM_4)
    assert verdict.reason == "1 key is not the contract's, 1 key is shared"


def test_a_key_must_have_been_seen_twice() -> None:
    """Single requests say nothing of a key's stability."""
    story = told()
    story.drop(Effect, attempt=2)
    story.drop(Effect, attempt=3)
    assert "second attempt" in lacks(story, IDEM_4)


def test_a_saga_that_continues_must_be_seen_in_its_next_run() -> None:
    """Where one was driven; otherwise it is not asked for."""
    story = told()
    story.drop(Effect, saga_id="s-continued", step=2)
    assert "second run" in lacks(story, IDEM_4)
    story.drop(Program, saga_id="s-continued")
    assert story.judge(IDEM_4).outcome is Outcome.PASS


# --- INV-IDEM-8


def test_a_duplicate_with_another_result_fails() -> None:
    """The first answer must be given again."""
    story = told()
    story.set(Effect, {"result_sha256": "0" * 64}, **BACK, attempt=2)
    assert "s-back step 0" in clause(story, IDEM_8, "duplicate answered differently")


def test_a_result_in_the_history_must_be_the_services() -> None:
    """Unchanged; the witness leads to the history."""
    story = told()
    for event in story.runs[0].events:
        if event["eventType"].endswith("ACTIVITY_TASK_COMPLETED"):
            result = payloads({"result": {"reference": "made up"}})
            event["activityTaskCompletedEventAttributes"]["result"] = result
            break
    assert "rms.reserve" in clause(story, IDEM_8, "result differs from the service's")
    assert story.judge(IDEM_8).witnesses[0].path.startswith("histories/")


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([(0, {"reference": "made up"}), (1, None)], "answers with another result of step 0"),
        ([(1, None), (0, None)], "answers for steps [1, 0], not [0, 1]"),
        ([(0, None)], "answers for steps [0], not [0, 1]"),
        ([], "answers for steps [], not [0, 1]"),
    ],
)
def test_a_completed_run_answers_with_the_services_results(
    steps: list[tuple[int, Any]], said: str
) -> None:
    """Of every step, in order."""
    story = told()
    saga = story.saga([step(0, "a"), step(1, "b")], feeds=IDS)
    answer = [{"step": n, "result": other or saga.results[n]} for n, other in steps]
    ended = saga.run.events[-1]["workflowExecutionCompletedEventAttributes"]
    ended["result"] = payloads({"steps": answer})
    assert said in clause(story, IDEM_8, "result differs from the service's")


@pytest.mark.parametrize("applied", [1, 1.0])
def test_one_and_one_point_zero_are_the_same_result(applied: float) -> None:
    """So the contract says of numbers."""
    story = told()
    for run in story.runs:
        for event in run.events:
            if event["eventType"].endswith("ACTIVITY_TASK_COMPLETED"):
                where = event["activityTaskCompletedEventAttributes"]
                scheduled = run.events[int(where["scheduledEventId"]) - 1]
                name = scheduled["activityTaskScheduledEventAttributes"]["activityType"]["name"]
                saga = run.workflow_id.replace("wf-", "s-")
                body = {"applied": applied, "reference": f"{name}-{saga}", "amount": "1"}
                where["result"] = payloads({"result": body})
    assert story.judge(IDEM_8).outcome is Outcome.PASS


def test_without_a_suppressed_duplicate_that_completed_it_is_inconclusive() -> None:
    """Equal results of single requests are no evidence."""
    story = Story()
    story.saga([step(0, "r")], feeds=IDS)
    assert "suppressed" in lacks(story, IDEM_8)


# --- INV-IDEM-6

Starts = list[tuple[str, str]]  # status, run id
REFUSED = ("WorkflowAlreadyStartedError", "")
INVALID_ARGUMENT = ("INVALID_ARGUMENT", "")
SOUND: dict[Any, Starts] = {
    REFUSE: [REFUSED] * 4,
    INVALID: [INVALID_ARGUMENT] * 4,
    ONE: [("OK", "a"), *[REFUSED] * 3],
    ONE_SHARED: [("OK", "a")] * 4,
    EACH: [("OK", run) for run in "abcd"],
}


def start(story: Story, cell: Cell, answers: Starts, *, apart: bool = False) -> None:
    """Starts of one cell, at once or one after the other."""
    case = f"dedupe/{'/'.join(cell)}".rstrip("/")
    for status, run_id in answers:
        invoked_ns = story.now_ns
        times = story.at()
        if not apart:
            times = {"at_ns": times["at_ns"] + 10**9, "wall_ns": times["wall_ns"]}
        failed = Ending.INFO if status in ("TimeoutError", "UNAVAILABLE") else Ending.FAIL
        story.add(
            Operation(
                **times, name="start", case=case, tenant="alpha", workflow_id=case,
                run_id=f"{case}-{run_id}" if run_id else "", status=status,
                ending=Ending.OK if status == "OK" else failed, invoked_ns=invoked_ns,
            )
        )  # fmt: skip
    story.passes(2000)


def grid(
    changed: Cell | None = None, answers: Starts | None = None, *, apart: bool = False
) -> Story:
    """All cells, one of them with other answers, or left out."""
    story = Story()
    for cell, expected in EXPECTED.items():
        if cell != changed:
            start(story, cell, SOUND[expected])
        elif answers is not None:
            start(story, cell, answers, apart=apart)
    return story


def test_the_table_has_every_cell_of_the_grid() -> None:
    """Two states, four reuse and three conflict policies, and the repeated request."""
    assert set(EXPECTED) == set(GRID)
    assert len(GRID) == len(STATES) * len(REUSE) * len(CONFLICT) + 1


def test_starts_that_do_what_their_policies_say_pass() -> None:
    """Over the whole grid."""
    verdict = grid().judge(IDEM_6)
    assert verdict.outcome is Outcome.PASS, verdict.reason
    assert verdict.figures["cells"] == 25


def test_the_start_of_the_run_before_is_not_counted() -> None:
    """It was over when the others began."""
    story = Story()
    for cell, expected in EXPECTED.items():
        if cell[0] == "closed":
            start(story, cell, [("OK", "before")])
        start(story, cell, SOUND[expected])
    assert story.judge(IDEM_6).outcome is Outcome.PASS


WRONG: list[tuple[str, Cell, Starts, str]] = [
    ("two runs", ("running", "ALLOW_DUPLICATE", "FAIL"),
     [("OK", "a"), ("OK", "b"), REFUSED, REFUSED], "wrong number of runs"),
    ("no run", ("closed", "ALLOW_DUPLICATE", "FAIL"), [REFUSED] * 4, "wrong number of runs"),
    ("two told of one", ("running", "REJECT_DUPLICATE", "FAIL"),
     [("OK", "a"), ("OK", "a"), REFUSED, REFUSED], "wrong answer"),
    ("reuse forbidden", ("closed", "REJECT_DUPLICATE", "FAIL"),
     [("OK", "a"), *[REFUSED] * 3], "wrong number of runs"),
    ("not all served", ("running", "ALLOW_DUPLICATE", "USE_EXISTING"),
     [("OK", "a"), ("OK", "a"), REFUSED, REFUSED], "wrong answer"),
    ("one for each", REPEATED, [("OK", run) for run in "abcd"], "wrong number of runs"),
    ("taken together", ("running", "TERMINATE_IF_RUNNING", "FAIL"),
     [("OK", "a"), *[REFUSED] * 3], "wrong number of runs"),
    ("not terminated", ("running", "ALLOW_DUPLICATE", "TERMINATE_EXISTING"),
     [("OK", "a")] * 4, "wrong answer"),
    ("refused for another reason", ("closed", "REJECT_DUPLICATE", "FAIL"),
     [INVALID_ARGUMENT, *[REFUSED] * 3], "wrong answer"),
]  # fmt: skip


@pytest.mark.parametrize(("cell", "answers", "name"), [w[1:] for w in WRONG],
                         ids=[w[0] for w in WRONG])  # fmt: skip
def test_a_cell_with_other_runs_or_answers_fails(cell: Cell, answers: Starts, name: str) -> None:
    """The witness names the cell."""
    verdict = grid(cell, answers).judge(IDEM_6)
    assert verdict.outcome is Outcome.FAIL
    assert name in verdict.reason
    assert " ".join(cell).rstrip() in verdict.witnesses[0].text


def test_a_starter_that_takes_a_fresh_id_is_seen() -> None:
    """Whatever workflow id it records."""
    story = grid(("running", "ALLOW_DUPLICATE", "FAIL"), [("OK", run) for run in "abcd"])
    numbers = iter(range(100))
    story.change(
        Operation,
        lambda _: {"workflow_id": f"fresh-{next(numbers)}"},
        case="dedupe/running/ALLOW_DUPLICATE/FAIL",
    )
    clause(story, IDEM_6, "wrong number of runs")


@pytest.mark.parametrize("cell", [REPEATED, ("closed", "ALLOW_DUPLICATE", "FAIL")])
def test_a_cell_that_was_not_driven_is_inconclusive(cell: Cell) -> None:
    """And named."""
    assert "1 of 25 cells" in lacks(grid(cell), IDEM_6)


@pytest.mark.parametrize("status", ["UNAVAILABLE", "TimeoutError", "PERMISSION_DENIED"])
def test_a_start_whose_end_is_unclear_leaves_its_cell_open(status: str) -> None:
    """It may or may not have started a run."""
    cell = ("running", "ALLOW_DUPLICATE", "FAIL")
    answers = [("OK", "a"), (status, ""), REFUSED, REFUSED]
    assert status in lacks(grid(cell, answers), IDEM_6)


def test_too_many_runs_are_a_failure_whatever_else_is_unclear() -> None:
    """Two callers were told of two runs."""
    cell = ("running", "ALLOW_DUPLICATE", "FAIL")
    answers = [("OK", "a"), ("OK", "b"), ("UNAVAILABLE", ""), REFUSED]
    clause(grid(cell, answers), IDEM_6, "wrong number of runs")


def test_starts_one_after_the_other_prove_nothing() -> None:
    """They must meet."""
    cell = ("running", "ALLOW_DUPLICATE", "FAIL")
    answers = [("OK", "a"), *[REFUSED] * 3]
    assert "overlap" in lacks(grid(cell, answers, apart=True), IDEM_6)


def test_other_operations_and_unknown_cells_are_not_looked_at() -> None:
    """Runs are ended under the same cases, and a newer drive may know more cells."""
    story = grid()
    start(story, ("paused", "ALLOW_DUPLICATE", "FAIL"), [("OK", run) for run in "abcd"])
    start(story, ("running", "ALLOW_DUPLICATE", "FAIL"), [("OK", "z")] * 2)
    for late in story.all(Operation, case="dedupe/running/ALLOW_DUPLICATE/FAIL")[-2:]:
        story.set(Operation, {"name": "terminate"}, at_ns=late.at_ns)
    assert story.judge(IDEM_6).outcome is Outcome.PASS


def test_a_start_that_is_too_soon_for_a_termination_is_no_failure() -> None:
    """The engine limits how often one id may be started."""
    cell = ("running", "ALLOW_DUPLICATE", "TERMINATE_EXISTING")
    answers = [("OK", "a"), ("OK", "b"), ("RESOURCE_EXHAUSTED", ""), ("OK", "c")]
    assert grid(cell, answers).judge(IDEM_6).outcome is Outcome.PASS


def test_sagas_that_complete_and_call_nobody_fail() -> None:
    """An empty ledger is no want of evidence when the histories say that steps completed."""
    story = told()
    story.drop(Effect)
    assert "never applied" in clause(story, IDEM_1, "completed without its effect")


def test_a_saga_whose_worker_was_killed_must_have_come_to_its_end() -> None:
    """Else nothing shows that the next attempt came."""
    story = told()
    story.saga([step(0, "r")], feeds=IDS, case="killed", group="crash", end="open")
    assert "1 of 1 sagas whose worker was killed" in lacks(story, IDEM_1)


@pytest.mark.parametrize("missed", [True, False])
def test_activities_that_beat_must_have_been_given_up_by_the_engine(missed: bool) -> None:
    """A case for it alone shows nothing: the attempt may have ended in another way."""
    story = told()
    nodes = [step(0, "r", heartbeat_ms=1500)]
    beating = story.saga(nodes, feeds=IDS, case="beats", group="crash")
    if missed:
        for event in beating.run.events:
            started = event.get("activityTaskStartedEventAttributes")
            if started is not None:
                timeout = {"timeoutType": "TIMEOUT_TYPE_HEARTBEAT"}
                started["lastFailure"] = {"timeoutFailureInfo": timeout}
        assert story.judge(BY_ID["INV-IDEM-1"]).outcome is Outcome.PASS
    else:
        assert "heartbeats" in story.judge(BY_ID["INV-IDEM-1"]).reason
