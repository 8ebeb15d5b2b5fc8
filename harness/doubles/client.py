"""The drive's side of the control port: one method for each endpoint, each with a deadline."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeVar

import aiohttp
import msgspec

from harness.contract.program import SagaProgram, to_json
from harness.contract.ready import READY
from harness.doubles.messages import (
    Addresses,
    AwaitAudit,
    AwaitEffect,
    AwaitQuiet,
    Counts,
    Held,
    LinkState,
    Message,
    Missing,
    Policy,
    Quiet,
    Registration,
    Release,
    Seen,
    SinkState,
)  # fmt: skip
from harness.errors import DriveError

_MARGIN_S: Final = 10.0  # beyond what the doubles were told to wait
_PROGRAMS_A_CALL: Final = 500
T = TypeVar("T")


def addresses(ready_line: str) -> Addresses:
    """Where the doubles listen, out of the line they print when they do."""
    return msgspec.json.decode(ready_line.removeprefix(READY), type=Addresses)


class DoublesClient:
    """Commands the doubles. Use as an async context manager.

    Every method raises `DriveError` when the doubles refuse, are gone, or do not answer in time.
    """

    def __init__(self, control_url: str) -> None:
        self._url = control_url.rstrip("/")
        self._session: aiohttp.ClientSession | None = None
        self._told = 0  # the last held request that `held` has returned

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def register(self, programs: Iterable[tuple[str, SagaProgram]]) -> None:
        """Let the services follow the behaviours of (tenant, program), and of their children."""
        given = [Registration(tenant=tenant, program=to_json(saga)) for tenant, saga in programs]
        for first in range(0, len(given), _PROGRAMS_A_CALL):
            await self._post("/programs", given[first : first + _PROGRAMS_A_CALL], dict)

    async def held(self, timeout_ms: int, after: int | None = None) -> list[Held]:
        """What is held now, of ids over `after`; waits for one.

        Without `after`: what this client was not told of yet.
        """
        since = self._told if after is None else after
        path = f"/held?after={since}&timeout_ms={timeout_ms}"
        held = await self._call("GET", path, None, list[Held], timeout_ms)
        if after is None:
            self._told = max([self._told, *(int(each.id) for each in held)])
        return held

    async def release(self, held_id: str, how: Literal["answer", "drop"]) -> None:
        """Answer a held request, or drop its connection."""
        await self._post("/release", Release(id=held_id, how=how), dict)

    async def await_effect(
        self,
        tenant: str,
        saga_id: str,
        step: int,
        direction: Literal["forward", "compensation"],
        timeout_ms: int,
    ) -> bool:
        """Whether the step is applied (a compensation: or void) within `timeout_ms`."""
        wanted = AwaitEffect(
            tenant=tenant, saga_id=saga_id, step=step, direction=direction, timeout_ms=timeout_ms
        )
        return (await self._post("/await_effect", wanted, Seen, timeout_ms)).seen

    async def await_audit(
        self, events: Sequence[tuple[str, int]], timeout_ms: int
    ) -> list[tuple[str, int]]:
        """Which (run id, event id) the sink has not acknowledged within `timeout_ms`."""
        wanted = AwaitAudit(events=list(events), timeout_ms=timeout_ms)
        return (await self._post("/await_audit", wanted, Missing, timeout_ms)).missing

    async def policy(self, tenant: str, resource: str, action: str, decision: bool | None) -> None:
        """Decide an action on a resource otherwise for a tenant; None goes back to the rule."""
        policy = Policy(tenant=tenant, resource=resource, action=action, decision=decision)
        await self._post("/policy", policy, dict)

    async def link(self, link: str, away: bool) -> None:
        """Take an address of the PDP away, or bring it back."""
        await self._post("/link", LinkState(link=link, away=away), dict)

    async def sink(self, status: Literal[204, 503, 0] = 204, delay_ms: int = 0) -> None:
        """How the sink answers from now on; 0 closes the connection."""
        await self._post("/sink", SinkState(status=status, delay_ms=delay_ms), dict)

    async def flush(self) -> None:
        """Have all records so far handed to the operating system."""
        await self._post("/flush", None, dict)

    async def counts(self) -> Counts:
        """How many records were written."""
        return await self._call("GET", "/counts", None, Counts, 0)

    async def quiet(self, idle_ms: int, timeout_ms: int) -> bool:
        """Whether PDP, services and sink were without requests for `idle_ms` in time."""
        wanted = AwaitQuiet(idle_ms=idle_ms, timeout_ms=timeout_ms)
        return (await self._post("/quiet", wanted, Quiet, timeout_ms)).quiet

    async def _post(
        self, path: str, message: Message | list[Registration] | None, kind: type[T],
        timeout_ms: int = 0,
    ) -> T:  # fmt: skip
        return await self._call("POST", path, message, kind, timeout_ms)

    async def _call(
        self, method: str, path: str, message: Any, kind: type[T], timeout_ms: int
    ) -> T:
        if self._session is None:
            raise DriveError("DoublesClient: use it as an async context manager")
        limit = aiohttp.ClientTimeout(total=timeout_ms / 1000 + _MARGIN_S)
        data = None if message is None else msgspec.json.encode(message)
        try:
            async with self._session.request(
                method, self._url + path, data=data, timeout=limit
            ) as answer:
                body = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise DriveError(f"doubles: {method} {path}: {error!r}") from error
        if answer.status != 200:
            raise DriveError(f"doubles: {method} {path}: {body.decode(errors='replace')}")
        return msgspec.json.decode(body, type=kind)
