"""DUR-8 counts attempts, compares what was scheduled with the program, and times the timeouts."""

from __future__ import annotations

from typing import Any

import pytest

from harness.checks.durability import CHECKS
from harness.contract.program import Behaviour, Retry, Step, step
from harness.journal.records import Ending, Operation
from harness.outcome import Outcome
from tests.unit.journals import EPOCH_NS, MS, Event, Story, Told, timestamp

DUR_8 = next(check for check in CHECKS if check.id == "DUR-8")
ASKED = {
    "schedule_to_start": 500,
    "start_to_close": 500,
    "schedule_to_close": 500,
    "heartbeat": 500,
}
SKEW_MS = 1000
FIELD = "activityTaskScheduledEventAttributes"


def configured(node: Step, direction: str) -> dict[str, Any]:
    """What the contract has an activity scheduled with."""
    forward = direction == "forward"
    retry = node.retry if forward else Retry(max_attempts=10)
    heartbeat = {"heartbeatTimeout": f"{node.heartbeat_ms / 1000}s"} if forward else {}
    return {
        "scheduleToCloseTimeout": "60s",
        "startToCloseTimeout": f"{node.start_to_close_ms / 1000 if forward else 10}s",
        **heartbeat,
        "retryPolicy": {
            "initialInterval": f"{retry.initial_ms / 1000}s",
            "backoffCoefficient": retry.coefficient,
            "maximumInterval": f"{retry.max_interval_ms / 1000}s",
            "maximumAttempts": retry.max_attempts,
        },
    }


def saga(story: Story, node: Step, outcomes: list[str], case: str) -> Told:
    """One step, driven for it, scheduled as configured."""
    told = story.saga([node], feeds=["DUR-8"], case=case, plan={(0, "forward"): outcomes})
    for event in scheduled(told.run):
        event[FIELD] |= configured(node, "forward")
    return told.run


def scheduled(run: Told) -> list[Event]:
    return [event for event in run.events if FIELD in event]


def timeouts(story: Story, **changed: tuple[str, float]) -> None:
    """A probe's run into the four; `changed` says which one fired instead, and after how long."""
    run = Told("alpha", "probe", "run-probe")
    story.runs.append(run)
    story.event(run, "WORKFLOW_EXECUTION_STARTED")
    began_ns = story.now_ns
    for name in ASKED:
        kind, after_ms = changed.get(name, (name, 500.0))
        at = timestamp(EPOCH_NS + began_ns)
        event = story.event(run, "ACTIVITY_TASK_SCHEDULED", activityId=name)
        event["eventTime"] = at
        ids = {"scheduledEventId": event["eventId"]}
        story.event(run, "ACTIVITY_TASK_STARTED", **ids)["eventTime"] = at
        if kind:
            info = {"timeoutFailureInfo": {"timeoutType": f"TIMEOUT_TYPE_{kind.upper()}"}}
            ended = story.event(run, "ACTIVITY_TASK_TIMED_OUT", failure=info, **ids)
            ended["eventTime"] = timestamp(EPOCH_NS + began_ns + int(after_ms * MS))
    story.add(
        Operation(
            **story.at(), name="timeouts-asked", tenant="alpha", workflow_id="probe",
            run_id="run-probe", ending=Ending.OK, status="OK", invoked_ns=0, args=dict(ASKED),
        )
    )  # fmt: skip


def limits(**changed: tuple[str, float]) -> Story:
    story = Story()
    never = Behaviour(fail=99)
    for most in (1, 2, 4):
        node = step(0, "r", retry=Retry(max_attempts=most), behaviour=never)
        saga(story, node, ["fail"] * most, f"most-{most}")
    once_more = step(0, "r", retry=Retry(max_attempts=3), behaviour=Behaviour(fail=2))
    saga(story, once_more, ["fail", "fail", "ok"], "last")
    saga(story, step(0, "r"), ["deny"], "denied")
    saga(story, step(0, "r"), ["refuse"], "refused")
    rejected = saga(story, step(0, "r"), ["refuse"], "rejected")
    for event in rejected.events:
        failure = event.get("activityTaskFailedEventAttributes", {}).get("failure")
        if failure:
            failure["applicationFailureInfo"]["type"] = "ServiceRejected"
    timeouts(story, **changed)
    return story


def judged(story: Story) -> Any:
    return story.judge(DUR_8, timer_skew_ms=SKEW_MS)


def failing(story: Story) -> list[str]:
    return [each.name for each in judged(story).clauses if each.outcome is Outcome.FAIL]


def run_of(story: Story, case: str) -> Told:
    return next(run for run in story.runs if run.workflow_id == f"wf-{case}")


def test_limits_that_hold_pass() -> None:
    verdict = judged(limits())
    assert verdict.outcome is Outcome.PASS, verdict.reason
    assert verdict.figures["limits_run_into"] == [1, 2, 4]
    assert len(verdict.figures["timeouts"]) == 4


@pytest.mark.parametrize("attempts", [3, 5])
def test_another_number_of_attempts_than_the_policy_s_fails(attempts: int) -> None:
    story = limits()
    (started,) = [
        event["activityTaskStartedEventAttributes"]
        for event in run_of(story, "most-4").events
        if "activityTaskStartedEventAttributes" in event
    ]
    started["attempt"] = attempts
    assert failing(story) == ["wrong number of attempts"]


def test_a_step_that_was_given_up_before_its_last_attempt_fails() -> None:
    story = limits()
    node = step(0, "r", retry=Retry(max_attempts=3), behaviour=Behaviour(fail=2))
    saga(story, node, ["fail", "fail"], "given-up")
    assert failing(story) == ["wrong number of attempts"]


@pytest.mark.parametrize("outcomes", [["deny", "deny"], ["refuse", "refuse"]])
def test_what_is_final_and_tried_again_fails(outcomes: list[str]) -> None:
    story = limits()
    saga(story, step(0, "r"), outcomes, "again")
    assert failing(story) == ["retried though final"]


@pytest.mark.parametrize(
    "changed",
    [
        {"scheduleToCloseTimeout": "61s"},
        {"startToCloseTimeout": "0.500s"},
        {"heartbeatTimeout": "5s"},
        {"retryPolicy": {"initialInterval": "0.2s", "backoffCoefficient": 2}},
        {"retryPolicy": {}},
    ],
)
def test_an_activity_that_is_not_scheduled_as_configured_fails(changed: dict[str, Any]) -> None:
    story = limits()
    scheduled(run_of(story, "denied"))[0][FIELD] |= changed
    assert failing(story) == ["not as configured"]


def test_the_engine_cuts_timeouts_to_the_run_s() -> None:
    story = limits()
    run = run_of(story, "denied")
    run.events[0]["workflowExecutionStartedEventAttributes"]["workflowRunTimeout"] = "8s"
    cut = {"scheduleToCloseTimeout": "8s", "startToCloseTimeout": "8s"}
    scheduled(run)[0][FIELD] |= cut
    assert failing(story) == []


@pytest.mark.parametrize("name", ASKED)
def test_a_timeout_that_does_not_fire_fails(name: str) -> None:
    assert failing(limits(**{name: ("", 0)})) == ["timeout did not fire"]


def test_another_timeout_in_its_place_fails() -> None:
    story = limits(heartbeat=("start_to_close", 500.0))
    assert failing(story) == ["timeout did not fire"]


@pytest.mark.parametrize(
    ("after_ms", "expected"),
    [
        (480, []),
        (479, ["timeout not in time"]),
        (1500, []),
        (1501, []),
    ],
)
def test_a_timeout_does_not_fire_before_it_is_due(after_ms: float, expected: list[str]) -> None:
    assert failing(limits(start_to_close=("start_to_close", after_ms))) == expected


@pytest.mark.parametrize(
    ("late", "after_ms", "expected"),
    [(4, 1500, []), (3, 1501, ["timeout not in time"]), (2, 1501, [])],
)
def test_timeouts_are_late_when_most_are(late: int, after_ms: float, expected: list[str]) -> None:
    """Of a single one the machine may have been the reason."""
    story = limits(**{name: (name, after_ms) for name in list(ASKED)[:late]})
    assert failing(story) == expected
    assert ("busy machine" in judged(story).reason) == (late == 2)


def test_without_the_timeouts_it_is_inconclusive() -> None:
    story = limits()
    story.drop(Operation, name="timeouts-asked")
    assert "heartbeat was not run into" in judged(story).reason
    assert judged(story).outcome is Outcome.INCONCLUSIVE


def test_nothing_recorded_is_inconclusive() -> None:
    assert judged(Story()).outcome is Outcome.INCONCLUSIVE


def test_a_final_no_after_an_attempt_that_the_pdp_did_not_answer_is_said_once() -> None:
    """A busy machine may cost an attempt: what is final was not tried again."""
    story = limits()
    saga(story, step(0, "r"), ["FM-20", "refuse"], "after-an-outage")
    assert failing(story) == []
