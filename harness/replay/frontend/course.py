"""The course of one history before a worker: task after task, and what was found."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, field
from typing import Any, Final

from temporalio.api.enums.v1 import QueryResultType, WorkflowTaskFailedCause
from temporalio.api.workflowservice.v1 import (
    RespondQueryTaskCompletedRequest,
    RespondWorkflowTaskCompletedRequest,
    RespondWorkflowTaskFailedRequest,
)

from harness.journal.records import Difference
from harness.replay.frontend.compare import (
    Compared,
    Known,
    UnknownCommand,
    begins_with_made,
    compare,
)
from harness.replay.frontend.matching import Matching, NotAnswered, NotPolled, Offer
from harness.replay.frontend.served import QUERY, Build, ServedRun
from harness.replay.frontend.tasks import Task, beyond
from harness.replay.own import Own
from harness.replay.recorded import Recorded
from harness.replay.verdicts import ERROR

STICKY_WITHIN_S: Final = 5.0  # a worker that does not poll its own queue any more gets it cold
LONGEST: Final = 500  # characters of what a worker says of a task that it fails
TASK_FAILED: Final = "task"
HISTORY_FAILED: Final = "history"
_NONDETERMINISM: Final = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long is waited: `ready_by`, a time of the loop's clock, for the first poll of a queue;
    seconds for a task to be polled for, and to be answered."""

    ready_by: float
    poll_s: float
    task_s: float


@dataclass(slots=True)
class Findings:
    """What has come of a history so far."""

    differences: list[Difference] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    compared: int = 0
    tasks: int = 0
    ahead: int = 0


class Course:
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
        found: Findings,
    ) -> None:
        self._recorded = recorded
        self._namespace = namespace
        self._matching = matching
        self._patience = patience
        self._found = found
        self._served = ServedRun(recorded)
        self._known = Known(recorded.events)
        self._own = Own(
            task_queue=recorded.task_queue,
            workflow_type=recorded.workflow_type,
            namespace=recorded.entry.namespace,
            replayed_namespace=namespace,
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
                self._found.open.append(
                    f"no answer within {self._patience.task_s:g} s to the task that ended with "
                    f"event {task.completed_id}"
                )
                return  # one that hangs would hang in every later task
            except NotPolled:
                self._found.open.append(
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
        self._found.tasks += 1
        answer = await self._answer(task)
        if isinstance(answer, RespondWorkflowTaskFailedRequest):
            self._failed(task, answer)
            return None
        self._sticky = answer.sticky_attributes.worker_task_queue.name
        done = self._compared(task, answer)
        self._found.differences += done.differences
        self._found.compared += done.compared
        return done

    async def _after(self, task: Task, compared: Compared) -> None:
        """What a task left open: what is behind a new patch, or after a value that was made."""
        if compared.ahead:
            self._found.ahead += 1
            self._found.notes.append(f"event {task.completed_id}: {compared.ahead}")
            if task.last:
                await self.whole()
        if compared.open and not await self._rest_is_same(task, compared):
            self._found.open.append(compared.open)

    async def _rest_is_same(self, task: Task, compared: Compared) -> bool:
        """Whether what follows a value that was made anew is as recorded, with the recorded value.

        What differs then is no proof either: time, too, goes on with such a value.
        """
        events, made = self._recorded.events, compared.made
        while made >= 0:
            resumed = beyond(events, task, made)
            if resumed is None:
                return False
            self._sticky, self._run_id = "", _other_run_id()
            task, events = resumed.task, resumed.events
            try:
                answer = await self._offer(task, ServedRun(self._recorded, events))
            except (NotAnswered, NotPolled):
                return False
            if isinstance(answer, RespondWorkflowTaskFailedRequest):
                return False
            done = self._compared(task, answer)
            if done.errors or (done.open and done.made < 0) or done.ahead:
                return False
            self._found.compared += done.compared
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
        self._found.differences.append(
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
            new = self._served.task(task, self._run_id, task.previous_started_id + 1)
            try:
                return await self._ask(self._sticky, new, task.started_id, STICKY_WITHIN_S)
            except NotPolled:
                self._sticky = ""
                self._run_id = _other_run_id()
        return await self._offer(task, self._served)

    async def _offer(self, task: Task, served: ServedRun) -> Any:
        """Offer a task on the normal queue, with all that was before it."""
        build = served.task(task, self._run_id, 1)
        queue, within_s = self._recorded.task_queue, self._patience.poll_s
        return await self._ask(queue, build, task.started_id, within_s, served)

    async def _ask(
        self,
        queue: str,
        build: Build,
        last_id: int,
        polled_within_s: float,
        served: ServedRun | None = None,
    ) -> Any:
        loop = asyncio.get_running_loop()
        history = (served or self._served).history
        offer = Offer(
            queue=(self._namespace, queue),
            build=build,
            run_id=self._run_id,
            true_run_id=self._recorded.run_id,
            history=lambda: history.of_get(last_id),
            taken=loop.create_future(),
            answer=loop.create_future(),
        )
        return await self._matching.ask(offer, polled_within_s, self._patience.task_s)

    async def whole(self) -> None:
        """The whole history as a query's: it is replayed to its end, with no new patch in it."""
        self._run_id = _other_run_id()
        last_id, patience_s = len(self._recorded.events), self._patience.task_s
        build, queue = self._served.whole(self._run_id), self._recorded.task_queue
        try:
            answer = await self._ask(queue, build, last_id, patience_s)
        except (NotAnswered, NotPolled):
            self._found.open.append(f"no answer within {patience_s:g} s to the whole history")
            return
        self._replayed_whole(answer)

    def _replayed_whole(self, answer: Any) -> None:
        """An answer, or that there is no such query, comes after a replay to the end."""
        self._found.tasks += 1
        said = _said(answer.failure)
        if isinstance(answer, RespondQueryTaskCompletedRequest):
            said = said or " ".join(answer.error_message.split())
            answered = answer.completed_type == QueryResultType.QUERY_RESULT_TYPE_ANSWERED
            if answered or (QUERY in said and answer.cause != _NONDETERMINISM):
                return
        self._differs(HISTORY_FAILED, len(self._recorded.events), said)


def _said(failure: Any) -> str:
    """A failure's message in one line."""
    return " ".join(failure.message.split())


def _other_run_id() -> str:
    return str(uuid.uuid4())
