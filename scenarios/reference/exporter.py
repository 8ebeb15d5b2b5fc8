"""The audit exporter: `python -m scenarios.reference.exporter`.

It follows each tenant's namespace and delivers one CloudEvent for each transition, at least once:

- *find*: visibility is late and unordered, so three rescans of growing windows list what began;
  the last one lists everything that is retained.
- *follow*: each run that is not exported to its end has a task, which reads its history from the
  first event on by long polls, at a bounded pace.
- *deliver*: until the sink acknowledges; only then the run's cursor is saved.

A mutant is the same process with one part replaced: `main(Parts(event_of=…))`.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NoReturn

import aiohttp
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import (
    GetWorkflowExecutionHistoryRequest,
    GetWorkflowExecutionHistoryResponse,
    ListWorkflowExecutionsRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from scenarios.reference.answer import new_session
from scenarios.reference.audit_event import EventOf, Reader, Run, Transition, event_of
from scenarios.reference.cursors import Cursors
from scenarios.reference.process import run, say_ready
from scenarios.reference.settings import Engine, Environment, Tenant

CONTRACT_VERSION: Final = "1.0"
CONTENT_TYPE: Final = "application/cloudevents+json; charset=utf-8"
PAGE: Final = 1000
WINDOW_S: Final = 5.0
WIDE_WINDOW_S: Final = 120.0
WIDE_EVERY_S: Final = 3.0
ALL_EVERY_S: Final = 30.0
LONG_POLL_S: Final = 20.0
LONG_POLLS: Final = 400
"""At most so many at once in one namespace; with more open runs each poll is shorter."""
DELIVERIES: Final = 16
DELIVERY_S: Final = 5.0
BACKOFF_S: Final = (0.1, 0.2, 0.5, 1.0)
FLUSH_S: Final = 5.0

Deliver = Callable[[aiohttp.ClientSession, str, Mapping[str, Any]], Awaitable[bool]]
"""(http, URL, event) → whether it was acknowledged; it is called again until it is."""


async def deliver(http: aiohttp.ClientSession, url: str, event: Mapping[str, Any]) -> bool:
    """POST one event in structured mode, once."""
    try:
        async with (
            asyncio.timeout(DELIVERY_S),
            http.post(
                url,
                data=json.dumps(event, ensure_ascii=False).encode(),
                headers={"Content-Type": CONTENT_TYPE},
                allow_redirects=False,
            ) as answer,
        ):
            await answer.read()
            return 200 <= answer.status < 300
    except (aiohttp.ClientError, OSError, TimeoutError):
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the exporter is told."""

    engine: Engine
    tenants: tuple[Tenant, ...]
    audit_url: str
    state: Path
    prefix: str = ""
    find_every_ms: int = 500
    pace_ms: int = 750

    @classmethod
    def from_environment(cls, variables: Mapping[str, str]) -> Settings:
        """Raises `BadEnvironment` with all problems."""
        env = Environment(variables)
        settings = cls(
            engine=env.engine(),
            tenants=env.tenants(),
            audit_url=env.text("HARNESS_AUDIT_URL"),
            state=Path(env.text("HARNESS_EXPORTER_STATE")),
            prefix=env.text("HARNESS_AUDIT_PREFIX", ""),
            find_every_ms=env.integer("REFERENCE_FIND_EVERY_MS", 500),
            pace_ms=env.integer("REFERENCE_PACE_MS", 750),
        )
        env.check()
        return settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The replaceable parts of the exporter; the defaults are the reference exporter."""

    event_of: EventOf = event_of
    deliver: Deliver = deliver


DEFAULT: Final = Parts()


class Sink:
    """Where events go: each is delivered until it is acknowledged."""

    def __init__(self, settings: Settings, parts: Parts, http: aiohttp.ClientSession) -> None:
        self._settings = settings
        self._parts = parts
        self._http = http
        self._at_once = asyncio.Semaphore(DELIVERIES)

    async def put(self, transition: Transition) -> None:
        """Returns when the transition is acknowledged, or is not to be reported."""
        event = self._parts.event_of(transition, self._settings.prefix)
        if event is None:
            return
        failures = 0
        while True:
            async with self._at_once:
                if await self._parts.deliver(self._http, self._settings.audit_url, event):
                    return
            await asyncio.sleep(BACKOFF_S[min(failures, len(BACKOFF_S) - 1)])
            failures += 1


class Namespace:
    """Follows all runs of one tenant."""

    def __init__(
        self, tenant: Tenant, client: Client, settings: Settings, cursors: Cursors, sink: Sink
    ) -> None:
        self._tenant = tenant
        self._client = client
        self._settings = settings
        self._cursors = cursors
        self._sink = sink
        self._followed: dict[str, asyncio.Task[None]] = {}
        self._finders: list[asyncio.Task[None]] = []
        self._idle: set[asyncio.Task[Any]] = set()
        self._polls = asyncio.Semaphore(LONG_POLLS)
        self._stopping = False

    async def start(self) -> list[asyncio.Task[None]]:
        """Returns the finders when everything that can be found is followed; none ever ends."""
        for workflow_id, run_id in self._cursors.unfinished(self._tenant.namespace):
            self._follow(workflow_id, run_id)
        while not await self._find(None):  # noqa: ASYNC110 - the engine is asked again
            await asyncio.sleep(BACKOFF_S[-1])
        for window_s, every_s in (
            (WINDOW_S, self._settings.find_every_ms / 1000),
            (WIDE_WINDOW_S, WIDE_EVERY_S),
            (None, ALL_EVERY_S),
        ):
            self._finders.append(asyncio.create_task(self._keep_finding(window_s, every_s)))
        return self._finders

    async def stop(self) -> None:
        """Deliver what was read, and end; the rest is read again by the next exporter."""
        self._stopping = True
        for task in [*self._finders, *self._idle]:
            task.cancel()
        if self._followed:
            await asyncio.wait(self._followed.values(), timeout=FLUSH_S)

    # --- find ---------------------------------------------------------------------------------

    async def _keep_finding(self, window_s: float | None, every_s: float) -> None:
        """Rescan for ever; at most a tenth of the time is spent on it."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            await self._find(window_s)
            await asyncio.sleep(max(every_s, 9 * (loop.time() - began)))

    async def _find(self, window_s: float | None) -> bool:
        """Follow the runs that began within the window; False if the engine did not answer."""
        try:
            async for workflow_id, run_id in self._listed(window_s):
                self._follow(workflow_id, run_id)
        except RPCError as error:
            self._complain("list", error)
            return False
        return True

    async def _listed(self, window_s: float | None) -> Any:
        namespace, token, query = self._tenant.namespace, b"", ""
        if window_s is not None:
            since = datetime.now(UTC) - timedelta(seconds=window_s)
            query = f"StartTime >= '{since.isoformat()}'"
        while True:
            page = await self._client.workflow_service.list_workflow_executions(
                ListWorkflowExecutionsRequest(
                    namespace=namespace, page_size=PAGE, next_page_token=token, query=query
                )
            )
            found = {e.execution.run_id: e.execution.workflow_id for e in page.executions}
            new = found.keys() - self._followed.keys()
            for run_id in new - self._cursors.closed(namespace, new):
                yield found[run_id], run_id
            token = page.next_page_token
            if not token:
                return

    # --- follow -------------------------------------------------------------------------------

    def _follow(self, workflow_id: str, run_id: str) -> None:
        if run_id in self._followed or self._stopping:
            return
        of = Run(
            tenant=self._tenant.tenant,
            namespace=self._tenant.namespace,
            workflow_id=workflow_id,
            run_id=run_id,
        )
        task = asyncio.create_task(self._export(of))
        self._followed[run_id] = task
        task.add_done_callback(lambda _: self._followed.pop(run_id, None))

    async def _export(self, of: Run) -> None:
        """Export one run to its end; what the engine lost is found again by the next rescan."""
        exported = self._cursors.exported(of.namespace, of.run_id)
        reader, token = Reader(of), b""
        while not reader.closed and not self._stopping:
            await self._rest(self._settings.pace_ms / 1000)
            try:
                page = await self._next_page(of, token)
            except RPCError as error:
                if error.status == RPCStatusCode.DEADLINE_EXCEEDED:
                    continue  # nothing new
                if error.status == RPCStatusCode.NOT_FOUND:
                    return
                self._complain(of.workflow_id, error)
                reader, token = Reader(of), b""
                await self._rest(BACKOFF_S[-1])
                continue
            for transition in reader.read(page.history.events):
                if transition.event_id > exported:
                    exported = await self._put(transition)
            token = page.next_page_token
            if not token and not reader.closed:
                reader = Reader(of)

    async def _put(self, transition: Transition) -> int:
        """Deliver, then save the cursor; the id up to which the run is exported now."""
        await self._sink.put(transition)
        of = transition.run
        self._cursors.save(
            of.namespace,
            of.workflow_id,
            of.run_id,
            transition.event_id,
            closed=transition.ends_run,
        )
        return transition.event_id

    async def _next_page(self, of: Run, token: bytes) -> GetWorkflowExecutionHistoryResponse:
        """The next events of a run; waits for them, but not for ever."""
        with self._interruptible():
            async with self._polls:
                return await self._client.workflow_service.get_workflow_execution_history(
                    GetWorkflowExecutionHistoryRequest(
                        namespace=of.namespace,
                        execution=WorkflowExecution(workflow_id=of.workflow_id, run_id=of.run_id),
                        maximum_page_size=PAGE,
                        next_page_token=token,
                        wait_new_event=True,
                    ),
                    timeout=timedelta(seconds=self._poll_s()),
                )

    def _poll_s(self) -> float:
        """How long a poll may last, so that every followed run has its turn within seconds."""
        crowd = len(self._followed) / LONG_POLLS
        return LONG_POLL_S if crowd <= 1 else max(0.3, 2.5 / crowd)

    async def _rest(self, seconds: float) -> None:
        with self._interruptible():
            await asyncio.sleep(seconds)

    @contextlib.contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Within it, a run's task may be ended at once: nothing was read that is not delivered."""
        task = asyncio.current_task()
        assert task is not None
        self._idle.add(task)
        try:
            yield
        finally:
            self._idle.discard(task)

    def _complain(self, where: str, error: RPCError) -> None:
        text = f"{self._tenant.namespace}: {where}: {error.status.name}: {error.message}"
        print(text, file=sys.stderr, flush=True)


async def serve(settings: Settings, parts: Parts, stop: asyncio.Event) -> None:
    """Follow all tenants until `stop` is set; says when it does."""
    identity = f"reference-exporter-{os.getpid()}"
    connect = settings.engine.connect
    clients = await asyncio.gather(*(connect(t.namespace, identity) for t in settings.tenants))
    async with new_session() as http:
        with Cursors(settings.state) as cursors:
            sink = Sink(settings, parts, http)
            namespaces = [
                Namespace(tenant, client, settings, cursors, sink)
                for tenant, client in zip(settings.tenants, clients, strict=True)
            ]
            finders = await asyncio.gather(*(namespace.start() for namespace in namespaces))
            say_ready(contract=CONTRACT_VERSION, part="exporter")
            await _first_end(
                stop.wait(), settings.engine.keep_token(clients), *itertools.chain(*finders)
            )
            await asyncio.gather(*(namespace.stop() for namespace in namespaces))


async def _first_end(*ends: Awaitable[Any]) -> None:
    """Wait until one ends, and raise what it ended with."""
    tasks = [asyncio.ensure_future(end) for end in ends]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    for task in done:
        task.result()


def main(parts: Parts = DEFAULT) -> NoReturn:
    """Run the exporter until SIGTERM."""
    run(lambda stop: serve(Settings.from_environment(os.environ), parts, stop))


if __name__ == "__main__":
    main()
