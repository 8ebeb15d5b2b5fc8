"""A transition in an event history, and the CloudEvent that reports it (contract §7)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from temporalio.api.common.v1 import Payloads
from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
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
    # material changes
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED: ("WorkflowExecutionSignaled", "signaled"),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED: (
        "WorkflowExecutionUpdateAccepted",
        "update_accepted",
    ),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED: (
        "WorkflowExecutionUpdateCompleted",
        "update_completed",
    ),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED: (
        "WorkflowExecutionCancelRequested",
        "cancel_requested",
    ),
    EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: (
        "UpsertWorkflowSearchAttributes",
        "search_attributes_changed",
    ),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED: (
        "WorkflowExecutionOptionsUpdated",
        "options_changed",
    ),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_PAUSED: ("WorkflowExecutionPaused", "paused"),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UNPAUSED: ("WorkflowExecutionUnpaused", "unpaused"),
}
"""Event type → its name in the contract, and the outcome."""

RESET: Final = ("WorkflowReset", "reset")
"""The failed workflow task that marks a run as made by a reset."""

FINAL: Final = frozenset(
    {"completed", "failed", "canceled", "timed_out", "terminated", "continued_as_new"}
)
SECOND_FAMILY: Final = frozenset({"started", "completed", "failed"})
"""Outcomes of runs that are reported in the family `workflow.execution.*` as well."""

SCHEMA_VERSION: Final = {
    "workflow.started": 2,
    "workflow.completed": 2,
    "workflow.failed": 2,
    "workflow.canceled": 2,
    "workflow.timed_out": 2,
    "workflow.terminated": 2,
    "workflow.continued_as_new": 2,
    "activity.completed": 2,
    "activity.failed": 2,
}
"""The version of the schema that an event's data fits; 1 for the types that came later."""

GENESIS: Final = "0" * 64
"""What the first event of a run's chain has as `prevhash`."""


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
    actor: str = ""
    """Who did it: the identity of the client or worker, as the engine recorded it."""

    @property
    def of_activity(self) -> bool:
        """Whether it is the end of an activity, not something that befell the run."""
        return self.kind.startswith("Activity")

    @property
    def ends_run(self) -> bool:
        """Whether nothing follows in this run's history."""
        return not self.of_activity and self.outcome in FINAL


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
        self._workers: dict[int, str] = {}
        self.closed = False

    def read(self, events: Iterable[HistoryEvent]) -> list[Transition]:
        """The transitions among the next events; afterwards `closed` says if the run has ended."""
        read = [found for event in events if (found := self._transition(event)) is not None]
        self.closed = self.closed or any(transition.ends_run for transition in read)
        return read

    def _transition(self, event: HistoryEvent) -> Transition | None:
        self._remember(event)
        found = _kind(event)
        if found is None:
            return None
        kind, outcome = found
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
            actor=self._actor(event),
        )

    def _actor(self, event: HistoryEvent) -> str:
        """Whose identity the engine recorded; its own where it acted by itself."""
        attributes = getattr(event, str(event.WhichOneof("attributes")))
        identity = str(getattr(attributes, "identity", ""))
        task = int(getattr(attributes, "workflow_task_completed_event_id", 0))
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED:
            identity = attributes.accepted_request.meta.identity
        return identity or self._workers.get(task, "") or "temporal"

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
            case "workflow_task_completed_event_attributes":
                worker = event.workflow_task_completed_event_attributes.identity
                self._workers[event.event_id] = worker

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


def _kind(event: HistoryEvent) -> tuple[str, str] | None:
    """The name of what happened and its outcome; None for what is no transition."""
    if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED:
        cause = event.workflow_task_failed_event_attributes.cause
        is_reset = cause == WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW
        return RESET if is_reset else None
    return TRANSITIONS.get(event.event_type)


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
        case "workflow_execution_timed_out_event_attributes":
            return "timeout"
        case "workflow_execution_cancel_requested_event_attributes":
            return event.workflow_execution_cancel_requested_event_attributes.cause
        case "workflow_execution_signaled_event_attributes":
            return event.workflow_execution_signaled_event_attributes.signal_name
        case "workflow_task_failed_event_attributes":
            return event.workflow_task_failed_event_attributes.failure.message
        case _:
            return ""


def _failure_type(failure: Failure) -> str:
    return failure.application_failure_info.type


Event = dict[str, Any]
EventOf = Callable[[Transition, str], Event | None]
"""(transition, prefix of types) → the CloudEvent in JSON, None for a transition not reported."""


def event_id(transition: Transition) -> str:
    """Deterministic: whoever reads the history again makes the same id."""
    return f"{transition.run.run_id}:{transition.event_id}"


def event_type(transition: Transition) -> str:
    """`workflow.started`, `activity.failed` …, without prefix."""
    return f"{'activity' if transition.of_activity else 'workflow'}.{transition.outcome}"


def event_of(transition: Transition, prefix: str) -> Event | None:
    """The CloudEvent of a transition."""
    run, name = transition.run, event_type(transition)
    return {
        "specversion": "1.0",
        "id": event_id(transition),
        "source": f"urn:temporal:namespace:{run.namespace}",
        "type": prefix + name,
        "subject": f"{run.workflow_id}/{run.run_id}",
        "time": transition.time,
        "datacontenttype": "application/json",
        "dataschema": f"urn:harness:event:{name}:{SCHEMA_VERSION.get(name, 1)}",
        "tenantid": run.tenant,
        "partitionkey": run.workflow_id,
        "sequence": f"{transition.event_id:010d}",
        "correlationid": transition.saga_id or run.workflow_id,
        "data": data_of(transition),
    }


def second_of(transition: Transition, event: Event, prefix: str) -> Event | None:
    """The event of the second family for the same transition, None where that has none."""
    if transition.of_activity or transition.outcome not in SECOND_FAMILY:
        return None
    name = f"workflow.execution.{transition.outcome}"
    return {
        **event,
        "id": f"{event['id']}:execution",
        "type": prefix + name,
        "dataschema": f"urn:harness:event:{name}:1",
    }


def sealed(event: Event, previous: str) -> Event:
    """The event as the next link of its run's chain, which `previous` is the last digest of."""
    linked = {**event, "prevhash": previous}
    return {**linked, "chainhash": digest(linked)}


def digest(event: Event) -> str:
    """SHA-256 of attributes (as strings) and data, in JSON with sorted members and no spaces."""
    attributes = {name: value for name, value in event.items() if name != "data"}
    canonical = {"attributes": attributes, "data": event.get("data")}
    text = json.dumps(canonical, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def data_of(transition: Transition) -> dict[str, Any]:
    """The event's `data` (`schemas/events`)."""
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
        "actor": transition.actor,
    }
    optional = {
        "activity_type": transition.activity_type,
        "attempt": transition.attempt,
        "reason": transition.reason,
    }
    return data | {name: value for name, value in optional.items() if value}
