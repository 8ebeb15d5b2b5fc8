"""DUR-1 compares a disturbed saga with its undisturbed twin; DUR-9 counts what was acknowledged."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from harness.checks.durability import CHECKS
from harness.contract.program import Node, Timer, step
from harness.journal.records import Effect, Ending, Operation, Process, Program, Tapped
from harness.outcome import Outcome
from tests.unit.journals import EPOCH_NS, Story, Told, payloads

DUR_1, DUR_9 = (next(c for c in CHECKS if c.id == each) for each in ("DUR-1", "DUR-9"))
NODES: list[Node] = [step(0, "r"), Timer(duration_ms=5), step(1, "r")]


def process(story: Story, event: str, group: str = "boundary", wall_ns: int = 0) -> None:
    times = story.at()
    if wall_ns:
        times["wall_ns"] = wall_ns
    story.add(Process(**times, role="worker", group=group, pid=1, event=event))


def failing(verdict: Any) -> list[str]:
    return [each.name for each in verdict.clauses if each.outcome is Outcome.FAIL]


# --- DUR-1


def disturbed(boundaries: int = 15, twins: int = 2) -> Story:
    """A twin in each of some cases, and sagas of another group that one kill catches.

    The kill falls after the n-th of filler events of different kinds in the n-th of them.
    """
    story = Story()
    for number in range(twins):
        story.saga(NODES, feeds=["DUR-1"], case=f"twin-{number}")
    kinds = ("MARKER_RECORDED", "TIMER_FIRED", "WORKFLOW_TASK_STARTED", "WORKFLOW_TASK_COMPLETED")
    killed_ns = story.wall_ns + 10**10
    for number in range(boundaries):
        told = story.saga(NODES, feeds=["DUR-1"], case=f"killed-{number}", group="boundary")
        events = told.run.events
        last = events.pop()
        for _ in range(number + 1):
            story.event(told.run, kinds[number % len(kinds)])
        at = story.now_ns
        story.now_ns = killed_ns - EPOCH_NS
        story.event(told.run, "WORKFLOW_TASK_COMPLETED")
        events.append({**last, "eventId": "99", "eventTime": events[-1]["eventTime"]})
        story.now_ns = at
    process(story, "killed", wall_ns=killed_ns)
    return story


def run_of(story: Story, case: str) -> Told:
    return next(run for run in story.runs if run.workflow_id == f"wf-{case}")


def test_sagas_that_go_on_as_their_twins_pass() -> None:
    verdict = disturbed().judge(DUR_1)
    assert verdict.outcome is Outcome.PASS, verdict.reason
    assert verdict.figures["boundaries_hit"] == 15
    assert verdict.figures["boundaries"][0]["run"] == 1


@pytest.mark.parametrize(
    ("boundaries", "twins", "missing"),
    [(7, 2, "died at 7 boundaries"), (15, 0, "nothing to compare with")],
)
def test_what_lacks_is_named(boundaries: int, twins: int, missing: str) -> None:
    verdict = disturbed(boundaries, twins).judge(DUR_1)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert missing in verdict.reason


def test_nothing_recorded_is_inconclusive() -> None:
    assert Story().judge(DUR_1).outcome is Outcome.INCONCLUSIVE
    assert Story().judge(DUR_9).outcome is Outcome.INCONCLUSIVE


def test_a_saga_that_had_ended_before_the_kill_was_not_disturbed() -> None:
    story = disturbed()
    early = {"wall_ns": story.wall_ns + 10**12}
    story.set(Process, early, event="killed")
    assert "died at 0 boundaries" in story.judge(DUR_1).reason


def test_another_end_than_the_twin_s_fails() -> None:
    story = disturbed()
    run_of(story, "killed-3").events[-1]["eventType"] = "EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED"
    assert failing(story.judge(DUR_1)) == ["another end"]


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [("by parent close policy", Outcome.INCONCLUSIVE), ("somebody did", Outcome.FAIL)],
)
def test_a_child_that_ended_with_its_parent_s_time_had_no_end_of_its_own(
    reason: str, outcome: Outcome
) -> None:
    story = disturbed()
    run = run_of(story, "killed-3")
    story.event(run, "WORKFLOW_TASK_SCHEDULED")  # it was at work
    run.events[-1], run.events[-2] = run.events[-2], run.events[-1]
    last = run.events[-1]
    last["eventType"] = "EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED"
    last["workflowExecutionTerminatedEventAttributes"] = {"reason": reason}
    last.pop("workflowExecutionCompletedEventAttributes", None)
    assert story.judge(DUR_1).outcome is outcome


def test_one_that_waits_for_nothing_until_its_time_is_over_fails() -> None:
    story = disturbed()
    run = run_of(story, "killed-3")
    run.events = [e for e in run.events if "TIMER" not in e["eventType"]]
    run.events = [e for e in run.events if "WORKFLOW_TASK" not in e["eventType"]]
    run.events[-1]["eventType"] = "EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT"
    assert failing(story.judge(DUR_1)) == ["another end"]


@pytest.mark.parametrize(
    "open_", ["WORKFLOW_TASK_SCHEDULED", "START_CHILD_WORKFLOW_EXECUTION_INITIATED"]
)
def test_one_that_was_still_at_work_when_its_time_was_over_is_unclear(open_: str) -> None:
    story = disturbed()
    run = run_of(story, "killed-3")
    run.events[-1]["eventType"] = "EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT"
    run.events[-2]["eventType"] = f"EVENT_TYPE_{open_}"
    run.events = [e for e in run.events if "WORKFLOW_TASK_COMPLETED" not in e["eventType"]]
    run.events = [e for e in run.events if "TIMER_FIRED" not in e["eventType"]]
    verdict = story.judge(DUR_1)
    assert failing(verdict) == []
    assert "worked still" in verdict.reason


@pytest.mark.parametrize(
    ("cause", "expected"), [("FORCE_CLOSE_COMMAND", []), ("UNSPECIFIED", ["another end"])]
)
def test_a_task_that_the_engine_cut_off_was_at_work(cause: str, expected: list[str]) -> None:
    """When the time of its run was over; one that failed by its code is tried for ever."""
    story = disturbed()
    run = run_of(story, "killed-3")
    last = run.events.pop()
    story.event(run, "WORKFLOW_TASK_FAILED", cause=f"WORKFLOW_TASK_FAILED_CAUSE_{cause}")
    run.events.append({**last, "eventType": "EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT"})
    assert failing(story.judge(DUR_1)) == expected


def _says(run: Told, signals: list[str], reference: str = "x") -> None:
    """What a run completes with."""
    steps = [{"step": 0, "result": {"reference": reference, "applied": 1}}]
    result = payloads({"steps": steps, "signals": signals})
    run.events[-1]["workflowExecutionCompletedEventAttributes"] = {"result": result}


def test_another_result_than_the_twin_s_fails_but_for_references() -> None:
    story = disturbed()
    for run in story.runs:
        _says(run, [], reference=run.run_id)
    assert failing(story.judge(DUR_1)) == []
    _says(run_of(story, "killed-5"), ["twice"])
    assert failing(story.judge(DUR_1)) == ["another result"]


@pytest.mark.parametrize("change", ["missing", "twice", "order"])
def test_other_effects_than_the_twin_s_fail(change: str) -> None:
    story = disturbed()
    where = {"saga_id": "s-killed-5", "step": 0}
    (first,) = story.all(Effect, **where)
    if change == "missing":
        story.drop(Effect, **where)
    elif change == "twice":
        story.add(first)
    else:
        story.set(Effect, {"applied_ns": story.now_ns}, **where)
    assert failing(story.judge(DUR_1)) == ["other effects"]


def test_twins_that_differ_among_themselves_prove_nothing() -> None:
    story = disturbed()
    story.drop(Effect, saga_id="s-twin-1", step=0)
    verdict = story.judge(DUR_1)
    assert "of one shape went differently" in verdict.reason


# --- DUR-9


def _tell(story: Story, run: Told, name: str, *, what: str = "signal", recorded: int = 1) -> None:
    """A message that was acknowledged, recorded so often."""
    story.add(
        Operation(
            **story.at(), name=what, tenant="alpha", workflow_id=run.workflow_id,
            ending=Ending.OK, status="OK", invoked_ns=story.now_ns, args={"id": name},
        )
    )  # fmt: skip
    last = run.events.pop()
    for _ in range(recorded):
        if what == "signal":
            story.event(run, "WORKFLOW_EXECUTION_SIGNALED", input=payloads({"id": name}))
        else:
            meta = {"updateId": name}
            story.event(run, "WORKFLOW_EXECUTION_UPDATE_ACCEPTED", acceptedRequest={"meta": meta})
            story.event(run, "WORKFLOW_EXECUTION_UPDATE_COMPLETED", meta=meta)
    run.events.append({**last, "eventId": str(len(run.events) + 1)})


def told(down: int = 4, bitten: bool = True) -> Story:
    """A saga that was told things, most while its worker was down."""
    story = Story()
    run = story.saga([step(0, "r")], feeds=["DUR-9"], case="told", group="boundary").run
    _tell(story, run, "early")
    _tell(story, run, "note", what="update")
    process(story, "killed")
    for number in range(down):
        _tell(story, run, f"down-{number}")
    process(story, "ready")
    _says(run, ["early", *(f"down-{number}" for number in range(down))])
    if bitten:
        story.add(
            Tapped(
                **story.at(), rule="r", link="starter", method="SignalWorkflowExecution", number=1,
                action="lose-answer", status="UNAVAILABLE", request_bytes=1, received_ns=1,
            )
        )  # fmt: skip
    return story


def test_what_was_acknowledged_recorded_and_handled_passes() -> None:
    verdict = told().judge(DUR_9)
    assert verdict.outcome is Outcome.PASS, verdict.reason
    assert verdict.figures["while_a_worker_was_down"] == {"signal": 4}


@pytest.mark.parametrize(
    ("down", "bitten", "missing"), [(3, True, "3 signals"), (4, False, "no answer was lost")]
)
def test_without_faults_it_is_inconclusive(down: int, bitten: bool, missing: str) -> None:
    verdict = told(down, bitten).judge(DUR_9)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert missing in verdict.reason


@pytest.mark.parametrize("what", ["signal", "update"])
@pytest.mark.parametrize(
    ("recorded", "clause"), [(0, "acknowledged and lost"), (2, "recorded twice")]
)
def test_a_message_that_is_not_there_once_fails(what: str, recorded: int, clause: str) -> None:
    story = told()
    run = run_of(story, "told")
    _tell(story, run, "early" if what == "signal" and recorded == 2 else "x", what=what,
          recorded=recorded)  # fmt: skip
    if recorded == 2 and what == "signal":
        assert clause in failing(story.judge(DUR_9))
    else:
        assert failing(story.judge(DUR_9))[0] == clause


def test_one_whose_fate_is_open_may_be_there_once_more() -> None:
    story = told()
    run = run_of(story, "told")
    _tell(story, run, "early", recorded=2)
    story.add(
        Operation(
            **story.at(), name="signal", tenant="alpha", workflow_id=run.workflow_id,
            ending=Ending.INFO, status="UNAVAILABLE", invoked_ns=1, args={"id": "early"},
        )
    )  # fmt: skip
    assert failing(story.judge(DUR_9)) == []


def test_a_signal_that_a_completed_saga_does_not_name_fails() -> None:
    story = told()
    _says(run_of(story, "told"), ["early"])
    assert failing(story.judge(DUR_9)) == ["recorded, not handled"]


def test_an_update_that_was_accepted_and_never_completed_fails() -> None:
    story = told()
    run = run_of(story, "told")
    run.events = [e for e in run.events if "UPDATE_COMPLETED" not in e["eventType"]]
    assert failing(story.judge(DUR_9)) == ["recorded, not handled"]


def test_messages_to_a_saga_that_was_delivered_again_are_judged_too() -> None:
    story = told()
    delivered = next(each for each in story.records if isinstance(each, Program))
    story.add(msgspec.structs.replace(delivered, workflow_id="wf-told~again"))
    _tell(story, run_of(story, "told"), "lost", recorded=0)
    assert "acknowledged and lost" in failing(story.judge(DUR_9))


def test_messages_to_what_is_no_saga_are_not_judged() -> None:
    story = told()
    _tell(story, run_of(story, "told"), "lost", recorded=0)
    story.set(Program, {"workflow_id": "other"}, case="told")
    assert failing(story.judge(DUR_9)) == []
