"""The asyncio side of a port: connections that hand requests to a handler and write raw bytes."""

from __future__ import annotations

import asyncio
import functools
import os
import socket
import struct
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, cast

from harness.doubles.http import HEAD_LIMIT, Request, RequestReader

_FLUSH_CHECK_S: Final = 0.001
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class PeerGone(Exception):
    """The other side closed the connection before the answer was over."""


class Traffic:
    """Whether requests are in progress, and when the last one came or went."""

    def __init__(self) -> None:
        self.in_progress = 0
        self.last_ns = time.monotonic_ns()
        self._idle: list[asyncio.Future[None]] = []

    def arrived(self) -> None:
        """A request came."""
        self.in_progress += 1
        self.last_ns = time.monotonic_ns()

    def ended(self) -> None:
        """An exchange is over."""
        self.in_progress -= 1
        self.last_ns = time.monotonic_ns()
        if not self.in_progress:
            for waiter in self._idle:
                if not waiter.done():
                    waiter.set_result(None)
            self._idle.clear()

    async def quiet(self, idle_s: float) -> None:
        """Return when nothing is in progress and nothing came or went for `idle_s`."""
        while True:
            left_s = idle_s - (time.monotonic_ns() - self.last_ns) / 1e9
            if self.in_progress:
                waiter = asyncio.get_running_loop().create_future()
                self._idle.append(waiter)
                await waiter
            elif left_s > 0:
                await asyncio.sleep(left_s)
            else:
                return


# A handler answers at once and returns None, or returns a coroutine that will have answered.
Handler = Callable[["Connection", Request], "Coroutine[Any, Any, None] | None"]


class Connection(asyncio.Protocol):
    """One connection: requests are handled one at a time, in order."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._reader = RequestReader(port.body_limit)
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._writable: asyncio.Future[None] | None = None
        self._closing = False
        self.gone_ns = 0  # monotonic time when the connection ended, 0 before

    @property
    def gone(self) -> bool:
        """Whether the connection has ended."""
        return self._gone.done()

    def write(self, data: bytes) -> None:
        """Send bytes; after the end of the connection they are dropped."""
        if self._transport is not None and not self.gone:
            self._transport.write(data)

    async def drained(self) -> None:
        """Wait while too much is buffered."""
        if self._writable is not None:
            await asyncio.wait({self._writable, self._gone}, return_when=asyncio.FIRST_COMPLETED)

    async def wait(self, seconds: float) -> None:
        """Let time pass; raises `PeerGone` as soon as the peer goes."""
        await asyncio.wait({self._gone}, timeout=seconds)
        if self.gone:
            raise PeerGone

    def close(self) -> None:
        """Close when all that was written is sent; no further request is read."""
        self._closing = True
        if self._transport is not None:
            self._transport.close()

    async def reset(self) -> None:
        """Send what was written, then end the connection with a TCP reset."""
        transport = self._transport
        self._closing = True
        if transport is None:
            return
        # no event tells when the last byte has left: pause_writing has a threshold
        while transport.get_write_buffer_size() and not self.gone:  # noqa: ASYNC110
            await asyncio.sleep(_FLUSH_CHECK_S)
        if not self.gone:
            number = os.dup(transport.get_extra_info("socket").fileno())
            with socket.socket(fileno=number) as twin:
                twin.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._port.connections.add(self)

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        self._next()
        if self._reader.expects_continue and self._task is None:
            self.write(_CONTINUE)
        if self._reader.buffered > self._port.body_limit + 2 * HEAD_LIMIT:
            self.close()  # a client that goes on sending while its request is being handled

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone_ns = time.monotonic_ns()
        self._port.connections.discard(self)
        self._gone.set_result(None)

    def pause_writing(self) -> None:
        self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    def _next(self) -> None:
        while self._task is None and not (self._closing or self._port.closing or self.gone):
            request = self._reader.take()
            if request is None:
                return
            self._port.traffic.arrived()
            work = self._port.handler(self, request)
            if work is None:
                self._finish(request)
                continue
            self._task = asyncio.get_running_loop().create_task(work)
            self._port.tasks.add(self._task)
            self._task.add_done_callback(functools.partial(self._done, request))

    def _done(self, request: Request, task: asyncio.Task[None]) -> None:
        self._task = None
        self._port.tasks.discard(task)
        self._finish(request)
        if not task.cancelled():
            task.result()  # a bug: it reaches the loop's exception handler, which ends the process
        self._next()

    def _finish(self, request: Request) -> None:
        self._port.traffic.ended()
        if not request.keep_alive and not self._closing:
            self.close()


class Port:
    """A listening socket on 127.0.0.1 and its connections."""

    def __init__(self, handler: Handler, *, body_limit: int, traffic: Traffic) -> None:
        self.handler = handler
        self.body_limit = body_limit
        self.traffic = traffic
        self.connections: set[Connection] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.closing = False
        self._server: asyncio.Server | None = None

    async def open(self, bind: str = "127.0.0.1", port: int = 0, known_as: str = "") -> str:
        """Listen on a port (0: a free one); returns its base URL, with the host it is known as.

        Raises OSError for a port in use or an address that is not this machine's.
        """
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), bind, port, backlog=4096)
        return f"http://{known_as or bind}:{self._server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        """Stop listening, give up what is in progress, and close all connections."""
        self.closing = True
        if self._server is not None:
            self._server.close()
        tasks = list(self.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for connection in list(self.connections):
            connection.close()
