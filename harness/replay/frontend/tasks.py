"""A history as workflow tasks: what is served of it, and what was recorded as the answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.any_pb2 import Any as Packed
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.protocol.v1 import Message
from temporalio.api.update.v1 import Request

from harness.replay.frontend.table import COMMAND, EVENTS, UNKNOWN

_UPDATES: Final = frozenset(
    {"WORKFLOW_EXECUTION_UPDATE_ACCEPTED", "WORKFLOW_EXECUTION_UPDATE_COMPLETED"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A workflow task that completed: event ids, and the recorded commands' events in order.

    `previous_started_id` is 0 for the first. `messages` are the update requests that came with it.
    """

    completed_id: int
    started_id: int
    previous_started_id: int
    recorded: tuple[HistoryEvent, ...]
    messages: tuple[Message, ...]
    last: bool


def kind_of(event: HistoryEvent) -> str:
    """The kind of an event, without its prefix; of a newer server its number."""
    try:
        return EventType.Name(event.event_type).removeprefix("EVENT_TYPE_")
    except ValueError:
        return str(event.event_type)


def attributes_of(event: HistoryEvent) -> Any:
    """The attributes of an event."""
    return getattr(event, str(event.WhichOneof("attributes")))


def unknown_kinds(events: Sequence[HistoryEvent]) -> list[str]:
    """The kinds of event that the table does not know."""
    return sorted({k for k in map(kind_of, events) if EVENTS.get(k, UNKNOWN) == UNKNOWN})


def tasks_of(events: Sequence[HistoryEvent]) -> list[Task]:
    """The tasks of a history that completed, in order."""
    completed = [e for e in events if kind_of(e) == "WORKFLOW_TASK_COMPLETED"]
    ends = [*(e.event_id for e in completed[1:]), len(events) + 1][: len(completed)]
    found: list[Task] = []
    previous = 0
    for event, end in zip(completed, ends, strict=True):
        started = event.workflow_task_completed_event_attributes.started_event_id
        recorded = tuple(_recorded(events[event.event_id : end - 1], event.event_id))
        found.append(
            Task(
                completed_id=event.event_id,
                started_id=started,
                previous_started_id=previous,
                recorded=recorded,
                messages=tuple(_requests(events, recorded)),
                last=event is completed[-1],
            )
        )
        previous = started
    return found


def _recorded(after: Sequence[HistoryEvent], completed_id: int) -> Iterator[HistoryEvent]:
    """The events that record a task's commands, among those until the next task completed."""
    for event in after:
        kind = kind_of(event)
        if kind in _UPDATES or (EVENTS.get(kind) == COMMAND and _made_by(event) == completed_id):
            yield event


def _made_by(event: HistoryEvent) -> int:
    """The id of the completed task whose command an event records."""
    return int(attributes_of(event).workflow_task_completed_event_id)


def _requests(
    events: Sequence[HistoryEvent], recorded: Sequence[HistoryEvent]
) -> Iterator[Message]:
    """The update requests that a task accepted, as they were delivered with it."""
    for event in recorded:
        if kind_of(event) != "WORKFLOW_EXECUTION_UPDATE_ACCEPTED":
            continue
        accepted = event.workflow_execution_update_accepted_event_attributes
        request = accepted.accepted_request
        if not request.HasField("input"):  # admitted by an event of its own, as after a reset
            request = _admitted(events, accepted.protocol_instance_id) or request
        body = Packed()
        body.Pack(request)
        yield Message(
            id=accepted.accepted_request_message_id,
            protocol_instance_id=accepted.protocol_instance_id,
            event_id=accepted.accepted_request_sequencing_event_id,
            body=body,
        )


def _admitted(events: Sequence[HistoryEvent], update_id: str) -> Request | None:
    for event in events:
        request = event.workflow_execution_update_admitted_event_attributes.request
        if request.meta.update_id == update_id:
            return request
    return None


def beyond(events: Sequence[HistoryEvent], task: Task, made: int) -> Resumed | None:
    """A task's rest, after the marker at a place of its record, as a task of its own.

    What was recorded up to there is served as if the worker had answered it alone, so that the
    marker's value is given, and what follows is made of it. None if that cannot be told apart.
    """
    kept = task.recorded[: made + 1]
    if [e.event_id for e in kept] != [task.completed_id + n for n in range(1, len(kept) + 1)]:
        return None
    last_id = task.completed_id + len(kept)
    began = events[task.started_id - 1]
    scheduled = HistoryEvent(
        event_id=last_id + 1,
        event_type=EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
        event_time=began.event_time,
    )
    queue = events[0].workflow_execution_started_event_attributes.task_queue
    scheduled.workflow_task_scheduled_event_attributes.task_queue.CopyFrom(queue)
    scheduled.workflow_task_scheduled_event_attributes.attempt = 1
    started = HistoryEvent(
        event_id=last_id + 2,
        event_type=EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED,
        event_time=began.event_time,
    )
    started.workflow_task_started_event_attributes.scheduled_event_id = last_id + 1
    rest = task.recorded[made + 1 :]
    return Resumed(
        events=(*events[:last_id], scheduled, started),
        task=Task(
            completed_id=task.completed_id,
            started_id=last_id + 2,
            previous_started_id=task.started_id,
            recorded=rest,
            messages=tuple(_requests(events, rest)),
            last=task.last,
        ),
    )


@dataclass(frozen=True, slots=True)
class Resumed:
    """A task that no engine has recorded, and the history up to it."""

    events: tuple[HistoryEvent, ...]
    task: Task


def evenly(tasks: Sequence[Task], most: int) -> list[Task]:
    """At most so many of the tasks, the first and the last among them, evenly between."""
    if len(tasks) <= most:
        return list(tasks)
    step = (len(tasks) - 1) / (most - 1)
    return [tasks[round(n * step)] for n in range(most)]
