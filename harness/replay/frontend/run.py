"""Replaying all histories of a plan, several at once; each is judged, whatever the worker does."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from harness.outcome import Outcome
from harness.replay.corpus import Entry
from harness.replay.frontend.course import Patience
from harness.replay.frontend.matching import Matching, WorkerGone, WorkerStuck
from harness.replay.frontend.plan import News, Plan
from harness.replay.frontend.play import COLD, Player
from harness.replay.recorded import Recorded, Unreadable, read
from harness.replay.verdicts import HistoryVerdict

SILENT_STARTS: Final = 2  # of a worker that was started again and answered nothing yet
Write = Callable[[Entry, HistoryVerdict], None]
Queue = tuple[str, str, str]  # tenant, namespace, task queue; empty where not known


@dataclass(frozen=True, slots=True)
class _Job:
    entry: Entry
    mode: str


class Run:
    """One plan against one worker.

    `write` takes every verdict; `restart` asks for another process of the worker in the place of
    one that is stuck. `judged` counts histories, from `began` on the loop's clock.
    """

    def __init__(
        self,
        plan: Plan,
        entries: Sequence[Entry],
        queues: Sequence[Queue],
        matching: Matching,
        write: Write,
        restart: Callable[[], None],
    ) -> None:
        self._plan = plan
        self._restart = restart
        self._queues = queues
        self._matching = matching
        self._write = write
        self._todo = deque(enumerate(entries))
        self._cold = _evenly(len(entries), plan.cold_histories)
        self._again: list[_Job] = []
        self._started = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._over: asyncio.Future[str] = loop.create_future()
        self._restarts = 0
        self._patience = Patience(ready_by=0, poll_s=plan.ready_within_s, task_s=plan.task_within_s)
        self.judged = 0
        self.began = loop.time()

    def hear(self, news: News) -> None:
        """What the supervisor says of the worker."""
        if news.started:
            self._started.set()
        if news.gone:
            self._started.clear()
            self._matching.worker_gone(news.gone)
        if news.gone and not self._matching.polled:
            self._end(f"the worker {news.gone} before it polled anything")
        elif news.last:
            self._end(f"the worker {news.gone}, and was not started again")

    def _end(self, why: str) -> None:
        if not self._over.done():
            self._over.set_result(why)

    async def all(self) -> str:
        """Judge every history; says why nothing at all could be judged, if so."""
        await self._until_over(self._started.wait())
        loop = asyncio.get_running_loop()
        self._patience = replace(self._patience, ready_by=loop.time() + self._plan.ready_within_s)
        trouble = await self._begun()
        if trouble:
            return trouble
        self.began = loop.time()
        await self._until_over(self._rounds())
        if self._over.done() and not self._matching.answers:
            return self._over.result()
        self._give_up()
        return ""

    def _silent(self) -> str:
        return (
            f"the worker took {self._matching.given_out} tasks and answered none within "
            f"{self._plan.task_within_s:g} s"
        )

    async def _rounds(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(self._plan.at_once):
                group.create_task(self._work())
        for job in self._again:  # each alone, so that it is known with which the worker ends
            await self._started.wait()
            self._again = [each for each in self._again if each is not job]
            await self._alone(job)

    async def _until_over(self, work: Coroutine[Any, Any, object]) -> None:
        """Do the work, unless the worker is gone for good before."""
        task = asyncio.create_task(work)
        await self._first_of(task)
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
        if not task.cancelled():
            task.result()

    async def _first_of(self, task: asyncio.Task[Any], within_s: float | None = None) -> None:
        """Wait for a task, but no longer than the worker may come back."""
        either: set[asyncio.Future[Any]] = {task, self._over}
        await asyncio.wait(either, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)

    async def _begun(self) -> str:
        """Wait until one of the recorded queues is polled; says why none is."""
        wanted = {(namespace, queue) for _, namespace, queue in self._queues}
        loop = asyncio.get_running_loop()
        while not self._over.done():
            polled = self._matching.normal
            if any(queue in {name for _, name in polled} for _, queue in wanted) or not wanted:
                return ""
            left_s = self._patience.ready_by - loop.time()
            if left_s <= 0:
                return _nobody(wanted, polled, self._plan.ready_within_s)
            new = asyncio.create_task(self._matching.new_queue.wait())
            await self._first_of(new, left_s)
            new.cancel()
            self._matching.new_queue.clear()
        return self._over.result()

    async def _work(self) -> None:
        while self._todo:
            number, entry = self._todo.popleft()
            self.judged += 1
            recorded = self._read(entry)
            if recorded is None:
                continue
            modes = [m for m in self._plan.modes if m != COLD or number in self._cold]
            await asyncio.gather(*(self._play(recorded, _Job(entry, mode)) for mode in modes))

    def _read(self, entry: Entry) -> Recorded | None:
        """The history; one that cannot be read is judged so."""
        try:
            return read(entry)
        except Unreadable as error:
            self._write(entry, _of(entry, "", Outcome.INCONCLUSIVE, str(error)))
            return None

    async def _play(self, recorded: Recorded, job: _Job) -> None:
        try:
            verdict = await self._player(job.mode).play(recorded)
        except WorkerGone as gone:
            self._again.append(job)
            self._free(gone)
            return
        except asyncio.CancelledError:
            self._again.append(job)
            raise
        except Exception as error:  # noqa: BLE001 - an odd history must not keep others from it
            why = f"a bug of the harness: {type(error).__name__}: {error}"
            verdict = _of(job.entry, job.mode, Outcome.INCONCLUSIVE, why)
        self._write(job.entry, verdict)

    async def _alone(self, job: _Job) -> None:
        recorded = read(job.entry)
        try:
            verdict = await self._player(job.mode).play(recorded)
        except WorkerGone as gone:
            why = f"the worker {gone} when it is given this history alone"
            stuck = isinstance(gone, WorkerStuck)
            outcome = Outcome.INCONCLUSIVE if stuck else Outcome.FAIL
            verdict = _of(job.entry, job.mode, outcome, why)
            self._free(gone)
        except asyncio.CancelledError:
            self._again.append(job)
            raise
        self._write(job.entry, verdict)

    def _free(self, gone: WorkerGone) -> None:
        """Have a stuck worker started again, unless it has never answered anything."""
        if not isinstance(gone, WorkerStuck) or not self._started.is_set():
            return
        self._started.clear()
        self._restarts += 1
        if self._restarts > SILENT_STARTS and not self._matching.answers:
            self._end(self._silent())
        else:
            self._restart()

    def _player(self, mode: str) -> Player:
        return Player(
            self._matching, mode, self._patience, self._plan.namespace, self._plan.cold_tasks
        )

    def _give_up(self) -> None:
        """What is left when the worker is gone for good."""
        why = self._over.result() if self._over.done() else ""
        for job in self._again:
            self._write(job.entry, _of(job.entry, job.mode, Outcome.INCONCLUSIVE, why))
        for _, entry in self._todo:
            self.judged += 1
            self._write(entry, _of(entry, "", Outcome.INCONCLUSIVE, why))


def _evenly(count: int, most: int) -> frozenset[int]:
    """The numbers of at most so many of `count`, evenly drawn; 0 is all of them."""
    if not most or count <= most:
        return frozenset(range(count))
    return frozenset(n * count // most for n in range(most))


def _of(entry: Entry, mode: str, outcome: Outcome, why: str) -> HistoryVerdict:
    return HistoryVerdict(
        file=entry.name,
        mode=mode,
        outcome=outcome,
        workflow_id=entry.workflow_id,
        run_id=entry.run_id,
        message=why,
    )


def _nobody(wanted: set[tuple[str, str]], polled: set[tuple[str, str]], within_s: float) -> str:
    if not polled:
        return f"the worker polled nothing within {within_s:g} s"
    return (
        f"the worker polls other task queues ({_named(polled)}) than those of the histories "
        f"({_named(wanted)})"
    )


def _named(queues: set[tuple[str, str]]) -> str:
    found = sorted(f"{name} in {namespace}" if namespace else name for namespace, name in queues)
    more = f" and {len(found) - 4} more" if len(found) > 4 else ""
    return ", ".join(found[:4]) + more
