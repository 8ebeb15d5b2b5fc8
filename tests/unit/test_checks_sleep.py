"""DUR-4: sleepers wake when they are due, in order, also over a restart."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from harness.checks.durability import CHECKS
from harness.contract.program import Timer, step
from harness.journal.records import Effect, Ending, Operation, Process
from harness.outcome import Outcome
from tests.unit.journals import EPOCH_NS, MS, Story, Told, timestamp

DUR_4 = next(check for check in CHECKS if check.id == "DUR-4")
DAY_MS = 86_400_000
SKEW_MS = 1000


def sleeps(story: Story, case: str, asked_ms: int, *, group: str = "sleeping") -> Told:
    """Two steps with a timer between them, which fires when it is due."""
    nodes = [step(0, "r"), Timer(duration_ms=asked_ms), step(1, "r")]
    told = story.saga(nodes, feeds=["DUR-4"], case=case, group=group).run
    slept(told, asked_ms)
    return told


def slept(told: Told, ms: float, fired: bool = True) -> None:
    """Put the timer into a history, from when its first step was done; all later is later."""
    told.events = [event for event in told.events if "TIMER" not in event["eventType"]]
    at = next(n for n, e in enumerate(told.events) if "TASK_COMPLETED" in e["eventType"]) + 1
    began_ns = EPOCH_NS + 10 * at * MS
    timers = [{"eventTime": timestamp(began_ns), "eventType": "EVENT_TYPE_TIMER_STARTED"}]
    if fired:
        ended = timestamp(began_ns + int(ms * MS))
        timers.append({"eventTime": ended, "eventType": "EVENT_TYPE_TIMER_FIRED"})
    told.events[at:at] = timers
    for number, event in enumerate(told.events, start=1):
        event["eventId"] = str(number)


def skipped(story: Story, told: Told) -> None:
    """The history was recorded on the server that skips time: as a file, not as a history."""
    story.runs.remove(told)
    raw = json.dumps({"events": told.events}).encode()
    path = f"skipped/{told.workflow_id}.json"
    story.files[path] = raw
    story.add(
        Operation(
            **story.at(), name="slept", tenant="alpha", workflow_id=told.workflow_id,
            ending=Ending.OK, status="OK", invoked_ns=0,
            result={"path": path, "sha256": hashlib.sha256(raw).hexdigest()},
        )
    )  # fmt: skip


def sleepers(
    days: tuple[int, ...] = (7, 31, 200, 366), awake_ms: float = 9000, **changed: float
) -> Story:
    """Sleeps on both servers; `changed` says how long one of so many days was instead, in ms."""
    story = Story()
    for each in days:
        told = sleeps(story, f"days-{each}", each * DAY_MS)
        slept(told, changed.get(f"days_{each}", each * DAY_MS))
        skipped(story, told)
    asleep = sleeps(story, "asleep", 9000, group="boundary")
    slept(asleep, awake_ms)
    began = next(e for e in asleep.events if e["eventType"].endswith("TIMER_STARTED"))
    killed_ns = int(began["eventTime"][17:19]) * 10**9 + 2 * 10**9
    story.add(
        Process(
            at_ns=story.now_ns, wall_ns=EPOCH_NS + killed_ns, role="worker", group="boundary",
            pid=1, event="killed",
        )
    )  # fmt: skip
    return story


def judged(story: Story) -> Any:
    return story.judge(DUR_4, timer_skew_ms=SKEW_MS)


def failing(story: Story) -> list[str]:
    return [each.name for each in judged(story).clauses if each.outcome is Outcome.FAIL]


def test_sleepers_that_wake_when_due_pass() -> None:
    verdict = judged(sleepers())
    assert verdict.outcome is Outcome.PASS, verdict.reason
    assert [row["asked"] for row in verdict.figures["sleeps"]] == [
        "7 days", "31 days", "200 days", "366 days", "9 s",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("days", "missing"),
    [((7, 31, 366), "2 sleeps of a month"), ((31, 32, 200), "no sleep of a year")],
)
def test_what_lacks_is_named(days: tuple[int, ...], missing: str) -> None:
    verdict = judged(sleepers(days))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert missing in verdict.reason


def test_nothing_recorded_is_inconclusive() -> None:
    assert judged(Story()).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("off_ms", "expected"),
    [(1000, []), (1001, ["woke late"]), (-20, []), (-21, ["woke early"])],
)
def test_a_sleep_is_as_long_as_it_was_to_be_and_within_the_skew(
    off_ms: float, expected: list[str]
) -> None:
    assert failing(sleepers(days_366=366 * DAY_MS + off_ms)) == expected
    assert failing(sleepers(awake_ms=9000 + off_ms)) == expected


def test_one_that_did_not_sleep_at_all_woke_early() -> None:
    story = sleepers()
    told = sleeps(story, "days-90", 90 * DAY_MS)
    told.events = [event for event in told.events if "TIMER" not in event["eventType"]]
    skipped(story, told)
    assert "woke early" in failing(story)


@pytest.mark.parametrize(("late_ms", "expected"), [(999, []), (2000, ["did not wake"])])
def test_one_that_sleeps_on_though_it_is_due_did_not_wake(
    late_ms: int, expected: list[str]
) -> None:
    story = sleepers()
    told = sleeps(story, "days-400", 400 * DAY_MS)
    slept(told, 0, fired=False)
    at = next(n for n, e in enumerate(told.events) if "TIMER_STARTED" in e["eventType"])
    told.events = told.events[: at + 1]
    asked = {"startToFireTimeout": "34560000s"}
    told.events[at]["timerStartedEventAttributes"] = asked
    later = timestamp(EPOCH_NS + (400 * DAY_MS + late_ms) * MS)
    told.events.append({"eventId": "99", "eventTime": later, "eventType": "EVENT_TYPE_OTHER"})
    skipped(story, told)
    assert failing(story) == expected


def test_one_whose_workflow_task_fails_did_not_wake() -> None:
    story = sleepers()
    asleep = next(run for run in story.runs if run.workflow_id == "wf-asleep")
    asleep.events[-1]["eventType"] = "EVENT_TYPE_WORKFLOW_TASK_FAILED"
    story.event(asleep, "WORKFLOW_EXECUTION_TIMED_OUT")
    assert failing(story) == ["did not wake"]


def test_what_was_due_later_and_done_earlier_is_in_the_wrong_order() -> None:
    story = sleepers()
    (late,) = story.all(Effect, saga_id="s-days-366", step=2)
    story.set(Effect, {"seq": 0}, saga_id="s-days-366", step=2)
    assert late.seq
    assert failing(story) == ["woke in the wrong order"]


def test_without_a_restart_in_a_sleep_it_is_inconclusive() -> None:
    story = sleepers()
    story.set(Process, {"wall_ns": EPOCH_NS - 1}, event="killed")
    assert "while its worker died" in judged(story).reason


def test_why_there_was_no_server_that_skips_time_is_told() -> None:
    story = sleepers(())
    story.add(
        Operation(
            **story.at(), name="time-skipping", ending=Ending.INFO, status="DriveError",
            message="no program", invoked_ns=0,
        )
    )  # fmt: skip
    assert "no server that skips time: no program" in judged(story).reason
