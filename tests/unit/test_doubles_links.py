"""An address of the PDP that goes away refuses or stays silent, and comes back where it was."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from harness.doubles.connection import Connection, Traffic
from harness.doubles.http import Request, answer_bytes
from harness.doubles.links import LINKS, REFUSED, SILENT, Link

GET = b"GET / HTTP/1.1\r\nHost: pdp\r\n\r\n"
PATIENCE_S = 0.3


def here(connection: Connection, request: Request) -> Coroutine[Any, Any, None] | None:
    connection.write(answer_bytes(200, b"{}"))
    return None


async def asked(url: str) -> str:
    """What becomes of one request on a new connection."""
    host, _, port = url.removeprefix("http://").partition(":")
    try:
        async with asyncio.timeout(PATIENCE_S):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(GET)
            told = await reader.readline()
            writer.close()
    except ConnectionRefusedError:
        return "refused"
    except TimeoutError:
        return "silent"
    return told.decode().strip()


@pytest.mark.parametrize("how", LINKS)
async def test_a_link_goes_away_and_comes_back(how: str) -> None:
    link = Link(here, how, body_limit=1000, traffic=Traffic())
    url = await link.open("127.0.0.1", "")
    for _ in range(2):
        assert await asked(url) == "HTTP/1.1 200 OK"
        await link.become(away=True)
        await link.become(away=True)
        assert await asked(url) == how
        await link.become(away=False)
    assert await asked(url) == "HTTP/1.1 200 OK"
    await link.close()


@pytest.mark.parametrize("how", [REFUSED, SILENT])
async def test_connections_end_when_it_goes_away(how: str) -> None:
    """A worker that keeps one alive is cut off too."""
    link = Link(here, how, body_limit=1000, traffic=Traffic())
    url = await link.open("127.0.0.1", "")
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    writer.write(GET)
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    await link.become(away=True)
    async with asyncio.timeout(5):
        await reader.read()
    writer.close()
    await link.close()
