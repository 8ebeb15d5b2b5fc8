"""When the activities of a history were scheduled, started and closed, by its events' times.

The engine writes the event of a start no earlier than that of the end (an attempt that is tried
again leaves none), yet with the time of the start. A local activity never reaches the engine: the
worker tells of it when its workflow task ends, by a marker. So the two times of such an activity
are that task's start and its end, between which all local activities of the task ran.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from harness.contract.noop import LOCAL_MARKERS

ENDS: Final = {
    EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED: "completed",
    EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED: "failed",
    EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT: "timed_out",
    EventType.EVENT_TYPE_ACTIVITY_TASK_CANCELED: "canceled",
}


class Activity(NamedTuple):
    """What the events of one activity say, as the members of `records.Executed`."""

    run_started_ns: int
    type: str
    local: bool
    attempt: int
    scheduled_ns: int
    started_ns: int
    closed_ns: int
    ended: str


def activities(events: Sequence[HistoryEvent]) -> Iterator[Activity]:
    """The activities of a history, in the order in which they were scheduled."""
    by_id = {event.event_id: event for event in events}
    begun_ns = _at_ns(events[0]) if events else 0
    starts: dict[int, HistoryEvent] = {}
    ends: dict[int, HistoryEvent] = {}
    for event in events:
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
            starts[event.activity_task_started_event_attributes.scheduled_event_id] = event
        elif event.event_type in ENDS:
            ends[_attributes(event).scheduled_event_id] = event
    for event in events:
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            yield _ordinary(event, starts.get(event.event_id), ends.get(event.event_id), begun_ns)
        elif event.event_type == EventType.EVENT_TYPE_MARKER_RECORDED:
            marker = event.marker_recorded_event_attributes
            if marker.marker_name in LOCAL_MARKERS:
                yield _local(event, by_id, begun_ns)


def _ordinary(
    scheduled: HistoryEvent, start: HistoryEvent | None, end: HistoryEvent | None, begun_ns: int
) -> Activity:
    return Activity(
        run_started_ns=begun_ns,
        type=scheduled.activity_task_scheduled_event_attributes.activity_type.name,
        local=False,
        attempt=start.activity_task_started_event_attributes.attempt if start else 0,
        scheduled_ns=_at_ns(scheduled),
        started_ns=_at_ns(start) if start else 0,
        closed_ns=_at_ns(end) if end else 0,
        ended=ENDS[end.event_type] if end else "",
    )


def _local(marker: HistoryEvent, by_id: dict[int, HistoryEvent], begun_ns: int) -> Activity:
    attributes = marker.marker_recorded_event_attributes
    task = by_id.get(attributes.workflow_task_completed_event_id)
    start = task and by_id.get(task.workflow_task_completed_event_attributes.started_event_id)
    return Activity(
        run_started_ns=begun_ns,
        type=attributes.marker_name,
        local=True,
        attempt=0,
        scheduled_ns=_at_ns(start) if start else 0,
        started_ns=0,
        closed_ns=_at_ns(marker),
        ended="failed" if attributes.HasField("failure") else "completed",
    )


def _attributes(event: HistoryEvent) -> Any:
    return getattr(event, event.WhichOneof("attributes") or "")


def _at_ns(event: HistoryEvent) -> int:
    return int(event.event_time.ToNanoseconds())
