"""What a drive has in hand: clients, recorder, doubles, supervisor; and how a call is recorded."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from temporalio.client import Client

from harness.doubles.client import DoublesClient
from harness.drive.endings import ending_of
from harness.drive.plan import ASK, Ask, DrivePlan, TenantPlan, Told
from harness.errors import DriveError
from harness.groups import CALM
from harness.journal.records import Ending, Operation, Timing, now
from harness.journal.write import SegmentWriter
from harness.tap.client import TapClient

T = TypeVar("T")
ORDER_DEADLINE_S = 180.0


class SupervisorLink:
    """Requests of the drive to the supervisor over standard output, answers on standard input."""

    def __init__(self) -> None:
        self._number = 0
        self._waiting: dict[int, asyncio.Future[Told]] = {}

    async def listen(self) -> None:
        """Read answers until standard input closes; then the supervisor is gone."""
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
        )
        while line := await reader.readline():
            told = msgspec.json.decode(line, type=Told)
            asked = self._waiting.pop(told.number)
            if not asked.done():  # else nobody waits any longer
                asked.set_result(told)

    async def ask(self, what: str, **fields: Any) -> dict[str, Any]:
        """Ask and wait for the answer; raises `DriveError` when it is a refusal."""
        self._number += 1
        number = self._number
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        self.say(Ask(number=number, ask=what, **fields))
        told = await answer
        if not told.ok:
            raise DriveError(f"{what}: {told.error}")
        value: dict[str, Any] = told.value
        return value

    def progress(self, text: str) -> None:
        """A line of progress, which nobody answers."""
        self.say(Ask(number=0, ask="progress", text=text))

    def say(self, ask: Ask) -> None:
        sys.stdout.write(f"{ASK}{msgspec.json.encode(ask).decode()}\n")
        sys.stdout.flush()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracked:
    """A run whose history belongs to the evidence; an empty run id is the latest."""

    tenant: str
    workflow_id: str
    run_id: str = ""


@dataclass(slots=True, kw_only=True)
class Drive:
    """The one drive of a trial. Acts get it as their only argument."""

    plan: DrivePlan
    writer: SegmentWriter
    clients: dict[str, Client]
    doubles: DoublesClient
    supervisor: SupervisorLink
    tracked: set[Tracked] = field(default_factory=set)
    lacks: set[str] = field(default_factory=set)
    tap: TapClient | None = None
    tapped_address: str = ""  # of the engine, through the tap, for a client of the drive

    @property
    def tenants(self) -> list[TenantPlan]:
        """The tenants in the order of the target."""
        return self.plan.tenants

    @property
    def trial(self) -> Path:
        """The trial's folder."""
        return Path(self.plan.trial)

    def workflow_id(self, suite: str, case: str) -> str:
        """The id that a case's workflow has, the same in every tenant."""
        return f"{self.plan.trial_id}/{suite}/{case}"

    def queue(self, tenant: TenantPlan, group: str) -> str:
        """The task queue of a group; an external worker has one for all."""
        return tenant.task_queues.get(group, tenant.task_queues[CALM])

    def track(self, tenant: str, workflow_id: str, run_id: str = "") -> None:
        """Have this run's history exported at the end."""
        self.tracked.add(Tracked(tenant=tenant, workflow_id=workflow_id, run_id=run_id))

    async def call(
        self,
        name: str,
        awaitable: Awaitable[T],
        *,
        tenant: str = "",
        suite: str = "",
        case: str = "",
        workflow_id: str = "",
        run_id: str = "",
        args: dict[str, Any] | None = None,
        deadline_s: float = 30.0,
        show: Any = None,
    ) -> T | BaseException:
        """Await one operation and record how it ended; an exception is returned, not raised.

        `show` turns the result into what is recorded (JSON); by default nothing is. A result with
        a `run_id` gives the record's run id.
        """
        invoked_ns = time.monotonic_ns()
        fields: dict[str, Any] = {
            "name": name,
            "tenant": tenant,
            "suite": suite,
            "case": case,
            "workflow_id": workflow_id,
            "run_id": run_id,
            "args": args or {},
            "invoked_ns": invoked_ns,
        }
        try:
            result = await asyncio.wait_for(awaitable, deadline_s)
        except Exception as error:  # noqa: BLE001 - whatever the SDK raises is an observation
            ending, status, message = ending_of(error)
            shown = show(error) if show and ending is Ending.OK else None
            self.writer.write(
                Operation(
                    **now(),
                    ending=ending,
                    status=status,
                    message=message[:500],
                    result=shown,
                    **fields,
                )
            )
            return error
        fields["run_id"] = run_id or _run_id(result)
        self.writer.write(
            Operation(
                **now(),
                ending=Ending.OK,
                status="OK",
                result=show(result) if show else None,
                **fields,
            )
        )
        return result

    async def order(self, what: str, group: str) -> None:
        """Have the supervisor kill or restart a group's worker; a refusal is an observation."""
        await self.call(
            what,
            self.supervisor.ask(what, group=group),
            args={"group": group},
            deadline_s=ORDER_DEADLINE_S,
        )

    @contextlib.asynccontextmanager
    async def timed(self, what: str) -> AsyncIterator[None]:
        """Record how long a part of the drive took."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.writer.write(Timing(**now(), what=what, seconds=time.monotonic() - began))
            self.writer.flush()


def _run_id(result: object) -> str:
    for name in ("first_execution_run_id", "run_id"):
        found = getattr(result, name, None)
        if isinstance(found, str) and found:
            return found
    return ""
