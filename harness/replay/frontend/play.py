"""Playing one history to a worker: task after task, and what came of it."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, field
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import WorkflowExecution, WorkflowType
from temporalio.api.enums.v1 import QueryResultType, TaskQueueKind, WorkflowTaskFailedCause
from temporalio.api.query.v1 import WorkflowQuery
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    PollWorkflowTaskQueueResponse,
    RespondQueryTaskCompletedRequest,
    RespondWorkflowTaskCompletedRequest,
    RespondWorkflowTaskFailedRequest,
)

from harness.journal.records import Difference
from harness.outcome import Outcome
from harness.replay.frontend.attributes import Own
from harness.replay.frontend.compare import (
    Compared,
    Known,
    UnknownCommand,
    begins_with_made,
    compare,
    unknown_markers,
)
from harness.replay.frontend.matching import Matching, NotAnswered, NotPolled, Offer
from harness.replay.frontend.tasks import Served, Task, beyond, evenly, tasks_of, unknown_kinds
from harness.replay.recorded import Recorded
from harness.replay.verdicts import ERROR, HistoryVerdict

WARM: Final = "warm"
COLD: Final = "cold"
WHOLE: Final = "whole"  # replayed to its end in one piece, by the SDK's own rules alone
STICKY_WITHIN_S: Final = 5.0  # a worker that does not poll its own queue any more gets it cold
MOST_DIFFERENCES: Final = 50
LONGEST: Final = 500  # characters of what a worker says of a task that it fails
TASK_FAILED: Final = "task"
HISTORY_FAILED: Final = "history"
_FAILED: Final = (TASK_FAILED, HISTORY_FAILED)
_QUERY: Final = "__stack_trace"  # every SDK knows it, or answers that it does not
_NONDETERMINISM: Final = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long is waited: `ready_by`, a time of the loop's clock, for the first poll of a queue;
    seconds for a task to be polled for, and to be answered."""

    ready_by: float
    poll_s: float
    task_s: float


@dataclass(slots=True)
class _Course:
    """What has come of a history so far."""

    differences: list[Difference] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    compared: int = 0
    tasks: int = 0
    ahead: int = 0


class Player:
    """Plays histories in one mode."""

    def __init__(
        self, matching: Matching, mode: str, patience: Patience, namespace: str, cold_tasks: int = 0
    ) -> None:
        self._matching = matching
        self._mode = mode
        self._patience = patience
        self._namespace = namespace
        self._cold_tasks = cold_tasks

    async def play(self, recorded: Recorded) -> HistoryVerdict:
        """The verdict on one history; raises `WorkerGone`."""
        strange = unknown_kinds(recorded.events) + unknown_markers(recorded.events)
        if strange:
            return self._inconclusive(recorded, f"not compared: {', '.join(strange)}")
        tasks = tasks_of(recorded.events)
        if not tasks:
            return self._verdict(
                recorded, _Course(), Outcome.NOT_APPLICABLE, "no workflow task of it was completed"
            )
        namespace = self._namespace_of(recorded)
        queue = (namespace, recorded.task_queue)
        try:
            await self._matching.first_poll(queue, self._patience.ready_by)
        except NotPolled:
            return self._inconclusive(recorded, self._nobody_polls(queue))
        return await self._played(recorded, tasks, namespace)

    def _namespace_of(self, recorded: Recorded) -> str:
        """As recorded; else the only one in which its queue is polled, else the one given."""
        if recorded.entry.namespace:
            return recorded.entry.namespace
        polled = {ns for ns, name in self._matching.normal if name == recorded.task_queue}
        return polled.pop() if len(polled) == 1 else self._namespace

    def _nobody_polls(self, queue: tuple[str, str]) -> str:
        others = ", ".join(sorted(f"{name} in {ns}" for ns, name in self._matching.normal))
        return (
            f"the worker does not poll its task queue {queue[1]} in namespace {queue[0]}; "
            f"it polls {others or 'nothing'}"
        )

    async def _played(
        self, recorded: Recorded, tasks: list[Task], namespace: str
    ) -> HistoryVerdict:
        course = _Course()
        one = _One(recorded, namespace, self._matching, self._patience, course)
        chosen = tasks
        if self._mode == COLD and self._cold_tasks:
            chosen = evenly(tasks, self._cold_tasks)
            if len(chosen) < len(tasks):
                course.notes.append(f"{len(chosen)} of {len(tasks)} tasks, evenly drawn")
        if self._mode == WHOLE:
            await one.whole()
        else:
            await one.all(chosen, warm=self._mode == WARM)
        return self._judged(recorded, course)

    def _judged(self, recorded: Recorded, course: _Course) -> HistoryVerdict:
        red = [each for each in course.differences if each.severity == ERROR]
        if red:
            said = next((each.replayed for each in red if each.attribute in _FAILED), "")
            said = said or f"{len(red)} recorded commands or attributes differ"
            return self._verdict(recorded, course, Outcome.FAIL, said)
        if course.ahead and not course.compared:
            course.open.append(f"nothing could be compared: {course.notes[-1]}")
        if course.open:
            more = f" (and {len(course.open) - 1} more)" if len(course.open) > 1 else ""
            return self._verdict(recorded, course, Outcome.INCONCLUSIVE, course.open[0] + more)
        return self._verdict(recorded, course, Outcome.PASS, "")

    def _inconclusive(self, recorded: Recorded, why: str) -> HistoryVerdict:
        return self._verdict(recorded, _Course(), Outcome.INCONCLUSIVE, why)

    def _verdict(
        self, recorded: Recorded, course: _Course, outcome: Outcome, message: str
    ) -> HistoryVerdict:
        return HistoryVerdict(
            file=recorded.entry.name,
            mode=self._mode,
            outcome=outcome,
            workflow_type=recorded.workflow_type,
            workflow_id=recorded.workflow_id,
            run_id=recorded.run_id,
            message=message[:600],
            differences=course.differences[:MOST_DIFFERENCES],
            notes=course.notes,
            tasks=course.tasks,
            compared=course.compared,
        )


class _One:
    """One history under one run id after the other.

    A worker that has the run in its cache gets only what is new, on its sticky queue. Everything
    else goes to the normal queue whole, each time under a run id of its own: a run that is cached
    is not taken a second time from its beginning.
    """

    def __init__(
        self,
        recorded: Recorded,
        namespace: str,
        matching: Matching,
        patience: Patience,
        course: _Course,
    ) -> None:
        self._recorded = recorded
        self._namespace = namespace
        self._matching = matching
        self._patience = patience
        self._course = course
        self._events = recorded.events
        self._served = Served(recorded.events)
        self._known = Known(recorded.events)
        self._own = Own(
            task_queue=recorded.task_queue,
            workflow_type=recorded.workflow_type,
            namespace=namespace,
        )
        self._run_id = ""
        self._sticky = ""

    async def all(self, tasks: list[Task], *, warm: bool) -> None:
        """Play these tasks; a warm run goes on after trouble under another run id."""
        for number, task in enumerate(tasks):
            if not warm:
                self._sticky = ""
            if not self._sticky:
                self._run_id = self._recorded.run_id if warm and number == 0 else _other_run_id()
            try:
                compared = await self._task(task)
            except NotAnswered:
                self._course.open.append(
                    f"no answer within {self._patience.task_s:g} s to the task that ended with "
                    f"event {task.completed_id}"
                )
                return  # one that hangs would hang in every later task
            except NotPolled:
                self._course.open.append(
                    f"nobody polled for the task that ended with event {task.completed_id} "
                    f"within {self._patience.poll_s:g} s"
                )
                return
            if compared is None or compared.ahead or compared.errors or compared.open:
                self._sticky = ""
            if compared is not None:
                await self._after(task, compared)

    async def _task(self, task: Task) -> Compared | None:
        """Play one task; None if the worker failed it."""
        self._course.tasks += 1
        answer = await self._answer(task)
        if isinstance(answer, RespondWorkflowTaskFailedRequest):
            self._failed(task, answer)
            return None
        self._sticky = answer.sticky_attributes.worker_task_queue.name
        done = self._compared(task, answer)
        self._course.differences += done.differences
        self._course.compared += done.compared
        return done

    async def _after(self, task: Task, compared: Compared) -> None:
        """What a task left open: what is behind a new patch, or after a value that was made."""
        if compared.ahead:
            self._course.ahead += 1
            self._course.notes.append(f"event {task.completed_id}: {compared.ahead}")
            if task.last:
                await self.whole()
        if compared.open and not await self._rest_is_same(task, compared):
            self._course.open.append(compared.open)

    async def _rest_is_same(self, task: Task, compared: Compared) -> bool:
        """Whether what follows a value that was made anew is as recorded, with the recorded value.

        What differs then is no proof either: time, too, goes on with such a value.
        """
        served, events, made = self._served, self._recorded.events, compared.made
        while made >= 0:
            resumed = beyond(events, task, made)
            if resumed is None:
                return False
            self._sticky, self._run_id = "", _other_run_id()
            task, events = resumed.task, resumed.events
            self._events, self._served = events, Served(events)
            try:
                answer = await self._ask(task, self._recorded.task_queue, self._patience.poll_s)
            except (NotAnswered, NotPolled):
                return False
            finally:
                self._events, self._served = self._recorded.events, served
            if isinstance(answer, RespondWorkflowTaskFailedRequest):
                return False
            done = self._compared(task, answer)
            if done.errors or (done.open and done.made < 0) or done.ahead:
                return False
            self._course.compared += done.compared
            made = done.made
        return compared.made >= 0

    def _compared(self, task: Task, answer: RespondWorkflowTaskCompletedRequest) -> Compared:
        if answer.force_create_new_workflow_task and not answer.commands:
            why = f"event {task.completed_id}: a local activity runs on"
            return Compared(open=why, made=0 if begins_with_made(task) else -1)
        try:
            return compare(task, answer.commands, answer.messages, self._own, self._known)
        except UnknownCommand as error:
            return Compared(open=f"event {task.completed_id}: {error} is not known here")

    def _failed(self, task: Task, answer: RespondWorkflowTaskFailedRequest) -> None:
        self._sticky = ""
        cause = WorkflowTaskFailedCause.Name(answer.cause)
        cause = cause.removeprefix("WORKFLOW_TASK_FAILED_CAUSE_")
        self._differs(TASK_FAILED, task.completed_id, f"{cause}: {_said(answer.failure)}")

    def _differs(self, attribute: str, event_id: int, answered: str) -> None:
        self._course.differences.append(
            Difference(
                event_id=event_id,
                attribute=attribute,
                recorded="completed",
                replayed=answered[:LONGEST],
                severity=ERROR,
            )
        )

    async def _answer(self, task: Task) -> Any:
        """Offer a task, warm if the worker may have the run still, else whole."""
        if self._sticky:
            try:
                return await self._ask(task, self._sticky, STICKY_WITHIN_S)
            except NotPolled:
                self._sticky = ""
                self._run_id = _other_run_id()
        return await self._ask(task, self._recorded.task_queue, self._patience.poll_s)

    async def _ask(self, task: Task, queue: str, polled_within_s: float) -> Any:
        first = task.previous_started_id + 1 if self._sticky else 1

        def build(token: bytes) -> bytes:
            return self._response(task, token).SerializeToString() + self._served.of_poll(
                first, task.started_id
            )

        return await self._matching.ask(
            self._offer(queue, build, task.started_id), polled_within_s, self._patience.task_s
        )

    def _offer(self, queue: str, build: Any, last_id: int) -> Offer:
        loop = asyncio.get_running_loop()
        return Offer(
            queue=(self._namespace, queue),
            build=build,
            run_id=self._run_id,
            true_run_id=self._recorded.run_id,
            history=lambda: self._served.of_get(last_id),
            taken=loop.create_future(),
            answer=loop.create_future(),
        )

    def _response(self, task: Task, token: bytes) -> PollWorkflowTaskQueueResponse:
        response = self._head(token)
        response.previous_started_event_id = task.previous_started_id
        response.started_event_id = task.started_id
        response.messages.extend(task.messages)
        started = self._events[task.started_id - 1]
        scheduled_id = started.workflow_task_started_event_attributes.scheduled_event_id
        response.scheduled_time.CopyFrom(self._time(scheduled_id))
        response.started_time.CopyFrom(started.event_time)
        return response

    def _head(self, token: bytes) -> PollWorkflowTaskQueueResponse:
        return PollWorkflowTaskQueueResponse(
            task_token=token,
            workflow_execution=WorkflowExecution(
                workflow_id=self._recorded.workflow_id, run_id=self._run_id
            ),
            workflow_type=WorkflowType(name=self._recorded.workflow_type),
            attempt=1,
            workflow_execution_task_queue=TaskQueue(
                name=self._recorded.task_queue, kind=TaskQueueKind.TASK_QUEUE_KIND_NORMAL
            ),
        )

    def _time(self, event_id: int) -> Timestamp:
        return self._events[max(event_id, 1) - 1].event_time

    async def whole(self) -> None:
        """The whole history as a query's: it is replayed to its end, with no new patch in it."""
        self._run_id = _other_run_id()
        last_id = len(self._recorded.events)

        def build(token: bytes) -> bytes:
            response = self._head(token)
            response.previous_started_event_id = tasks_of(self._recorded.events)[-1].started_id
            response.query.CopyFrom(WorkflowQuery(query_type=_QUERY))
            return response.SerializeToString() + self._served.of_poll(1, last_id)

        offer = self._offer(self._recorded.task_queue, build, last_id)
        patience_s = self._patience.task_s
        try:
            answer = await self._matching.ask(offer, patience_s, patience_s)
        except (NotAnswered, NotPolled):
            self._course.open.append(f"no answer within {patience_s:g} s to the whole history")
            return
        self._replayed_whole(answer)

    def _replayed_whole(self, answer: Any) -> None:
        """An answer, or that there is no such query, comes after a replay to the end."""
        self._course.tasks += 1
        said = _said(answer.failure)
        if isinstance(answer, RespondQueryTaskCompletedRequest):
            said = said or " ".join(answer.error_message.split())
            answered = answer.completed_type == QueryResultType.QUERY_RESULT_TYPE_ANSWERED
            if answered or (_QUERY in said and answer.cause != _NONDETERMINISM):
                return
        self._differs(HISTORY_FAILED, len(self._recorded.events), said)


def _said(failure: Any) -> str:
    """A failure's message in one line."""
    return " ".join(failure.message.split())


def _other_run_id() -> str:
    return str(uuid.uuid4())
