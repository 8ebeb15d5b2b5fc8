"""The ways to write an answer, right and wrong, of which the table in `modes` is made.

A script gets what was asked and the line to write to. It raises `PeerGone` when the peer has gone;
a script that returns without closing leaves a connection on which the next request may come.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, Protocol

import msgspec

JSON: Final = "application/json"
ALLOW: Final = b'{"decision":true}'
DENY: Final = b'{"decision":false}'
_PIECES: Final = 70  # of a drip; one each twentieth of the deadline: 3.5 deadlines in all
_SILENCE_S: Final = 30.0
_GIANT_BYTES: Final = 64 * 1024 * 1024
_BLOCK_BYTES: Final = 1024 * 1024
_BOMB_BLOCKS: Final = 200
_DEPTH: Final = 200_000


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer depends on. `query` names the saga's step, for redirects' targets."""

    request_id: str
    deadline_s: float
    query: str
    bait_url: str


class Line(Protocol):
    """Where a script writes."""

    async def send(self, data: bytes) -> None:
        """Send bytes, as fast as the peer takes them."""

    async def wait(self, seconds: float) -> None:
        """Let time pass."""

    async def reset(self) -> None:
        """Send what was written, then end with a TCP reset."""

    def close(self) -> None:
        """End the connection in order."""


Script = Callable[[Asked, Line], Awaitable[None]]
Lines = tuple[str, ...]


def _head(asked: Asked, *lines: str, status: str = "200 OK", echo: str = "X-Request-ID") -> bytes:
    """A head with these header lines and the request's id."""
    all_lines = [f"HTTP/1.1 {status}", *lines]
    if echo and asked.request_id:
        all_lines.append(f"{echo}: {asked.request_id}")
    return ("\r\n".join(all_lines) + "\r\n\r\n").encode("latin-1")


def _whole(asked: Asked, body: bytes, kind: str, status: str, extra: Lines) -> bytes:
    lines = (f"Content-Type: {kind}",) if kind else ()
    return _head(asked, *lines, f"Content-Length: {len(body)}", *extra, status=status) + body


def says(body: bytes, kind: str = JSON, status: str = "200 OK", extra: Lines = ()) -> Script:
    """A correctly framed answer with this body."""

    async def script(asked: Asked, line: Line) -> None:
        await line.send(_whole(asked, body, kind, status, extra))

    return script


def status(line: str, *extra: str) -> Script:
    """A status other than 200 whose body says allow."""
    return says(ALLOW, status=line, extra=extra)


def context(members: bytes) -> Script:
    """An allow with this context."""
    return says(b'{"decision":true,"context":' + members + b"}")


def bodiless(first: str) -> Script:
    """A status that has no body."""

    async def script(asked: Asked, line: Line) -> None:
        await line.send(_head(asked, status=first))

    return script


def raw(data: bytes) -> Script:
    """Bytes as they are, then the end of the connection."""

    async def script(asked: Asked, line: Line) -> None:
        await line.send(data)
        line.close()

    return script


def framed(*lines: str, body: bytes) -> Script:
    """A JSON answer with framing headers of its own, then the end of the connection."""

    async def script(asked: Asked, line: Line) -> None:
        await line.send(_head(asked, f"Content-Type: {JSON}", *lines) + body)
        line.close()

    return script


def chunk(data: bytes) -> bytes:
    """One chunk."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def late(deadlines: float) -> Script:
    """An allow after this share of the deadline."""

    async def script(asked: Asked, line: Line) -> None:
        await line.wait(deadlines * asked.deadline_s)
        await says(ALLOW)(asked, line)

    return script


async def _drip(asked: Asked, line: Line, pieces: list[bytes]) -> None:
    for piece in pieces:
        await line.send(piece)
        await line.wait(asked.deadline_s / 20)


def _bytes(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


def long_allow() -> bytes:
    """An allow of as many bytes as a drip has pieces."""
    start, end = b'{"decision":true,"context":{"reason":"', b'"}}'
    return start + b"." * (_PIECES - len(start) - len(end)) + end


async def dripping_body(asked: Asked, line: Line) -> None:
    """FM-18."""
    body = long_allow()
    await line.send(_head(asked, f"Content-Type: {JSON}", f"Content-Length: {len(body)}"))
    await _drip(asked, line, _bytes(body))


async def dripping_chunks(asked: Asked, line: Line) -> None:
    """FM-18a."""
    await line.send(_head(asked, f"Content-Type: {JSON}", "Transfer-Encoding: chunked"))
    await _drip(asked, line, [chunk(piece) for piece in _bytes(long_allow())])
    await line.send(b"0\r\n\r\n")


async def dripping_headers(asked: Asked, line: Line) -> None:
    """FM-19."""
    answer = _whole(asked, ALLOW, JSON, "200 OK", ("X-Served-By: pdp-1.example",))
    await _drip(asked, line, _bytes(answer[:_PIECES]))
    await line.send(answer[_PIECES:])


async def interim_answers(asked: Asked, line: Line) -> None:
    """FM-19a."""
    await _drip(asked, line, [b"HTTP/1.1 102 Processing\r\n\r\n"] * _PIECES)
    await says(ALLOW)(asked, line)


async def silence(asked: Asked, line: Line) -> None:
    """FM-16."""
    await line.wait(_SILENCE_S)
    line.close()


async def reset_at_once(asked: Asked, line: Line) -> None:
    """FM-20."""
    await line.reset()


def reset_after(body: bytes, announced: int) -> Script:
    """A part of a body, then a reset."""

    async def script(asked: Asked, line: Line) -> None:
        head = _head(asked, f"Content-Type: {JSON}", f"Content-Length: {announced}")
        await line.send(head + body)
        await line.wait(asked.deadline_s / 20)  # else the reset overtakes the bytes
        await line.reset()

    return script


async def giant(asked: Asked, line: Line) -> None:
    """FM-45: made as it is sent, and only as long as somebody reads."""
    start, end = b'{"decision":true,"context":{"pad":"', b'"}}'
    await line.send(_head(asked, f"Content-Type: {JSON}", f"Content-Length: {_GIANT_BYTES}"))
    await line.send(start)
    left = _GIANT_BYTES - len(start) - len(end)
    block = b"." * 65_536
    while left:
        await line.send(block[:left])
        left -= min(left, len(block))
    await line.send(end)


async def _gzip_bomb() -> AsyncIterator[bytes]:
    """A gzip file whose blocks, each flushed, are the same bytes: nothing large is compressed."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    start, block, end = b'{"decision":true,"context":{"pad":"', b"." * _BLOCK_BYTES, b'"}}'
    first = deflate.compress(start) + deflate.flush(zlib.Z_FULL_FLUSH)
    packed = deflate.compress(block) + deflate.flush(zlib.Z_FULL_FLUSH)
    last = deflate.compress(end) + deflate.flush(zlib.Z_FINISH)
    yield b"\x1f\x8b\x08\0\0\0\0\0\2\xff" + first
    check = zlib.crc32(start)
    for _ in range(_BOMB_BLOCKS):
        check = zlib.crc32(block, check)
        yield packed
    size = len(start) + _BOMB_BLOCKS * len(block) + len(end)
    yield last + zlib.crc32(end, check).to_bytes(4, "little") + size.to_bytes(4, "little")


async def gzip_bomb(asked: Asked, line: Line) -> None:
    """FM-46."""
    kind = (f"Content-Type: {JSON}", "Content-Encoding: gzip", "Transfer-Encoding: chunked")
    await line.send(_head(asked, *kind))
    async for piece in _gzip_bomb():
        await line.send(chunk(piece))
        await line.wait(0)  # others are served meanwhile
    await line.send(b"0\r\n\r\n")


async def nested(asked: Asked, line: Line) -> None:
    """FM-47."""
    await context(b'{"deep":' + b"[" * _DEPTH + b"]" * _DEPTH + b"}")(asked, line)


def redirect(first: str, mode_id: str, *, elsewhere: bool = False) -> Script:
    """A redirect to a target of this process that says allow, and records who comes."""

    async def script(asked: Asked, line: Line) -> None:
        host = asked.bait_url if elsewhere else ""
        location = f"Location: {host}/moved/{mode_id}?{asked.query}"
        await line.send(_head(asked, location, "Content-Length: 0", status=first))

    return script


async def other_request_id(asked: Asked, line: Line) -> None:
    """FM-51."""
    other = msgspec.structs.replace(asked, request_id=f"other-than-{asked.request_id}")
    await says(ALLOW)(other, line)


async def odd_case(asked: Asked, line: Line) -> None:
    """ok-case."""
    lines = (f"cONTENT-tYPE: {JSON}", f"CONTENT-LENGTH: {len(ALLOW)}")
    await line.send(_head(asked, *lines, echo="x-request-id") + ALLOW)


async def several_chunks(asked: Asked, line: Line) -> None:
    """ok-chunked."""
    await line.send(_head(asked, f"Content-Type: {JSON}", "Transfer-Encoding: chunked"))
    for piece in (ALLOW[:5], ALLOW[5:13], ALLOW[13:], b""):
        await line.send(chunk(piece))
