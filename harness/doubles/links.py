"""Addresses of the PDP that can go away before any request: refused, or never answered.

Each is a real socket on this machine. Away, the socket of a refusing one is bound and does not
listen; that of a silent one listens with a queue that is full, so that the system drops every
further attempt to connect. Its connections are closed when it goes away.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Final

from harness.doubles.connection import Connection, Handler, Port, Traffic

REFUSED: Final = "refused"
SILENT: Final = "silent"
LINKS: Final = (REFUSED, SILENT)
_BACKLOG: Final = 128
_FILLERS: Final = 3  # a queue of length 0 takes one; the others wait before it


class Link:
    """One such address; `port` keeps its connections, and is never opened itself."""

    def __init__(self, handler: Handler, how: str, *, body_limit: int, traffic: Traffic) -> None:
        self._port = Port(handler, body_limit=body_limit, traffic=traffic)
        self._how = how
        self._at = ("", 0)
        self._socket: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._fillers: list[socket.socket] = []

    async def open(self, bind: str, known_as: str) -> str:
        """Listen on a free port; returns the base URL."""
        family = socket.AF_INET6 if ":" in bind else socket.AF_INET
        with socket.socket(family) as any_port:
            any_port.bind((bind, 0))
            self._at = (bind, any_port.getsockname()[1])
        self._listen(family)
        return f"http://{known_as or bind}:{self._at[1]}"

    def _listen(self, family: int) -> None:
        self._socket = socket.socket(family)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(self._at)
        self._socket.setblocking(False)
        self._come()

    async def become(self, away: bool) -> None:
        """Go away, or come back; what it is already it stays."""
        if away == (self._accepting is None):
            return
        if away:
            await self._go()
        else:
            self._come()

    def _come(self) -> None:
        assert self._socket is not None
        self._drop_fillers()
        self._socket.listen(_BACKLOG)
        self._accepting = asyncio.get_running_loop().create_task(self._accept(self._socket))

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            accepted, _ = await loop.sock_accept(listening)
            with contextlib.suppress(OSError):  # it was given up while it waited
                await loop.connect_accepted_socket(lambda: Connection(self._port), accepted)

    async def _go(self) -> None:
        assert self._accepting is not None
        assert self._socket is not None
        self._accepting.cancel()
        await asyncio.gather(self._accepting, return_exceptions=True)
        self._accepting = None
        for connection in list(self._port.connections):
            connection.close()
        if self._how == REFUSED:
            self._socket.shutdown(socket.SHUT_RDWR)  # it keeps its port, and listens no more
        else:
            self._socket.listen(0)
            self._fill()

    def _fill(self) -> None:
        for _ in range(_FILLERS):
            filler = socket.socket(self._socket.family if self._socket else socket.AF_INET)
            filler.setblocking(False)
            filler.connect_ex(self._at)
            self._fillers.append(filler)

    def _drop_fillers(self) -> None:
        for filler in self._fillers:
            filler.close()
        self._fillers.clear()

    async def close(self) -> None:
        """Give everything up."""
        if self._accepting is not None:
            self._accepting.cancel()
            await asyncio.gather(self._accepting, return_exceptions=True)
        self._drop_fillers()
        if self._socket is not None:
            self._socket.close()
        await self._port.close()
