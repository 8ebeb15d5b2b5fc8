"""How each mode of `harness.contract.pdp_modes` is written on the wire: one literal table.

A script gets what was asked and the line to write to. It raises `PeerGone` when the peer has gone;
a script that returns without closing leaves a connection on which the next request may come.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, Protocol

import msgspec

_JSON: Final = "application/json"
_HTML: Final = "text/html; charset=utf-8"
_TEXT: Final = "text/plain; charset=utf-8"
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


def says(body: bytes, kind: str = _JSON, status: str = "200 OK", extra: Lines = ()) -> Script:
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
        await line.send(_head(asked, f"Content-Type: {_JSON}", *lines) + body)
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


def _long_allow() -> bytes:
    start, end = b'{"decision":true,"context":{"reason":"', b'"}}'
    return start + b"." * (_PIECES - len(start) - len(end)) + end


async def dripping_body(asked: Asked, line: Line) -> None:
    """FM-18."""
    body = _long_allow()
    await line.send(_head(asked, f"Content-Type: {_JSON}", f"Content-Length: {len(body)}"))
    await _drip(asked, line, _bytes(body))


async def dripping_chunks(asked: Asked, line: Line) -> None:
    """FM-18a."""
    await line.send(_head(asked, f"Content-Type: {_JSON}", "Transfer-Encoding: chunked"))
    await _drip(asked, line, [chunk(piece) for piece in _bytes(_long_allow())])
    await line.send(b"0\r\n\r\n")


async def dripping_headers(asked: Asked, line: Line) -> None:
    """FM-19."""
    answer = _whole(asked, ALLOW, _JSON, "200 OK", ("X-Served-By: pdp-1.example",))
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
        head = _head(asked, f"Content-Type: {_JSON}", f"Content-Length: {announced}")
        await line.send(head + body)
        await line.wait(asked.deadline_s / 20)  # else the reset overtakes the bytes
        await line.reset()

    return script


async def giant(asked: Asked, line: Line) -> None:
    """FM-45: made as it is sent, and only as long as somebody reads."""
    start, end = b'{"decision":true,"context":{"pad":"', b'"}}'
    await line.send(_head(asked, f"Content-Type: {_JSON}", f"Content-Length: {_GIANT_BYTES}"))
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
    kind = (f"Content-Type: {_JSON}", "Content-Encoding: gzip", "Transfer-Encoding: chunked")
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
    lines = (f"cONTENT-tYPE: {_JSON}", f"CONTENT-LENGTH: {len(ALLOW)}")
    await line.send(_head(asked, *lines, echo="x-request-id") + ALLOW)


async def several_chunks(asked: Asked, line: Line) -> None:
    """ok-chunked."""
    await line.send(_head(asked, f"Content-Type: {_JSON}", "Transfer-Encoding: chunked"))
    for piece in (ALLOW[:5], ALLOW[5:13], ALLOW[13:], b""):
        await line.send(chunk(piece))


_LOGIN: Final = b"<!doctype html><title>Sign in</title><form>{&quot;decision&quot;:true}</form>"
_PAGE: Final = b"<!doctype html><title>Error</title><p>The upstream is away.</p>"
_EXTRA: Final = b'{"decision":true,"version":7,"context":{"trail":["a",{"b":null}]},"x-eta":0.5}'
_REASONS: Final = b'{"id":"0","reason_admin":{"en":"rule 7"},"reason_user":{"en":"as agreed"}}'

SCRIPTS: Final[dict[str, Script]] = {
    "FM-01": says(ALLOW),
    "FM-02": says(DENY),
    "FM-03": says(b"the request is malformed", _TEXT, "400 Bad Request"),
    "FM-03a": status("400 Bad Request"),
    "FM-04": says(b"who are you?", _TEXT, "401 Unauthorized", ("WWW-Authenticate: Bearer",)),
    "FM-04a": status("401 Unauthorized", "WWW-Authenticate: Bearer"),
    "FM-05": status("403 Forbidden"),
    "FM-06": says(_PAGE, _HTML, "404 Not Found"),
    "FM-06a": status("404 Not Found"),
    "FM-07": status("429 Too Many Requests", "Retry-After: 1"),
    "FM-08": status("500 Internal Server Error"),
    "FM-09": status("502 Bad Gateway"),
    "FM-09a": status("503 Service Unavailable"),
    "FM-09b": status("504 Gateway Timeout"),
    "FM-09c": says(_PAGE, _HTML, "502 Bad Gateway"),
    "FM-10": status("201 Created"),
    "FM-10a": status("202 Accepted"),
    "FM-10b": status("203 Non-Authoritative Information"),
    "FM-10c": status("206 Partial Content", f"Content-Range: bytes 0-16/{len(ALLOW)}"),
    "FM-11": bodiless("204 No Content"),
    "FM-12": bodiless("304 Not Modified"),
    "FM-16": silence,
    "FM-17": late(1.5),
    "FM-18": dripping_body,
    "FM-18a": dripping_chunks,
    "FM-19": dripping_headers,
    "FM-19a": interim_answers,
    "FM-20": reset_at_once,
    "FM-21": reset_after(ALLOW[:9], len(ALLOW)),
    "FM-21a": reset_after(ALLOW, len(ALLOW) + 10),
    "FM-22": framed(f"Content-Length: {len(ALLOW) + 10}", body=ALLOW),
    "FM-23": says(ALLOW[:-1]),
    "FM-24": raw(b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + _long_allow()[:45]),
    "FM-25": framed("Transfer-Encoding: chunked", body=chunk(ALLOW)),
    "FM-26": framed(
        f"Content-Length: {len(ALLOW)}", "Transfer-Encoding: chunked",
        body=chunk(ALLOW) + chunk(b""),
    ),
    "FM-26a": framed(f"Content-Length: {len(ALLOW)}", "Content-Length: 5", body=ALLOW),
    "FM-27": raw(b"\x00\x9f\x92\x96 220 mail.example ESMTP\r\n" + ALLOW),
    "FM-27a": raw(ALLOW),
    "FM-27b": raw(b"\x15\x03\x03\x00\x02\x02\x46"),
    "FM-27c": says(ALLOW, status="OK OK"),
    "FM-28": says(b""),
    "FM-29": says(b"allow", _TEXT),
    "FM-29a": says(_LOGIN, _HTML),
    "FM-30": says(ALLOW, _TEXT),
    "FM-30a": says(ALLOW, ""),
    "FM-30b": says(ALLOW, "application/problem+json"),
    "FM-31": says(b'{"context":{"reason":"none given"}}'),
    "FM-31a": says(b'{"Decision":true}'),
    "FM-31b": says(b'{"decisions":true}'),
    "FM-31c": says(b'{"allow":true,"result":true}'),
    "FM-32": says(b'{"decision":"true"}'),
    "FM-32a": says(b'{"decision":"false"}'),
    "FM-32b": says(b'{"decision":"Deny"}'),
    "FM-33": says(b'{"decision":1}'),
    "FM-33a": says(b'{"decision":1.0}'),
    "FM-34": says(b'{"decision":0}'),
    "FM-34a": says(b'{"decision":null}'),
    "FM-35": says(b'{"decision":{"allow":false}}'),
    "FM-35a": says(b'{"decision":[false]}'),
    "FM-35b": says(b'{"result":{"decision":true}}'),
    "FM-36": says(b"true"),
    "FM-36a": says(b'[{"decision":true}]'),
    "FM-37": says(b'{"decision":false,"decision":true}'),
    "FM-37a": says(b'{"decision":true,"decision":false}'),
    "FM-37b": says(b'{"decision":false,"\\u0064ecision":true}'),
    "FM-37c": context(b'{"reason":"a","reason":"b"}'),
    "FM-38": says(ALLOW + b"garbage"),
    "FM-38a": says(b"\xef\xbb\xbf" + ALLOW),
    "FM-38b": says(ALLOW.decode().encode("utf-16"), "application/json; charset=utf-16"),
    "FM-38c": says(ALLOW + b"\n" + DENY),
    "FM-38d": context(b'{"reason":"\xff"}'),
    "FM-39": context(b'{"score":NaN}'),
    "FM-39a": context(b'{"score":Infinity}'),
    "FM-40": says(b'{"error":{"status":500,"message":"the policy store is away"}}'),
    "FM-41": context(b'{"error":{"status":500,"message":"the policy store is away"}}'),
    "FM-41a": context(b'"as agreed"'),
    "FM-42": context(b'{"obligations":[{"id":"mask-pii","fields":["name"]}]}'),
    "FM-42a": context(b'{"obligations":{"mask-pii":["name"]}}'),
    "FM-43": says(b'{"evaluations":[{"decision":true}]}'),
    "FM-43a": says(b'{"decision":true,"evaluations":[{"decision":false}]}'),
    "FM-45": giant,
    "FM-46": gzip_bomb,
    "FM-47": nested,
    "FM-48": redirect("302 Found", "FM-48"),
    "FM-48a": redirect("301 Moved Permanently", "FM-48a"),
    "FM-48b": redirect("303 See Other", "FM-48b"),
    "FM-49": redirect("307 Temporary Redirect", "FM-49", elsewhere=True),
    "FM-49a": redirect("308 Permanent Redirect", "FM-49a", elsewhere=True),
    "FM-50": redirect("302 Found", "FM-50"),
    "FM-51": other_request_id,
    "FM-52": says(ALLOW, extra=("Age: 86400", "X-Cache: HIT")),
    "ok-extra": says(_EXTRA),
    "ok-case": odd_case,
    "ok-chunked": several_chunks,
    "ok-context": context(_REASONS),
    "ok-order": says(b'{ "context" : {"reason" : "as agreed"},\r\n\t"decision" : true }\n'),
    "ok-slow": late(0.4),
    "ok-charset": says(ALLOW, "application/json; charset=utf-8"),
}  # fmt: skip
