"""A transition in an event history, and the CloudEvent that reports it (contract §7)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from temporalio.api.common.v1 import Payloads
from temporalio.api.enums.v1 import EventType
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent

TRANSITIONS: Final = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED: ("WorkflowExecutionStarted", "started"),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED: ("WorkflowExecutionCompleted", "completed"),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED: ("WorkflowExecutionFailed", "failed"),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED: ("WorkflowExecutionCanceled", "canceled"),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT: ("WorkflowExecutionTimedOut", "timed_out"),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED: (
        "WorkflowExecutionTerminated",
        "terminated",
    ),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW: (
        "WorkflowExecutionContinuedAsNew",
        "continued_as_new",
    ),
    EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED: ("ActivityTaskCompleted", "completed"),
    EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED: ("ActivityTaskFailed", "failed"),
}
"""Event type → its name in the contract, and the outcome."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a tenant's workflow."""

    tenant: str
    namespace: str
    workflow_id: str
    run_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One row of the table of §7, as it happened."""

    run: Run
    workflow_type: str
    saga_id: str
    event_id: int
    kind: str
    """`WorkflowExecutionStarted` …"""
    outcome: str
    time: str
    """RFC 3339, the history event's."""
    activity_type: str = ""
    attempt: int = 0
    reason: str = ""

    @property
    def ends_run(self) -> bool:
        """Whether nothing follows in this run's history."""
        return self.kind.startswith("Workflow") and self.outcome != "started"


class Reader:
    """Reads one run's history from its first event on, and yields its transitions.

    It remembers what later events refer to: who was started, scheduled and with which attempt.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._workflow_type = ""
        self._saga_id = ""
        self._scheduled: dict[int, str] = {}
        self._attempts: dict[int, int] = {}
        self.closed = False

    def read(self, events: Iterable[HistoryEvent]) -> list[Transition]:
        """The transitions among the next events; afterwards `closed` says if the run has ended."""
        read = [found for event in events if (found := self._transition(event)) is not None]
        self.closed = self.closed or any(transition.ends_run for transition in read)
        return read

    def _transition(self, event: HistoryEvent) -> Transition | None:
        self._remember(event)
        if event.event_type not in TRANSITIONS:
            return None
        kind, outcome = TRANSITIONS[event.event_type]
        activity_type, attempt = self._activity(event)
        return Transition(
            run=self._run,
            workflow_type=self._workflow_type,
            saga_id=self._saga_id,
            event_id=event.event_id,
            kind=kind,
            outcome=outcome,
            time=event.event_time.ToJsonString(),
            activity_type=activity_type,
            attempt=attempt,
            reason=_reason(event),
        )

    def _remember(self, event: HistoryEvent) -> None:
        match event.WhichOneof("attributes"):
            case "workflow_execution_started_event_attributes":
                started = event.workflow_execution_started_event_attributes
                self._workflow_type = started.workflow_type.name
                self._saga_id = saga_id(started.input)
            case "activity_task_scheduled_event_attributes":
                scheduled = event.activity_task_scheduled_event_attributes
                self._scheduled[event.event_id] = scheduled.activity_type.name
            case "activity_task_started_event_attributes":
                attempt = event.activity_task_started_event_attributes.attempt
                self._attempts[event.event_id] = attempt

    def _activity(self, event: HistoryEvent) -> tuple[str, int]:
        """The type and attempt of the activity that an event ends."""
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
            ended = event.activity_task_completed_event_attributes
            return self._ended(ended.scheduled_event_id, ended.started_event_id)
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED:
            failed = event.activity_task_failed_event_attributes
            return self._ended(failed.scheduled_event_id, failed.started_event_id)
        return "", 0

    def _ended(self, scheduled: int, started: int) -> tuple[str, int]:
        return self._scheduled.pop(scheduled, ""), self._attempts.pop(started, 0)


def saga_id(arguments: Payloads) -> str:
    """The saga's id in a workflow's input, or '' where there is none that may be an attribute."""
    if len(arguments.payloads) != 1:
        return ""
    try:
        value = json.loads(arguments.payloads[0].data)
    except (ValueError, RecursionError):
        return ""
    found = value.get("saga_id") if isinstance(value, dict) else None
    return found if isinstance(found, str) and found.isascii() and found.isprintable() else ""


def _reason(event: HistoryEvent) -> str:
    match event.WhichOneof("attributes"):
        case "workflow_execution_failed_event_attributes":
            return _failure_type(event.workflow_execution_failed_event_attributes.failure)
        case "activity_task_failed_event_attributes":
            return _failure_type(event.activity_task_failed_event_attributes.failure)
        case "workflow_execution_terminated_event_attributes":
            return event.workflow_execution_terminated_event_attributes.reason
        case _:
            return ""


def _failure_type(failure: Failure) -> str:
    return failure.application_failure_info.type


EventOf = Callable[[Transition, str], dict[str, Any] | None]
"""(transition, prefix of types) → the CloudEvent in JSON, None for a transition not reported."""


def event_id(transition: Transition) -> str:
    """Deterministic: whoever reads the history again makes the same id."""
    return f"{transition.run.run_id}:{transition.event_id}"


def event_type(transition: Transition) -> str:
    """`workflow.started`, `activity.failed` …, without prefix."""
    of = "workflow" if transition.kind.startswith("Workflow") else "activity"
    return f"{of}.{transition.outcome}"


def event_of(transition: Transition, prefix: str) -> dict[str, Any] | None:
    """The CloudEvent of a transition."""
    run = transition.run
    event = {
        "specversion": "1.0",
        "id": event_id(transition),
        "source": f"urn:temporal:namespace:{run.namespace}",
        "type": prefix + event_type(transition),
        "subject": f"{run.workflow_id}/{run.run_id}",
        "time": transition.time,
        "datacontenttype": "application/json",
        "tenantid": run.tenant,
        "partitionkey": run.workflow_id,
        "sequence": f"{transition.event_id:010d}",
        "data": data_of(transition),
    }
    if transition.saga_id:
        event["correlationid"] = transition.saga_id
    return event


def data_of(transition: Transition) -> dict[str, Any]:
    """The event's `data` (`audit-event.json`)."""
    run = transition.run
    data: dict[str, Any] = {
        "tenant": run.tenant,
        "namespace": run.namespace,
        "workflow_id": run.workflow_id,
        "run_id": run.run_id,
        "workflow_type": transition.workflow_type,
        "event_id": transition.event_id,
        "transition": transition.kind,
        "outcome": transition.outcome,
    }
    if transition.activity_type:
        data["activity_type"] = transition.activity_type
    if transition.attempt:
        data["attempt"] = transition.attempt
    if transition.reason:
        data["reason"] = transition.reason
    return data
