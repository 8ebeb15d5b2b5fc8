"""A planned load in several processes of Locust: who takes which part of the plan.

The master gives each worker process a part of the plan and one moment to begin at, and ends the
test when all have ended theirs. A worker that is lost in the middle leaves its part open; the rest
goes on, and whoever judges finds the arrivals that nobody accounts for.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import gevent
from locust.runners import MasterRunner, WorkerRunner

from harness.load.engine import Part

PART: Final = "harness-part"
ENDED: Final = "harness-ended"
BEGIN_AFTER_NS: Final = 3_000_000_000  # every worker is to be connected by then
_EVERY_S: Final = 0.5
Failed = Callable[[str, int], None]


class Parts:
    """The master's side. `failed` is told of a worker's failure: message and exit code."""

    def __init__(self, runner: MasterRunner, failed: Failed, *, web: bool) -> None:
        self._runner = runner
        self._failed = failed
        self._web = web
        self._open: set[str] = set()
        runner.register_message(ENDED, self._ended)

    def give(self) -> int:
        """Give every worker that is ready its part, and watch them; how many there are."""
        workers = sorted(worker.id for worker in self._runner.clients.ready)
        begin_wall_ns = time.time_ns() + BEGIN_AFTER_NS
        for number, worker in enumerate(workers):
            part = {"number": number, "of": len(workers), "begin_wall_ns": begin_wall_ns}
            self._runner.send_message(PART, part, worker)
        self._open = set(workers)
        gevent.spawn(self._watch)
        return len(workers)

    def _ended(self, msg: Any, **_: Any) -> None:
        self._open.discard(msg.node_id)
        if msg.data["failure"]:
            self._failed(msg.data["failure"], msg.data["exit_code"])

    def _watch(self) -> None:
        while self._open:
            gevent.sleep(_EVERY_S)
            there = {worker.id for worker in self._runner.clients.all}
            gone = {worker.id for worker in self._runner.clients.missing}
            self._open &= there - gone
        if self._web:
            self._runner.stop()
        else:
            self._runner.quit()


class MyPart:
    """The worker's side: the part that it was given last."""

    def __init__(self, runner: WorkerRunner) -> None:
        self._runner = runner
        self.part: Part | None = None
        runner.register_message(PART, self._given)

    @property
    def beside(self) -> Part:
        """What this process is in a run without a plan: one of any number."""
        return Part(number=self._runner.worker_index, of=0)

    def _given(self, msg: Any, **_: Any) -> None:
        self.part = Part(**msg.data)

    def end(self, failure: str, exit_code: int) -> None:
        """Tell the master that this part has ended, and its files are written."""
        self._runner.send_message(ENDED, {"failure": failure, "exit_code": exit_code})
