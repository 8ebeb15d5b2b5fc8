"""Playing histories to a worker in one mode, and the verdict on each."""

from __future__ import annotations

from typing import Final

from harness.outcome import Outcome
from harness.replay.frontend.compare import unknown_markers
from harness.replay.frontend.course import (
    HISTORY_FAILED,
    TASK_FAILED,
    Course,
    Findings,
    Patience,
)
from harness.replay.frontend.matching import Matching, NotPolled
from harness.replay.frontend.tasks import Task, evenly, tasks_of, unknown_kinds
from harness.replay.recorded import Recorded
from harness.replay.verdicts import ERROR, HistoryVerdict

WARM: Final = "warm"
COLD: Final = "cold"
WHOLE: Final = "whole"  # replayed to its end in one piece, by the SDK's own rules alone
MOST_DIFFERENCES: Final = 50
_FAILED: Final = (TASK_FAILED, HISTORY_FAILED)


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
                recorded, Findings(), Outcome.NOT_APPLICABLE, "no workflow task of it was completed"
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
        course = Findings()
        one = Course(recorded, namespace, self._matching, self._patience, course)
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

    def _judged(self, recorded: Recorded, course: Findings) -> HistoryVerdict:
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
        return self._verdict(recorded, Findings(), Outcome.INCONCLUSIVE, why)

    def _verdict(
        self, recorded: Recorded, course: Findings, outcome: Outcome, message: str
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
