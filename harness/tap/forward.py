"""Forwarding calls as raw bytes, and what the rules do to them. All that knows gRPC is here."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
import grpc.aio

from harness.doubles.happened import Happened
from harness.journal.records import Tapped, now
from harness.tap.messages import How
from harness.tap.rules import Book, Turn

_OPTIONS: Final = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.so_reuseport", 0),  # a port that is taken must be refused
    ("grpc.enable_retries", 0),  # what is repeated must be the caller's doing
)
_NOT_PASSED_ON: Final = frozenset({"user-agent"})
_AWAY: Final = "the tap of the harness lost this call"


class Lost(Exception):
    """The call ends here: its caller gets UNAVAILABLE."""


@dataclass(slots=True, kw_only=True)
class _Call:
    """One call on its way, and what its record will say."""

    method: str
    request: bytes
    context: Any
    received_ns: int
    engine_status: str = ""
    answer: bytes = b""
    sent: int = 0


@dataclass(slots=True)
class Tap:
    """Carries out the rules of a book. `write` takes a record of every call that a rule fits."""

    book: Book
    write: Callable[[Tapped], None]
    bitten: Happened[str] = field(default_factory=Happened)
    _held: dict[str, asyncio.Future[How]] = field(default_factory=dict)

    def release(self, rule: str, how: How) -> bool:
        """Let go of what a rule holds; False if it holds nothing."""
        held = self._held.get(rule)
        if held is None or held.done():
            return False
        held.set_result(how)
        return True

    async def meet(self, link: str, call: _Call, send: Callable[[], Awaitable[None]]) -> None:
        """Send a call on, or do to it what a rule says; raises `Lost` or the engine's error."""
        turn = self.book.turn(call.method.rpartition("/")[2], call.request)
        if turn is None:
            return await send()
        status = "CANCELLED"  # the caller went away
        try:
            await (self._bite(turn, send) if turn.bites else send())
            status = "OK"
        except Lost:
            status = "UNAVAILABLE"
            raise
        except grpc.aio.AioRpcError as error:
            status = error.code().name
            raise
        finally:
            self.write(_record(link, call, turn, status))

    async def _bite(self, turn: Turn, send: Callable[[], Awaitable[None]]) -> None:
        rule = turn.rule
        match rule.action:
            case "refuse":
                self.bitten.add(rule.id)
                raise Lost
            case "lose-answer":
                await send()
                self.bitten.add(rule.id)
                raise Lost
            case "delay":
                self.bitten.add(rule.id)
                await asyncio.sleep(rule.delay_ms / 1000)
                await send()
            case "twice":
                await send()
                with contextlib.suppress(grpc.aio.AioRpcError):
                    await send()
                self.bitten.add(rule.id)
            case "hold":
                await self._hold(rule.id)
                await send()
            case "hold-answer":
                await send()
                await self._hold(rule.id)

    async def _hold(self, rule: str) -> None:
        held = self._held[rule] = asyncio.get_running_loop().create_future()
        self.bitten.add(rule)
        try:
            if await held == "drop":
                raise Lost
        finally:
            del self._held[rule]


def _record(link: str, call: _Call, turn: Turn, status: str) -> Tapped:
    return Tapped(
        **now(),
        rule=turn.rule.id,
        link=link,
        method=call.method.rpartition("/")[2],
        keys=turn.rule.keys,
        number=turn.number,
        again=turn.again,
        action=turn.rule.action if turn.bites else "",
        status=status,
        engine_status=call.engine_status,
        sent=call.sent,
        request_bytes=len(call.request),
        answer_bytes=len(call.answer),
        received_ns=call.received_ns,
    )


class Link(grpc.GenericRpcHandler):  # type: ignore[misc]
    """One link: a port for one group's worker, and a channel to the engine behind it."""

    def __init__(self, name: str, upstream: str, tap: Tap) -> None:
        self._name = name
        self._tap = tap
        self._channel = grpc.aio.insecure_channel(upstream, options=_OPTIONS)
        self._methods: dict[str, Any] = {}
        self._server = grpc.aio.server(options=_OPTIONS)
        self._server.add_generic_rpc_handlers((self,))

    async def open(self) -> str:
        """Listen on a free port of this machine; returns the address."""
        port = self._server.add_insecure_port("127.0.0.1:0")
        await self._server.start()
        return f"127.0.0.1:{port}"

    async def close(self) -> None:
        """End what is in progress."""
        await self._server.stop(grace=None)
        await self._channel.close()

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        """Every method of every service: all of the engine's are unary."""
        method = details.method

        async def handle(request: bytes, context: Any) -> bytes:
            return await self._handle(method, request, context)

        return grpc.unary_unary_rpc_method_handler(handle)

    async def _handle(self, method: str, request: bytes, context: Any) -> bytes:
        call = _Call(
            method=method, request=request, context=context, received_ns=time.monotonic_ns()
        )

        async def send() -> None:
            await self._send(call)

        try:
            await self._tap.meet(self._name, call, send)
        except Lost:
            await context.abort(grpc.StatusCode.UNAVAILABLE, _AWAY)
        except grpc.aio.AioRpcError as error:
            trailing = tuple(error.trailing_metadata() or ())  # carries the error's own details
            await context.abort(error.code(), error.details() or "", trailing)
        return call.answer

    async def _send(self, call: _Call) -> None:
        """Forward once; what the first time brings stays the call's answer."""
        call.sent += 1
        passed = [
            (key, value)
            for key, value in call.context.invocation_metadata()
            if key not in _NOT_PASSED_ON
        ]
        try:
            answer = await self._method(call.method)(
                call.request, metadata=passed, timeout=call.context.time_remaining()
            )
        except grpc.aio.AioRpcError as error:
            call.engine_status = call.engine_status or error.code().name
            raise
        call.engine_status = call.engine_status or "OK"
        call.answer = call.answer or answer

    def _method(self, name: str) -> Any:
        if name not in self._methods:
            self._methods[name] = self._channel.unary_unary(name)
        return self._methods[name]
