"""What a worker calls over HTTP while histories are served: recorded, and refused.

Activities are never dispatched, so only local activities, or workflow code that should not, call
the PDP and the services. They must never reach the platform's.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from typing import Final

_LONGEST_LINE: Final = 2000
_REFUSAL: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
)


class Outside:
    """An HTTP server that answers 503 to everything. `calls` counts methods and paths."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self._server: asyncio.Server | None = None

    async def open(self) -> str:
        """Listen on a free port; returns the URL."""
        self._server = await asyncio.start_server(self._refuse, "127.0.0.1", 0, limit=1 << 20)
        port = self._server.sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    async def close(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()

    async def _refuse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ValueError, asyncio.IncompleteReadError):
            line = await reader.readline()
            words = line[:_LONGEST_LINE].decode("latin-1").split()
            self.calls[" ".join(words[:2]) or "a connection"] += 1
            writer.write(_REFUSAL)
            await writer.drain()
        writer.close()
