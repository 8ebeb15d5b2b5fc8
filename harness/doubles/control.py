"""The control port: how the harness tells the doubles what to do, and waits for what they see."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

import msgspec

from harness.contract.program import from_json
from harness.doubles.behaviours import Behaviours
from harness.doubles.connection import Connection, Traffic
from harness.doubles.holds import Holds
from harness.doubles.http import Request, answer_bytes
from harness.doubles.links import Link
from harness.doubles.messages import (
    AwaitAudit,
    AwaitEffect,
    AwaitQuiet,
    Counts,
    LinkState,
    Missing,
    Policy,
    Quiet,
    Registration,
    Release,
    Seen,
    SinkState,
)  # fmt: skip
from harness.doubles.pdp import Pdp
from harness.doubles.recorder import Recorder
from harness.doubles.services import Services
from harness.doubles.sink import Sink

BODY_LIMIT: Final = 64 * 1024 * 1024
M = TypeVar("M")
_DONE: Final[dict[str, Any]] = {}


class _Wrong(Exception):
    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


def _read(kind: type[M], request: Request) -> M:
    return msgspec.json.decode(request.body, type=kind)


class Control:
    """The handler of the control port: one method for each endpoint."""

    def __init__(
        self,
        *,
        recorder: Recorder,
        behaviours: Behaviours,
        holds: Holds,
        pdp: Pdp,
        services: Services,
        sink: Sink,
        traffic: Traffic,
        links: Mapping[str, Link],
    ) -> None:
        self._links = links
        self._recorder = recorder
        self._behaviours = behaviours
        self._holds = holds
        self._pdp = pdp
        self._services = services
        self._sink = sink
        self._traffic = traffic
        self._endpoints: dict[tuple[str, str], Callable[[Request], Awaitable[Any]]] = {
            ("POST", "/programs"): self._programs,
            ("GET", "/held"): self._held,
            ("POST", "/release"): self._release,
            ("POST", "/await_effect"): self._await_effect,
            ("POST", "/await_audit"): self._await_audit,
            ("POST", "/policy"): self._policy,
            ("POST", "/link"): self._link,
            ("POST", "/sink"): self._set_sink,
            ("POST", "/flush"): self._flush,
            ("GET", "/counts"): self._counts,
            ("POST", "/quiet"): self._quiet,
        }

    def serve(self, connection: Connection, request: Request) -> Coroutine[Any, Any, None]:
        """Handle one request."""
        return self._serve(connection, request)

    async def _serve(self, connection: Connection, request: Request) -> None:
        try:
            status, answer = 200, await self._dispatch(request)
        except _Wrong as wrong:
            status, answer = wrong.status, {"error": str(wrong)}
        except (msgspec.MsgspecError, ValueError) as error:
            status, answer = 400, {"error": f"{request.path}: {error}"}
        connection.write(
            answer_bytes(status, msgspec.json.encode(answer), keep_alive=request.keep_alive)
        )

    async def _dispatch(self, request: Request) -> Any:
        if request.reject:
            raise _Wrong(request.reject, request.problem)
        endpoint = self._endpoints.get((request.method, request.path))
        if endpoint is None:
            known = ", ".join(f"{method} {path}" for method, path in self._endpoints)
            raise _Wrong(404, f"{request.method} {request.path} is none of: {known}")
        return await endpoint(request)

    async def _programs(self, request: Request) -> Any:
        given = _read(list[Registration], request)
        programs = [(each.tenant, from_json(each.program)) for each in given]
        for tenant, program in programs:
            self._behaviours.register(tenant, program)
        return _DONE

    async def _held(self, request: Request) -> Any:
        query = dict(parse_qsl(request.target.partition("?")[2]))
        after, timeout_ms = int(query.get("after", 0)), int(query.get("timeout_ms", 0))
        return await self._holds.held(after, timeout_ms / 1000)

    async def _release(self, request: Request) -> Any:
        release = _read(Release, request)
        if not self._holds.release(release.id, release.how):
            raise _Wrong(404, f"nothing is held under {release.id!r}")
        return _DONE

    async def _await_effect(self, request: Request) -> Any:
        wanted = _read(AwaitEffect, request)
        place = (wanted.tenant, wanted.saga_id, wanted.step, str(wanted.direction))
        missing = await self._services.reached.missing([place], wanted.timeout_ms / 1000)
        return Seen(seen=not missing)

    async def _await_audit(self, request: Request) -> Any:
        wanted = _read(AwaitAudit, request)
        missing = await self._sink.reached.missing(wanted.events, wanted.timeout_ms / 1000)
        return Missing(missing=missing)

    async def _policy(self, request: Request) -> Any:
        policy = _read(Policy, request)
        self._pdp.override(policy.tenant, policy.resource, policy.action, policy.decision)
        return _DONE

    async def _link(self, request: Request) -> Any:
        state = _read(LinkState, request)
        if state.link not in self._links:
            raise _Wrong(404, f"link: {state.link!r} is none of {', '.join(self._links)}")
        await self._links[state.link].become(state.away)
        return _DONE

    async def _set_sink(self, request: Request) -> Any:
        self._sink.state = _read(SinkState, request)
        return _DONE

    async def _flush(self, request: Request) -> Any:
        self._recorder.flush()
        return _DONE

    async def _counts(self, request: Request) -> Any:
        decisions, effects, audit = self._recorder.counts()
        return Counts(decisions=decisions, effects=effects, audit=audit)

    async def _quiet(self, request: Request) -> Any:
        wanted = _read(AwaitQuiet, request)
        try:
            async with asyncio.timeout(wanted.timeout_ms / 1000):
                await self._traffic.quiet(wanted.idle_ms / 1000)
        except TimeoutError:
            return Quiet(quiet=False)
        return Quiet(quiet=True)
