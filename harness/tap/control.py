"""The tap's control port: rules in, waiting for what they do, letting go of what they hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from harness.tap.forward import Tap
from harness.tap.messages import AwaitBitten, Missing, Release, Released, Rule
from harness.tap.rules import BadRule

T = TypeVar("T")


class Control:
    """One method for each endpoint; `flush` hands the journal over."""

    def __init__(self, tap: Tap, flush: Callable[[], None]) -> None:
        self._tap = tap
        self._flush = flush
        app = web.Application(middlewares=[_plainly])
        app.add_routes(
            [
                web.post("/rules", self._rules),
                web.post("/bitten", self._bitten),
                web.post("/release", self._release),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)

    async def open(self) -> str:
        """Listen on a free port of this machine; returns the URL."""
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"

    async def close(self) -> None:
        """Listen no more."""
        await self._runner.cleanup()

    async def _rules(self, request: web.Request) -> web.Response:
        self._tap.book.add(await _read(request, list[Rule]))
        return _says({})

    async def _bitten(self, request: web.Request) -> web.Response:
        wanted = await _read(request, AwaitBitten)
        missing = await self._tap.bitten.missing(wanted.rules, wanted.timeout_ms / 1000)
        self._flush()
        return _says(Missing(rules=missing))

    async def _release(self, request: web.Request) -> web.Response:
        wanted = await _read(request, Release)
        return _says(Released(held=self._tap.release(wanted.rule, wanted.how)))


@web.middleware
async def _plainly(request: web.Request, handler: Any) -> web.StreamResponse:
    try:
        answer: web.StreamResponse = await handler(request)
    except (msgspec.MsgspecError, UnicodeDecodeError, BadRule) as error:
        return _says({"error": f"{request.path}: {error}"}, 400)
    return answer


async def _read(request: web.Request, kind: type[T]) -> T:
    return msgspec.json.decode(await request.read(), type=kind)


def _says(answer: Any, status: int = 200) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(answer), status=status, content_type="application/json"
    )
