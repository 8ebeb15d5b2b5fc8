"""Forwarding TCP connections as they are, and counting what passes.

Each end of a connection is one protocol of asyncio; what one reads the other writes at once. An end
that closes its sending side leaves the other direction open; an end that is reset, or gone, resets
the other. A reader waits while the other side does not take what was read, so that memory is
bounded.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
from dataclasses import dataclass, field
from typing import Final, cast

LOOPBACK: Final = "127.0.0.1"
CONNECT_WITHIN_S: Final = 10.0
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


@dataclass(slots=True, kw_only=True)
class Counts:
    """What passed one link so far, bytes of TCP payload as they were read.

    `refused` counts connections that the engine did not take.
    """

    to_engine_bytes: int = 0
    from_engine_bytes: int = 0
    connections: int = 0
    refused: int = 0
    open: int = 0


class Link:
    """One port that listens, and the engine behind it."""

    def __init__(self, engine: str) -> None:
        host, _, port = engine.rpartition(":")
        self.counts = Counts()
        self.ends: set[End] = set()
        self._engine = host.strip("[]") or LOOPBACK, int(port)
        self._server: asyncio.Server | None = None
        self._connecting: set[asyncio.Task[None]] = set()

    async def open(self) -> str:
        """Listen on a free port of this machine; returns the address."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accepting, LOOPBACK, 0)
        return f"{LOOPBACK}:{self._server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        """Listen no more, and end what is open."""
        if self._server is not None:
            self._server.close()
        for task in self._connecting:
            task.cancel()
        for end in list(self.ends):
            end.reset()
        await asyncio.sleep(0)

    def _accepting(self) -> End:
        return End(self, from_engine=False)

    def accepted(self, client: End) -> None:
        """A client is there: connect to the engine for it."""
        self.counts.connections += 1
        self.counts.open += 1
        task = asyncio.get_running_loop().create_task(self._connect(client))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, client: End) -> None:
        loop = asyncio.get_running_loop()
        engine = End(self, from_engine=True)
        try:
            async with asyncio.timeout(CONNECT_WITHIN_S):
                await loop.create_connection(lambda: engine, *self._engine)
        except (OSError, TimeoutError):
            self.counts.refused += 1
            client.reset()
            return
        client.join(engine)


@dataclass(slots=True, eq=False)
class End(asyncio.Protocol):
    """One end of a connection: the client's, or the engine's."""

    link: Link
    from_engine: bool
    other: End | None = None
    done: bool = False  # it sends no more
    gone: bool = False
    early: list[bytes] = field(default_factory=list)  # what came before the other end was there
    transport: asyncio.Transport = field(init=False)

    def join(self, engine: End) -> None:
        """Let the client's bytes through to the engine's end, and back."""
        if self.gone:
            engine.reset()
            return
        self.other, engine.other = engine, self
        if engine.gone:
            self.reset()
            return
        for end in (self, engine):
            end.catch_up()

    def catch_up(self) -> None:
        """Pass on what came early, and read on."""
        assert self.other is not None
        for data in self.early:
            self.other.transport.write(data)
        self.early.clear()
        if self.done:
            self.other.transport.write_eof()
        else:
            self.transport.resume_reading()

    def reset(self) -> None:
        """End it at once, so that the peer sees a reset, not an orderly end."""
        if self.gone:
            return
        if (given := self.transport.get_extra_info("socket")) is not None:
            with contextlib.suppress(OSError), socket.socket(fileno=os.dup(given.fileno())) as own:
                own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Read nothing until both ends are there; uvloop reads a little all the same."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.pause_reading()
        self.link.ends.add(self)
        if not self.from_engine:
            self.link.accepted(self)

    def data_received(self, data: bytes) -> None:
        """Count it and pass it on."""
        if self.from_engine:
            self.link.counts.from_engine_bytes += len(data)
        else:
            self.link.counts.to_engine_bytes += len(data)
        if self.other is None:
            self.early.append(data)
        elif not self.other.gone:
            self.other.transport.write(data)

    def eof_received(self) -> bool:
        """This end sends no more; the other direction stays open until its end, too."""
        self.done = True
        other = self.other
        if other is None:
            return True
        if other.gone:
            return False
        if other.done:
            other.transport.close()  # both are done: after what is still to be written
            return False
        other.transport.write_eof()
        return True

    def pause_writing(self) -> None:
        """This end does not take what it is sent: read no more for it."""
        if self.other is not None and not self.other.gone:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        """This end takes again what it is sent."""
        if self.other is not None and not self.other.gone:
            self.other.transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        """This end is gone: so is the other, in the same way."""
        self.gone = True
        self.link.ends.discard(self)
        if not self.from_engine:
            self.link.counts.open -= 1
        if self.other is None or self.other.gone:
            return
        if error is None and self.done:
            self.other.transport.close()
        else:
            self.other.reset()
