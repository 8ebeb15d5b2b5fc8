"""One recorded run: what its event history says, as far as checks ask for it."""

from __future__ import annotations

import base64
import binascii
import calendar
import hashlib
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from harness.checks.check import Evidence
from harness.checks.histories.remember import remembered
from harness.contract.transitions import CHANGES, RESET, kind_of
from harness.journal.read import HistoryEvent
from harness.journal.records import History

COMPLETED: Final = "WORKFLOW_EXECUTION_COMPLETED"
FAILED: Final = "WORKFLOW_EXECUTION_FAILED"
CANCELED: Final = "WORKFLOW_EXECUTION_CANCELED"
TERMINATED: Final = "WORKFLOW_EXECUTION_TERMINATED"
TIMED_OUT: Final = "WORKFLOW_EXECUTION_TIMED_OUT"
CONTINUED: Final = "WORKFLOW_EXECUTION_CONTINUED_AS_NEW"
_ENDS: Final = {
    "ACTIVITY_TASK_COMPLETED": "completed",
    "ACTIVITY_TASK_FAILED": "failed",
    "ACTIVITY_TASK_TIMED_OUT": "timed out",
    "ACTIVITY_TASK_CANCELED": "canceled",
}


class Transition(msgspec.Struct, frozen=True, gc=False):
    """A history event that the audit trail may have to show."""

    event_id: int
    type: str
    wall_ns: int


class Activity(msgspec.Struct, kw_only=True):
    """A scheduled activity and how it ended: completed, failed, timed out, canceled, or empty.

    `attempt` is the last one the history knows; a run that is being retried shows none. `failure`
    is the type of its final failure, `payloads` its result as recorded. `timed_out_by` is the
    timeout (START_TO_CLOSE, HEARTBEAT) that ended the attempt before the last.
    """

    event_id: int
    type: str
    saga_id: str
    step: int
    direction: str
    attempt: int = 0
    ended: str = ""
    ended_event_id: int = 0
    failure: str = ""
    timed_out_by: str = ""
    payloads: Any = None

    @property
    def result_sha256(self) -> str:
        """Of the canonical JSON of the `result` member of its result; empty if there is none."""
        result = _object(payload(self.payloads)).get("result")
        return "" if result is None else canonical_sha256(result)


class Run(msgspec.Struct, kw_only=True):
    """A run. Times are wall-clock nanoseconds, 0 when it is not so.

    `closing` is the type of the last event if it closes the run. `following` is the run that it
    goes on as (continue-as-new, retry, cron). `answer` is what a completed run answers, `failure`
    and `detail` are the type and the single detail of a failed one. `linked` are the ids of all
    other runs that the history names.
    `longest_retry_s` is the longest schedule-to-close timeout of its activities. `reset_ns` is when
    the run was made by a reset, `reset_event_id` the event that says so: what is before it was
    copied. `initiator` is why it goes on from another run: WORKFLOW (continue-as-new), RETRY,
    CRON_SCHEDULE; `scheduled_by` the schedule that started it. `tasks` are when its workflow tasks
    were scheduled, by event id, and `slowest_task_ns` the longest time until one was answered: how
    quick engine and worker were.
    """

    history: History
    program: dict[str, Any] = {}
    first_event_id: int = 0
    last_event_id: int = 0
    started_ns: int = 0
    closed_ns: int = 0
    reset_ns: int = 0
    reset_event_id: int = 0
    initiator: str = ""
    scheduled_by: str = ""
    closing: str = ""
    following: str = ""
    answer: dict[str, Any] = {}
    failure: str = ""
    detail: dict[str, Any] = {}
    cancel_requested: bool = False
    activities: dict[int, Activity] = {}
    transitions: list[Transition] = []
    linked: list[str] = []
    longest_retry_s: float = 0.0
    tasks: dict[int, int] = {}
    slowest_task_ns: int = 0

    @property
    def tenant(self) -> str:
        """The tenant in whose namespace it ran."""
        return self.history.tenant

    @property
    def saga_id(self) -> str:
        """The saga, as the run was told when it started."""
        return str(self.program.get("saga_id", ""))

    @property
    def ended(self) -> bool:
        """Whether it came to an end and does not go on as another run."""
        return bool(self.closing) and not self.following

    @property
    def name(self) -> str:
        """Tenant, workflow id and run id, for a witness."""
        return f"{self.tenant} {self.history.workflow_id} run {self.history.run_id}"

    def activity_of(self, event: HistoryEvent) -> Activity | None:
        """The activity that an event speaks of."""
        return self.activities.get(int(event.attributes.get("scheduledEventId", 0)))


@remembered(History)
def runs(evidence: Evidence) -> dict[tuple[str, str], Run]:
    """Every recorded run by (tenant, run id); of several exports of one run the longest."""
    longest: dict[tuple[str, str], History] = {}
    for history in evidence.of(History):
        key = (history.tenant, history.run_id)
        if key not in longest or history.events > longest[key].events:
            longest[key] = history
    return {key: read_run(history, evidence.events(history)) for key, history in longest.items()}


def read_run(history: History, events: Iterable[HistoryEvent]) -> Run:
    """Read one history in a single pass."""
    run = Run(history=history)
    for event in events:
        reader = _READERS.get(event.type)
        if reader is not None:
            reader(run, event)
        run.last_event_id = event.id
    return run


@lru_cache(4096)
def _second_ns(text: str) -> int:
    date, _, clock = text.partition("T")
    numbers = [int(part) for part in (*date.split("-"), *clock.split(":"))]
    return calendar.timegm((*numbers, 0, 1, 0)) * 1_000_000_000


def wall_ns(time: str) -> int:
    """A protobuf JSON timestamp (`2024-05-01T10:00:00.5Z`) in nanoseconds of the wall clock."""
    fraction = time[20:-1]
    return _second_ns(time[:19]) + (int(fraction.ljust(9, "0")) if fraction else 0)


def payload(payloads: Any) -> Any:
    """The JSON value of the only payload, or None where there is no such thing."""
    try:
        (only,) = payloads["payloads"]
        return msgspec.json.decode(base64.b64decode(only["data"], validate=True))
    except (KeyError, TypeError, ValueError, binascii.Error, msgspec.DecodeError):
        return None


def _value(payload_: Any) -> Any:
    """The JSON value of one payload, or None."""
    return payload({"payloads": [payload_]}) if payload_ else None


def canonical_sha256(value: Any) -> str:
    """The digest that services record of a result: members sorted, no spaces, 1.0 as 1."""
    text = msgspec.json.encode(value, order="sorted")
    if b".0" in text:
        text = msgspec.json.encode(whole_numbers(value), order="sorted")
    return hashlib.sha256(text).hexdigest()


def whole_numbers(value: Any) -> Any:
    """A JSON value with 1 where it says 1.0, which means the same (contract §2)."""
    if isinstance(value, dict):
        return {name: whole_numbers(member) for name, member in value.items()}
    if isinstance(value, list):
        return [whole_numbers(member) for member in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def failure_type(attributes: Mapping[str, Any]) -> str:
    """The type of an event's failure: an application failure's own, else the name of its kind."""
    failure = attributes.get("failure") or {}
    kind = next((name for name in failure if name.endswith("FailureInfo")), "")
    return str((failure.get(kind) or {}).get("type") or kind.removesuffix("FailureInfo"))


def _failure_detail(attributes: Mapping[str, Any]) -> dict[str, Any]:
    info = (attributes.get("failure") or {}).get("applicationFailureInfo") or {}
    return _object(payload(info.get("details")))


def forced(attributes: Mapping[str, Any]) -> bool:
    """A task that failed for the server's reasons or by a reset says nothing about the code."""
    return attributes.get("cause") in (
        "WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW",
        "WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND",
        "WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND",
        "WORKFLOW_TASK_FAILED_CAUSE_RESET_STICKY_TASK_QUEUE",
        "WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_PAUSE_REQUESTED_BEFORE_TASK_STARTED",
    )


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _transition(run: Run, event: HistoryEvent) -> int:
    at_ns = wall_ns(event.time)
    kind = kind_of(event.type, event.attributes)
    run.transitions.append(Transition(event.id, kind, at_ns))
    return at_ns


def _started(run: Run, event: HistoryEvent) -> None:
    run.started_ns = _transition(run, event)
    run.first_event_id = event.id
    run.program = _object(payload(event.attributes.get("input")))
    initiator = str(event.attributes.get("initiator", ""))
    run.initiator = initiator.removeprefix("CONTINUE_AS_NEW_INITIATOR_")
    indexed = (event.attributes.get("searchAttributes") or {}).get("indexedFields") or {}
    run.scheduled_by = str(_value(indexed.get("TemporalScheduledById")) or "")
    names = ("originalExecutionRunId", "firstExecutionRunId", "continuedExecutionRunId")
    run.linked += [event.attributes[name] for name in names if event.attributes.get(name)]


def _closed(run: Run, event: HistoryEvent) -> None:
    run.closed_ns = _transition(run, event)
    run.closing = event.type
    run.following = event.attributes.get("newExecutionRunId", "")
    if run.following:
        run.linked.append(run.following)
    if event.type == COMPLETED:
        run.answer = _object(payload(event.attributes.get("result")))
    if event.type == FAILED:
        run.failure = failure_type(event.attributes)
        run.detail = _failure_detail(event.attributes)


def _child_started(run: Run, event: HistoryEvent) -> None:
    child = event.attributes.get("workflowExecution") or {}
    run.linked.append(child.get("runId", ""))


def _cancel_requested(run: Run, event: HistoryEvent) -> None:
    _transition(run, event)
    run.cancel_requested = True


def _changed(run: Run, event: HistoryEvent) -> None:
    _transition(run, event)


def _task_failed(run: Run, event: HistoryEvent) -> None:
    if kind_of(event.type, event.attributes) == RESET:
        run.reset_ns = _transition(run, event)
        run.reset_event_id = event.id
        names = ("baseRunId", "newRunId")
        run.linked += [event.attributes[name] for name in names if event.attributes.get(name)]


def _task_scheduled(run: Run, event: HistoryEvent) -> None:
    run.tasks[event.id] = wall_ns(event.time)


def _task_answered(run: Run, event: HistoryEvent) -> None:
    scheduled_ns = run.tasks.get(int(event.attributes.get("scheduledEventId", 0)))
    if scheduled_ns is not None:
        run.slowest_task_ns = max(run.slowest_task_ns, wall_ns(event.time) - scheduled_ns)


def _activity_scheduled(run: Run, event: HistoryEvent) -> None:
    argument = _object(payload(event.attributes.get("input")))
    step = argument.get("step")
    horizon = str(event.attributes.get("scheduleToCloseTimeout", "0s"))
    run.longest_retry_s = max(run.longest_retry_s, float(horizon.removesuffix("s")))
    run.activities[event.id] = Activity(
        event_id=event.id,
        type=(event.attributes.get("activityType") or {}).get("name", ""),
        saga_id=str(argument.get("saga_id", "")),
        step=int(step) if isinstance(step, int | float) else -1,
        direction=str(argument.get("direction", "")),
    )


def _activity_started(run: Run, event: HistoryEvent) -> None:
    activity = run.activity_of(event)
    if activity is not None:
        activity.attempt = int(event.attributes.get("attempt", 1))
        before = (event.attributes.get("lastFailure") or {}).get("timeoutFailureInfo") or {}
        activity.timed_out_by = str(before.get("timeoutType", "")).removeprefix("TIMEOUT_TYPE_")


def _activity_ended(run: Run, event: HistoryEvent) -> None:
    _transition(run, event)
    activity = run.activity_of(event)
    if activity is None:
        return
    activity.ended = _ENDS[event.type]
    activity.ended_event_id = event.id
    if event.type == "ACTIVITY_TASK_COMPLETED":
        activity.payloads = event.attributes.get("result")
    else:
        activity.failure = failure_type(event.attributes)


_READERS: Final[dict[str, Callable[[Run, HistoryEvent], None]]] = {
    "WORKFLOW_EXECUTION_STARTED": _started,
    **dict.fromkeys((COMPLETED, FAILED, CANCELED, TERMINATED, TIMED_OUT, CONTINUED), _closed),
    **dict.fromkeys(CHANGES, _changed),
    "WORKFLOW_EXECUTION_CANCEL_REQUESTED": _cancel_requested,
    "WORKFLOW_TASK_SCHEDULED": _task_scheduled,
    "WORKFLOW_TASK_COMPLETED": _task_answered,
    "WORKFLOW_TASK_FAILED": _task_failed,
    "CHILD_WORKFLOW_EXECUTION_STARTED": _child_started,
    "ACTIVITY_TASK_SCHEDULED": _activity_scheduled,
    "ACTIVITY_TASK_STARTED": _activity_started,
    **dict.fromkeys(_ENDS, _activity_ended),
}
