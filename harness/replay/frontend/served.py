"""What is served of one history: poll answers and parts of it, joined from bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import WorkflowExecution, WorkflowType
from temporalio.api.enums.v1 import TaskQueueKind
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.query.v1 import WorkflowQuery
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import PollWorkflowTaskQueueResponse

from harness.replay.frontend.tasks import Task, tasks_of
from harness.replay.recorded import Recorded

_HISTORY_OF_POLL: Final = 8  # field numbers of `history`
_HISTORY_OF_GET: Final = 1
QUERY: Final = "__stack_trace"  # every SDK knows it, or answers that it does not
Build = Callable[[bytes], bytes]
"""Makes a poll's answer for a task token."""


class Served:
    """A history's events as bytes, so that any part of it is joined and not built anew."""

    def __init__(self, events: Sequence[HistoryEvent]) -> None:
        self._events = [field(1, event.SerializeToString()) for event in events]

    def of_poll(self, first_id: int, last_id: int) -> bytes:
        """The history from one event to another as a field of a poll's answer."""
        return field(_HISTORY_OF_POLL, self._part(first_id, last_id))

    def of_get(self, last_id: int) -> bytes:
        """The history up to an event as a field of the answer to a worker that asks for it."""
        return field(_HISTORY_OF_GET, self._part(1, last_id))

    def _part(self, first_id: int, last_id: int) -> bytes:
        return b"".join(self._events[first_id - 1 : last_id])


def field(number: int, raw: bytes) -> bytes:
    """A length-delimited field of a message."""
    return bytes([number << 3 | 2]) + _varint(len(raw)) + raw


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    found.append(number)
    return bytes(found)


class ServedRun:
    """A run as it is served, with its events as they are recorded, or with others."""

    def __init__(self, recorded: Recorded, events: Sequence[HistoryEvent] | None = None) -> None:
        self._recorded = recorded
        self._events = recorded.events if events is None else events
        self.history = Served(self._events)

    def task(self, task: Task, run_id: str, first_id: int) -> Build:
        """A task with the history from an event on."""

        def build(token: bytes) -> bytes:
            head = self._response(task, run_id, token).SerializeToString()
            return head + self.history.of_poll(first_id, task.started_id)

        return build

    def whole(self, run_id: str) -> Build:
        """A query with the whole history."""

        def build(token: bytes) -> bytes:
            response = self._head(run_id, token)
            response.previous_started_event_id = tasks_of(self._events)[-1].started_id
            response.query.CopyFrom(WorkflowQuery(query_type=QUERY))
            return response.SerializeToString() + self.history.of_poll(1, len(self._events))

        return build

    def _response(self, task: Task, run_id: str, token: bytes) -> PollWorkflowTaskQueueResponse:
        response = self._head(run_id, token)
        response.previous_started_event_id = task.previous_started_id
        response.started_event_id = task.started_id
        response.messages.extend(task.messages)
        started = self._events[task.started_id - 1]
        scheduled_id = started.workflow_task_started_event_attributes.scheduled_event_id
        response.scheduled_time.CopyFrom(self._time(scheduled_id))
        response.started_time.CopyFrom(started.event_time)
        return response

    def _head(self, run_id: str, token: bytes) -> PollWorkflowTaskQueueResponse:
        return PollWorkflowTaskQueueResponse(
            task_token=token,
            workflow_execution=WorkflowExecution(
                workflow_id=self._recorded.workflow_id, run_id=run_id
            ),
            workflow_type=WorkflowType(name=self._recorded.workflow_type),
            attempt=1,
            workflow_execution_task_queue=TaskQueue(
                name=self._recorded.task_queue, kind=TaskQueueKind.TASK_QUEUE_KIND_NORMAL
            ),
        )

    def _time(self, event_id: int) -> Timestamp:
        return self._events[max(event_id, 1) - 1].event_time
