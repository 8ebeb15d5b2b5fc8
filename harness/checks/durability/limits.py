"""DUR-8: how often an activity is tried, what is not tried again, and the four timeouts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, Final

from harness.checks.check import Evidence, Finding
from harness.checks.histories import (
    TIMED_OUT,
    Run,
    Saga,
    coverage,
    ended_runs,
    runs,
    sagas,
    wall_ns,
)
from harness.checks.histories.clauses import Broken, conclude
from harness.checks.histories.pace import starved_between
from harness.checks.histories.run import Activity, failure_type
from harness.journal.read import HistoryEvent
from harness.journal.records import (
    Answer,
    Decision,
    Disposition,
    Effect,
    Ending,
    History,
    Operation,
)

ATTEMPTS: Final = "wrong number of attempts"
FINAL: Final = "retried though final"
CONFIGURED: Final = "not as configured"
NOT_FIRED: Final = "timeout did not fire"
NOT_IN_TIME: Final = "timeout not in time"
CLAUSES: Final = (ATTEMPTS, FINAL, CONFIGURED, NOT_FIRED, NOT_IN_TIME)
FINAL_FAILURES: Final = ("AuthorizationDenied", "BusinessFailure", "ServiceRejected")
TIMEOUTS: Final = ("schedule_to_start", "start_to_close", "schedule_to_close", "heartbeat")
LEAST_LIMITS: Final = 3  # different numbers of attempts that were run out of
SCHEDULE_TO_CLOSE_S: Final = 60.0
COMPENSATION_S: Final = 10.0  # start-to-close of compensations
EARLY_MS: Final = 20.0  # what the engine's clock may round


def limits_hold(evidence: Evidence) -> Finding:
    """ADR, Option A: "max attempts, non-retryable errors, timeouts".

    A step that fails for ever is tried exactly as often as its policy says, and one that succeeds
    in its last attempt succeeds. What is denied, refused or rejected is not tried again. Every
    activity is scheduled with the timeouts and the retry policy of its program and the contract.
    Each of the four activity timeouts fires, as what it is, not before its time and within the
    declared skew after it.
    """
    driven = coverage(evidence, "DUR-8")
    ends = ended_runs(evidence)
    limits: set[int] = set()
    final: set[str] = set()
    broken: list[Broken] = []
    refused = _refused(evidence)
    for saga in driven.ended:
        for run in ends[saga.tenant, saga.workflow_id]:
            for activity in run.activities.values():
                broken += _counted(saga, run, activity, limits, final, refused)
    misconfigured, activities = _configuration(evidence)
    broken += misconfigured
    fired, missed, doubt = _timeouts(evidence)
    broken += missed
    lacks = [
        driven.lacks,
        doubt,
        ""
        if len(limits) >= LEAST_LIMITS
        else f"{len(limits)} limits of attempts were run into, {LEAST_LIMITS} are the least",
        *(f"nothing failed with {each}" for each in FINAL_FAILURES if each not in final),
        *(f"{each} was not run into" for each in TIMEOUTS if each not in fired and not missed),
    ]
    figures: dict[str, Any] = {
        "limits_run_into": sorted(limits),
        "final_failures": sorted(final),
        "activities_compared_with_their_program": activities,
        "timeouts": [{"timeout": name, **row} for name, row in sorted(fired.items())],
    }
    kept = (
        f"steps ran out of {sorted(limits)} attempts exactly, {len(final)} kinds of failure were "
        f"final, {activities} activities were scheduled as configured, and the four timeouts fired "
        "in time"
    )
    return conclude(CLAUSES, broken, lacks, kept, figures)


def _refused(evidence: Evidence) -> Counter[tuple[str, int]]:
    """How often PDP or service said a final no to a forward step, by run id and step."""
    denies = (each for each in evidence.of(Decision) if each.answer is Answer.DENY)
    refusals = (e for e in evidence.of(Effect) if e.disposition is Disposition.REFUSED)
    said = chain[Decision | Effect](denies, refusals)
    return Counter((each.run_id, each.step) for each in said if each.direction == "forward")


def _counted(
    saga: Saga,
    run: Run,
    activity: Activity,
    limits: set[int],
    final: set[str],
    refused: Counter[tuple[str, int]],
) -> Iterator[Broken]:
    """Whether a forward step of a driven saga had as many attempts as it should."""
    over = activity.ended in ("completed", "failed") and run.closing != TIMED_OUT
    if activity.direction != "forward" or not over or run.cancel_requested:
        return
    name = f"{run.name} step {activity.step}"
    retry, told = saga.retry(activity.step, "forward"), saga.behaviour(activity.step, "forward")
    if activity.failure in FINAL_FAILURES:
        final.add(activity.failure)
        times = refused[run.history.run_id, activity.step]
        if times > 1:
            text = f"{name}: {activity.failure} {times} times, the last in {activity.attempt}"
            yield Broken(FINAL, text, run.history.path)
    elif told.fail >= retry.max_attempts:
        limits.add(retry.max_attempts)
        if activity.attempt != retry.max_attempts:
            text = f"{name}: {activity.attempt} attempts, its policy says {retry.max_attempts}"
            yield Broken(ATTEMPTS, text, run.history.path)
    elif told.fail and activity.ended != "completed" and activity.attempt < retry.max_attempts:
        text = f"{name}: {activity.ended} in attempt {activity.attempt}, it had one more"
        yield Broken(ATTEMPTS, text, run.history.path)


# --- configuration


def _configuration(evidence: Evidence) -> tuple[list[Broken], int]:
    """Where a scheduled activity is not as its program says, and how many were compared."""
    known = sagas(evidence)
    broken: list[Broken] = []
    compared = 0
    for run in runs(evidence).values():
        events = evidence.events(run.history)
        cap_s = _seconds(events[0].attributes.get("workflowRunTimeout")) or float("inf")
        for event in events:
            activity = run.activities.get(event.id)
            saga = known.get((run.tenant, activity.saga_id)) if activity else None
            if activity is None or saga is None or not saga.node(activity.step):
                continue
            compared += 1
            given = _given(event.attributes)
            due = _due(saga, activity, cap_s)
            wrong = [f"{k} {given[k]:g}, not {due[k]:g}" for k in due if given[k] != due[k]]
            if wrong:
                text = f"{run.name} step {activity.step} {activity.direction}: {', '.join(wrong)}"
                broken.append(Broken(CONFIGURED, text, run.history.path))
    return broken, compared


def _given(attributes: Mapping[str, Any]) -> dict[str, float]:
    """What a scheduled activity has, times in seconds."""
    policy = attributes.get("retryPolicy") or {}
    return {
        "schedule-to-close": _seconds(attributes.get("scheduleToCloseTimeout")),
        "start-to-close": _seconds(attributes.get("startToCloseTimeout")),
        "heartbeat": _seconds(attributes.get("heartbeatTimeout")),
        "initial interval": _seconds(policy.get("initialInterval")),
        "coefficient": float(policy.get("backoffCoefficient", 0)),
        "longest interval": _seconds(policy.get("maximumInterval")),
        "attempts": float(policy.get("maximumAttempts", 0)),
    }


def _due(saga: Saga, activity: Activity, cap_s: float) -> dict[str, float]:
    """What it should have; the engine cuts what is longer than the timeout around it."""
    forward = activity.direction == "forward"
    node = saga.node(activity.step)
    retry = saga.retry(activity.step, activity.direction)
    whole_s = min(SCHEDULE_TO_CLOSE_S, cap_s)
    close_s = node.get("start_to_close_ms", 10_000) / 1000 if forward else COMPENSATION_S
    close_s = min(close_s, whole_s)
    beat_s = node.get("heartbeat_ms", 0) / 1000 if forward else 0.0
    return {
        "schedule-to-close": whole_s,
        "start-to-close": close_s,
        "heartbeat": min(beat_s, close_s),
        "initial interval": min(retry.initial_ms, retry.max_interval_ms) / 1000,
        "coefficient": float(retry.coefficient),
        "longest interval": retry.max_interval_ms / 1000,
        "attempts": float(retry.max_attempts),
    }


def _seconds(duration: Any) -> float:
    return float(str(duration or "0s").removesuffix("s"))


# --- timeouts


def _timeouts(evidence: Evidence) -> tuple[dict[str, dict[str, Any]], list[Broken], str]:
    """How each timeout that was asked for fired, where it did not, or not in time, and a doubt.

    Late they are when most of them are: a single one may have met a busy machine.
    """
    histories = {(h.tenant, h.run_id): h for h in evidence.of(History)}
    skew_ms = float(evidence.parameters["timer_skew_ms"])
    fired: dict[str, dict[str, Any]] = {}
    broken: list[Broken] = []
    late_ones: list[Broken] = []
    slow = ""
    for op in evidence.of(Operation):
        history = histories.get((op.tenant, op.run_id))
        if op.name != "timeouts-asked" or op.ending is not Ending.OK or history is None:
            continue
        slow = slow or _starved(evidence, history)
        ended = _ended(evidence.events(history))
        for name, due_ms in op.args.items():
            how, took_ms = ended.get(name, ("nothing", 0.0))
            where = f"{op.workflow_id} {name} of {due_ms} ms"
            if how != name:
                # it may not even have been started, or two of them were due by then
                unclear = slow and how in ("nothing", *TIMEOUTS)
                text = f"{where}: {how} fired"
                (late_ones if unclear else broken).append(Broken(NOT_FIRED, text, history.path))
                continue
            fired[name] = {"due_ms": due_ms, "fired_after_ms": round(took_ms, 1)}
            late = took_ms > due_ms + skew_ms
            if late or took_ms < due_ms - EARLY_MS:
                text = f"{where} fired after {took_ms:.0f} ms"
                (late_ones if late else broken).append(Broken(NOT_IN_TIME, text, history.path))
    if 2 * len(late_ones) > len(fired) and not slow:
        return fired, [*broken, *late_ones], ""
    return (
        fired,
        broken,
        f"a busy machine may be why {late_ones[0].text}; {slow}".rstrip("; ") if late_ones else "",
    )


def _starved(evidence: Evidence, history: History) -> str:
    """Why the machine may be at fault for what went on in this run; empty if it is not."""
    run = runs(evidence)[history.tenant, history.run_id]
    until_ns = run.closed_ns or wall_ns(evidence.events(history)[-1].time)
    return starved_between(evidence, run.started_ns, until_ns)


def _ended(events: tuple[HistoryEvent, ...]) -> dict[str, tuple[str, float]]:
    """By activity id, which timeout ended it, and after how long from where it counts."""
    scheduled = {e.id: e for e in events if e.type == "ACTIVITY_TASK_SCHEDULED"}
    started: dict[int, str] = {}
    found: dict[str, tuple[str, float]] = {}
    for event in events:
        of = int(event.attributes.get("scheduledEventId", 0))
        if event.type == "ACTIVITY_TASK_STARTED":
            started[of] = event.time
        elif event.type == "ACTIVITY_TASK_TIMED_OUT" and of in scheduled:
            kind = _kind(event.attributes)
            began = scheduled[of].time
            if kind in ("start_to_close", "heartbeat"):
                began = started.get(of, began)
            took_ms = (wall_ns(event.time) - wall_ns(began)) / 1e6
            found[str(scheduled[of].attributes.get("activityId"))] = (kind, took_ms)
        elif event.type == "ACTIVITY_TASK_FAILED" and of in scheduled:
            name = str(scheduled[of].attributes.get("activityId"))
            found[name] = (failure_type(event.attributes), 0.0)
    return found


def _kind(attributes: Mapping[str, Any]) -> str:
    info = (attributes.get("failure") or {}).get("timeoutFailureInfo") or {}
    return str(info.get("timeoutType", "")).removeprefix("TIMEOUT_TYPE_").lower()
