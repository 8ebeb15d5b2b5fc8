"""Replaying over the wire: a frontend's process, and the worker's own command before it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from harness.errors import DriveError, UnavailableError
from harness.platform.child import Child, Children
from harness.platform.registry import Registry, sweep
from harness.replay.corpus import Entry
from harness.replay.frontend.plan import DONE, RESTART, Addresses, News, Plan, Summary, Wanted
from harness.replay.verdicts import HistoryVerdict
from harness.run.replay import Asked
from harness.tools.cache import cache_folder

FRONTEND_READY_S: Final = 60.0  # it looks at every history's beginning
RESTARTS: Final = 10  # of a worker that ends by itself
STOP_WITHIN_S: Final = 3.0
SAID_LINES: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """The worker to be judged: its command, and what it is told besides the contract's variables.

    Of `tenants_apart` each tenant has a process of its own.
    """

    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    tenants_apart: bool = False


def replay_worker(asked: Asked) -> list[HistoryVerdict]:
    """Replay by a worker's command; raises `UnavailableError` if nothing can be judged."""
    for line in sweep(cache_folder() / "running"):
        asked.progress(line)
    return asyncio.run(_alone(asked))


async def _alone(asked: Asked) -> list[HistoryVerdict]:
    with contextlib.closing(Registry(cache_folder() / "running")) as registry:
        logs = _logs(asked.logs or registry.folder)
        out = registry.folder / "verdicts.jsonl"
        plan = Plan(
            wanted=wanted(asked.entries),
            modes=list(asked.modes),
            namespace=asked.namespace,
            at_once=asked.at_once,
            ready_within_s=asked.ready_within_s,
            task_within_s=asked.task_within_s,
            out=str(out),
        )
        async with Children(registry, logs) as children:
            summary = await replay_over_wire(
                children, registry.folder, plan, Build(command=asked.command, cwd=asked.cwd)
            )
        for line in _besides(summary):
            asked.progress(line)
        return [
            msgspec.json.decode(line, type=HistoryVerdict) for line in out.read_bytes().splitlines()
        ]


def wanted(entries: Sequence[Entry]) -> list[Wanted]:
    """Entries as they are told to the frontend."""
    return [
        Wanted(
            path=str(each.path.resolve()),
            name=each.name,
            tenant=each.tenant,
            namespace=each.namespace,
            workflow_id=each.workflow_id,
            run_id=each.run_id,
        )
        for each in entries
    ]


def _logs(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise UnavailableError(
            f"--logs {folder}: {error.strerror}; name a folder that can be written"
        ) from None


def _besides(summary: Summary) -> Iterator[str]:
    """How fast it went, and what the worker did besides: such calls never leave this machine."""
    rate = summary.histories / max(summary.seconds, 0.001)
    yield f"{summary.histories} histories in {summary.seconds:.1f} s once it polled, {rate:.0f}/s"
    for what, calls in (("client calls", summary.calls), ("HTTP requests", summary.outside)):
        if calls:
            told = ", ".join(f"{count} × {name}" for name, count in sorted(calls.items())[:5])
            yield f"the worker's own {what} were recorded and not passed on: {told}"


async def replay_over_wire(children: Children, folder: Path, plan: Plan, build: Build) -> Summary:
    """Serve a plan's histories to a worker and judge; the verdicts are where the plan says.

    Raises `UnavailableError` if the worker cannot be judged at all.
    """
    path = folder / "replay-plan.json"
    path.write_bytes(msgspec.json.encode(plan))
    frontend = await children.start(
        "replay-frontend", [sys.executable, "-m", "harness.replay.frontend", str(path)], stdin=True
    )
    told = await frontend.ready(FRONTEND_READY_S, "see what it said")
    addresses = msgspec.json.decode(told, type=Addresses)
    lines = frontend.requests()
    workers = _Workers(children, frontend, plan, build, addresses)
    keeping = asyncio.create_task(workers.keep())
    said: deque[str] = deque(maxlen=SAID_LINES)
    try:
        while (line := await lines.get()) is not None:
            if line == RESTART:
                await workers.stop()
            else:
                said.append(line)
        code = await frontend.wait(STOP_WITHIN_S)
    finally:
        keeping.cancel()
        await asyncio.wait({keeping})
        await workers.stop()
    last = said[-1] if said else ""
    if code or not last.startswith(DONE):
        told = "\n".join(f"    {line}" for line in said)
        raise DriveError(f"the replay frontend ended with {code}; its last lines:\n{told}")
    summary = msgspec.json.decode(last.removeprefix(DONE), type=Summary)
    if summary.trouble:
        raise UnavailableError(f"{summary.trouble}{workers.tail()}")
    return summary


async def _ended(frontend: Child) -> int:
    while (code := await frontend.wait(3600)) is None:
        continue
    return code


class _Workers:
    """The worker's processes: started, watched, started again when they end by themselves."""

    def __init__(
        self, children: Children, frontend: Child, plan: Plan, build: Build, addresses: Addresses
    ) -> None:
        self._children = children
        self._frontend = frontend
        self._plan = plan
        self._build = build
        self._addresses = addresses
        self._running: list[Child] = []
        self._ended: list[Child] = []
        self._starts = 0

    async def keep(self) -> None:
        """Keep the worker running, and tell the frontend what becomes of it."""
        while True:
            self._running = [await self._start(env) for env in self._environments()]
            self._tell(News(started=True))
            how = await self._gone()
            await self._end()
            self._ended = self._running
            last = self._starts > RESTARTS
            self._tell(News(gone=how, last=last))
            if last:
                return

    async def _start(self, env: Mapping[str, str]) -> Child:
        self._starts += 1
        return await self._children.start(
            f"replay-worker-{self._starts}",
            self._build.command,
            env=env,
            cwd=self._build.cwd,
            whole_env=True,
        )

    def _environments(self) -> list[dict[str, str]]:
        queues = self._addresses.queues
        if not self._build.tenants_apart:
            return [self._environment(queues)]
        tenants = dict.fromkeys(tenant for tenant, _, _ in queues)
        return [self._environment([q for q in queues if q[0] == tenant]) for tenant in tenants]

    def _environment(self, queues: Sequence[tuple[str, str, str]]) -> dict[str, str]:
        """What the contract says, and nothing that leads to a real engine."""
        names = ("tenant", "namespace", "task_queue")
        given = {**os.environ, **self._build.env}
        return {
            **{name: value for name, value in given.items() if not _leads_out(name)},
            "TEMPORAL_ADDRESS": self._addresses.engine,
            "TEMPORAL_NAMESPACE": queues[0][1] if queues else self._plan.namespace,
            "HARNESS_TENANTS": json.dumps([dict(zip(names, q, strict=True)) for q in queues]),
            "HARNESS_PDP_URL": self._addresses.outside,
            "HARNESS_PDP_DEADLINE_MS": "1000",
            "HARNESS_SERVICES_URL": self._addresses.outside,
            "HARNESS_SERVICE_DEADLINE_MS": "1000",
            "HARNESS_AUDIT_URL": self._addresses.outside,
        }

    async def _gone(self) -> str:
        """Wait until one of the processes ends; how."""
        waiting = [asyncio.create_task(_ended(each)) for each in self._running]
        try:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            return f"ended with exit code {done.pop().result()}"
        finally:
            for each in waiting:
                each.cancel()

    def _tell(self, news: News) -> None:
        self._frontend.tell(msgspec.json.encode(news).decode())

    async def _end(self) -> None:
        await asyncio.gather(*(each.stop(STOP_WITHIN_S) for each in self._running))

    async def stop(self) -> None:
        """End what still runs; nothing of it is needed any more."""
        await asyncio.gather(*(each.kill() for each in self._running))

    def tail(self) -> str:
        """What the worker said last: one that was just started again has said nothing yet."""
        told = [each for each in (*self._running, *self._ended) if each.lines]
        known = told or self._running
        return known[0].tail() if known else ""


def _leads_out(name: str) -> bool:
    return name.startswith(("TEMPORAL_", "HARNESS_TENANTS", "HARNESS_PDP", "HARNESS_SERVICE"))
