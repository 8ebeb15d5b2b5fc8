"""Follows the runs of one namespace and hands on their transitions, each until it is delivered.

Visibility is late and unordered, so three rescans of growing windows list what began; the last one
lists everything that is retained. Each run that is not exported to its end has a task, which reads
its history from the first event on by long polls, at a bounded pace.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import (
    GetWorkflowExecutionHistoryRequest,
    GetWorkflowExecutionHistoryResponse,
    ListWorkflowExecutionsRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from scenarios.reference.audit_event import Reader, Run, Transition
from scenarios.reference.cursors import Cursors
from scenarios.reference.settings import Tenant

PAGE: Final = 1000
WINDOW_S: Final = 5.0
WIDE_WINDOW_S: Final = 120.0
WIDE_EVERY_S: Final = 3.0
ALL_EVERY_S: Final = 30.0
LONG_POLL_S: Final = 20.0
LONG_POLLS: Final = 1000
"""At most so many at once in one namespace; with more open runs each poll is shorter."""
TURN_S: Final = 5.0
"""Then every followed run has its turn within this time."""
LONGEST_REST_S: Final = 5.0
"""Between two rescans, so that a slow machine finds late, and not ever later."""
FLUSH_S: Final = 5.0
PAUSE_S: Final = 1.0
"""After an error of the engine."""

Put = Callable[[Transition, str], Awaitable[str]]
"""(transition, head of its run's chain) → the new head, when the transition is acknowledged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often the engine is asked: for new runs, and for what is new in one run."""

    find_every_s: float
    read_every_s: float


class Namespace:
    """Follows all runs of one tenant."""

    def __init__(
        self, *, tenant: Tenant, client: Client, cursors: Cursors, put: Put, pace: Pace
    ) -> None:
        self._tenant = tenant
        self._client = client
        self._cursors = cursors
        self._put = put
        self._pace = pace
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
            await asyncio.sleep(PAUSE_S)
        for window_s, every_s in (
            (WINDOW_S, self._pace.find_every_s),
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
        """Rescan for ever; a tenth of the time is spent on it, more on a machine that lags."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            await self._find(window_s)
            spent_s = loop.time() - began
            await asyncio.sleep(max(every_s, min(9 * spent_s, LONGEST_REST_S)))

    async def _find(self, window_s: float | None) -> bool:
        """Follow the runs that began within the window; False if the engine did not answer."""
        try:
            async for workflow_id, run_id in self._listed(window_s):
                self._follow(workflow_id, run_id)
        except RPCError as error:
            self._complain("list", error)
            return False
        return True

    async def _listed(self, window_s: float | None) -> AsyncIterator[tuple[str, str]]:
        """(workflow id, run id) of what is listed and neither followed nor exported."""
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
        exported, head = self._cursors.exported(of.namespace, of.run_id)
        reader, token = Reader(of), b""
        while not reader.closed and not self._stopping:
            await self._rest(self._pace.read_every_s)
            try:
                page = await self._next_page(of, token)
            except RPCError as error:
                if error.status == RPCStatusCode.DEADLINE_EXCEEDED:
                    continue  # nothing new
                if error.status == RPCStatusCode.NOT_FOUND:
                    return
                self._complain(of.workflow_id, error)
                reader, token = Reader(of), b""
                await self._rest(PAUSE_S)
                continue
            for transition in reader.read(page.history.events):
                if transition.event_id > exported:
                    exported, head = await self._delivered(transition, head)
            token = page.next_page_token
            if not token and not reader.closed:
                reader = Reader(of)

    async def _delivered(self, transition: Transition, head: str) -> tuple[int, str]:
        """Deliver, then save the cursor; up to where the run is exported now, and its head."""
        head = await self._put(transition, head)
        of = transition.run
        self._cursors.save(
            of.namespace,
            of.workflow_id,
            of.run_id,
            transition.event_id,
            head=head,
            closed=transition.ends_run,
        )
        return transition.event_id, head

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
        """How long a poll may last."""
        crowd = len(self._followed) / LONG_POLLS
        return LONG_POLL_S if crowd <= 1 else max(0.3, TURN_S / crowd)

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
