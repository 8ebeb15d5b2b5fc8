"""One HTTP exchange under one deadline, and JSON read strictly.

`exchange` gives the whole answer or raises; how an answer is judged is for `pdp` and `services`.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from multidict import CIMultiDictProxy

_CHUNK: Final = 16_384
_NO_LIMIT: Final = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None)


class NoAnswer(Exception):
    """There is no complete answer that may be used; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A complete answer."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes


class QuietConnector(aiohttp.TCPConnector):
    """Keep-alive, but never on a connection on which something arrived unasked.

    Without this, a second answer sent after the first would be taken for the answer to the next
    request: an allow could outlive its question.
    """

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Any],
        timeout: aiohttp.ClientTimeout,
    ) -> Any:
        connection = await super().connect(req, traces, timeout)
        try:
            await asyncio.sleep(0)  # bytes that wait in the socket are read now
        except asyncio.CancelledError:
            connection.close()
            raise
        while connection.protocol is None or connection.protocol.should_close:
            connection.close()
            connection = await super().connect(req, traces, timeout)
        return connection


def new_session() -> aiohttp.ClientSession:
    """A session without anything that the contract does not know: proxies, cookies, decoding."""
    return aiohttp.ClientSession(
        connector=QuietConnector(limit=0, keepalive_timeout=15, use_dns_cache=True),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        timeout=_NO_LIMIT,
        skip_auto_headers=("User-Agent", "Accept-Encoding"),
    )


async def exchange(
    http: aiohttp.ClientSession,
    url: str,
    *,
    headers: Mapping[str, str],
    body: Mapping[str, Any],
    deadline_s: float,
    cap_bytes: int,
) -> Answer:
    """POST `body` once and read the whole answer, from connecting to the last byte in time.

    Raises `NoAnswer` for anything else, and lets a cancellation through.
    """
    began = time.monotonic()
    try:
        async with asyncio.timeout(deadline_s):
            answer = await _exchange(http, url, headers, body, cap_bytes)
    except NoAnswer:
        raise
    except Exception as error:
        raise NoAnswer(f"{type(error).__name__}: {error}") from error
    if time.monotonic() - began > deadline_s:  # the loop was busy when the timer was due
        raise NoAnswer(f"TimeoutError: longer than {deadline_s} s")
    return answer


async def _exchange(
    http: aiohttp.ClientSession,
    url: str,
    headers: Mapping[str, str],
    body: Mapping[str, Any],
    cap_bytes: int,
) -> Answer:
    response = await http.post(
        url,
        data=json.dumps(body).encode(),
        headers={**headers, "Content-Type": "application/json"},
        allow_redirects=False,
    )
    try:
        if "Content-Encoding" in response.headers:
            raise NoAnswer("an encoded body")
        received = bytearray()
        while chunk := await response.content.read(_CHUNK):
            received += chunk
            if len(received) > cap_bytes:
                raise NoAnswer(f"a body of more than {cap_bytes} bytes")
    except BaseException:
        response.close()
        raise
    response.release()
    return Answer(status=response.status, headers=response.headers, body=bytes(received))


def strict_json(body: bytes) -> Any:
    """The JSON value of a body; `ValueError` for whatever a lenient reader would let pass.

    Refused: what is not UTF-8, a byte order mark, duplicate member names, `NaN` and infinities
    (also as an overflow), anything after the value, nesting that is too deep.
    """
    try:
        return _DECODER.decode(_without_mark(body.decode("utf-8")))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _without_mark(text: str) -> str:
    if text.startswith("\ufeff"):
        raise ValueError("a byte order mark")
    return text


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate member names")
    return members


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number out of range")
    return value


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_constant, parse_float=_finite
)
