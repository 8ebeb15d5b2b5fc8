"""Enforcement points with one defect each.

They are made of the reference's own: with another exchange, or with a way to see the answer that
hides a flaw of it (or invents one) before the reference judges it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import aiohttp
from multidict import CIMultiDict, CIMultiDictProxy

from scenarios.reference import pdp
from scenarios.reference.answer import Answer, NoAnswer, exchange, strict_json
from scenarios.reference.call import Call
from scenarios.reference.pdp import Authorize, Decision, Ruling

ALLOWED: Final = Decision(ruling=Ruling.ALLOWED)
ALLOW: Final = b'{"decision":true}'
UNAVAILABLE: Final = Decision(ruling=Ruling.UNAVAILABLE, reason="no usable answer")

See = Callable[[Answer], Answer]
Exchange = Callable[..., Awaitable[Answer]]


def as_it_is(answer: Answer) -> Answer:
    """Without prejudice."""
    return answer


def asking(
    *,
    see: See = as_it_is,
    exchange: Exchange = exchange,
    without_answer: Decision = UNAVAILABLE,
) -> Authorize:
    """The reference's enforcement point, with something replaced."""

    async def authorize(
        http: aiohttp.ClientSession,
        base_url: str,
        call: Call,
        headers: Mapping[str, str],
        deadline_s: float,
    ) -> Decision:
        try:
            answer = await exchange(
                http,
                base_url + pdp.PATH,
                headers=headers,
                body=pdp.evaluation(call),
                deadline_s=deadline_s,
                cap_bytes=pdp.CAP_BYTES,
            )
        except (NoAnswer, TimeoutError):
            return without_answer
        return pdp.judge(see(answer), headers["X-Request-ID"])

    return authorize


def skipping(activity_type: str) -> Authorize:
    """One activity type does not ask."""

    async def authorize(
        http: aiohttp.ClientSession,
        base_url: str,
        call: Call,
        headers: Mapping[str, str],
        deadline_s: float,
    ) -> Decision:
        if call.activity_type == activity_type:
            return ALLOWED
        return await pdp.authorize(http, base_url, call, headers, deadline_s)

    return authorize


def carrying_over() -> Authorize:
    """The allow of an earlier attempt holds for the retry."""
    allowed: set[tuple[str, str, int, str]] = set()

    async def authorize(
        http: aiohttp.ClientSession,
        base_url: str,
        call: Call,
        headers: Mapping[str, str],
        deadline_s: float,
    ) -> Decision:
        place = call.tenant, call.saga_id, call.step, call.direction
        if place in allowed:
            return ALLOWED
        decision = await pdp.authorize(http, base_url, call, headers, deadline_s)
        if decision.ruling is Ruling.ALLOWED:
            allowed.add(place)
        return decision

    return authorize


def ruling(taken: Ruling, instead: Ruling) -> Authorize:
    """One ruling is taken for another."""

    async def authorize(
        http: aiohttp.ClientSession,
        base_url: str,
        call: Call,
        headers: Mapping[str, str],
        deadline_s: float,
    ) -> Decision:
        decision = await pdp.authorize(http, base_url, call, headers, deadline_s)
        return replace(decision, ruling=instead) if decision.ruling is taken else decision

    return authorize


def open_back() -> Authorize:
    """A compensation goes on when the PDP cannot be asked."""

    async def authorize(
        http: aiohttp.ClientSession,
        base_url: str,
        call: Call,
        headers: Mapping[str, str],
        deadline_s: float,
    ) -> Decision:
        decision = await pdp.authorize(http, base_url, call, headers, deadline_s)
        away = decision.ruling is Ruling.UNAVAILABLE and call.direction == "compensation"
        return ALLOWED if away else decision

    return authorize


# --- flaws that are not seen ----------------------------------------------------------------------


def any_status(answer: Answer) -> Answer:
    """The body alone counts."""
    return replace(answer, status=200)


def any_media_type(answer: Answer) -> Answer:
    """Whatever it is called, it is read as JSON."""
    return _with_headers(answer, {"Content-Type": "application/json"})


def any_age(answer: Answer) -> Answer:
    """An answer to another request, or from a cache, is as good."""
    return _with_headers(answer, {"X-Request-ID": None, "Age": None})


def lenient_json(answer: Answer) -> Answer:
    """Duplicate members, NaN and a byte order mark pass, as in the standard library."""
    try:
        return replace(answer, body=_dumped(json.loads(answer.body.decode("utf-8-sig"))))
    except ValueError:
        return answer


def first_json_value(answer: Answer) -> Answer:
    """What follows the first JSON value is not looked at."""
    try:
        text = answer.body.decode()
        _, end = json.JSONDecoder().raw_decode(text)
    except ValueError:
        return answer
    return replace(answer, body=text[:end].encode())


def truthy_decision(answer: Answer) -> Answer:
    """`decision` is worth what it is in Python: "false", 1 and [false] are true."""
    body = _object(answer)
    if "decision" not in body:
        return answer
    return replace(answer, body=_dumped({**body, "decision": bool(body["decision"])}))


def not_denied(answer: Answer) -> Answer:
    """Any JSON that does not say `"decision": false` is an allow."""
    try:
        value = strict_json(answer.body)
    except ValueError:
        return answer
    denied = isinstance(value, dict) and value.get("decision") is False
    return replace(answer, body=_dumped({"decision": not denied}))


def any_context(answer: Answer) -> Answer:
    """The decision counts; errors and obligations beside it do not."""
    body = _object(answer)
    body.pop("context", None)
    return replace(answer, body=_dumped(body)) if body else answer


# --- flaws that are none --------------------------------------------------------------------------


def no_unknown_members(answer: Answer) -> Answer:
    """An answer with a member that AuthZEN does not name is refused."""
    unknown = _object(answer).keys() - {"decision", "context"}
    return replace(answer, status=500) if unknown else answer


def no_chunks(answer: Answer) -> Answer:
    """An answer whose length is not announced is refused."""
    return answer if "Content-Length" in answer.headers else replace(answer, status=500)


def no_charset(answer: Answer) -> Answer:
    """A media type with a parameter is refused."""
    plain = answer.headers.get("Content-Type") == "application/json"
    return answer if plain else replace(answer, status=500)


def _object(answer: Answer) -> dict[str, Any]:
    try:
        value = strict_json(answer.body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _with_headers(answer: Answer, changed: Mapping[str, str | None]) -> Answer:
    headers = CIMultiDict(answer.headers)
    for name, value in changed.items():
        headers.popall(name, None)
        if value is not None:
            headers[name] = value
    return replace(answer, headers=CIMultiDictProxy(headers))


def _dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


# --- other exchanges ------------------------------------------------------------------------------
# `given` are the keyword arguments of the reference's `exchange`.


async def following_redirects(http: aiohttp.ClientSession, url: str, **given: Any) -> Answer:
    """Goes where it is sent."""
    async with asyncio.timeout(given["deadline_s"]), _posted(http, url, given) as got:
        return _answer(got, await got.read())


async def timing_each_read(http: aiohttp.ClientSession, url: str, **given: Any) -> Answer:
    """The deadline begins anew with every byte."""
    limit_s = given["deadline_s"]
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=limit_s, sock_read=limit_s)
    async with _posted(http, url, given, timeout=timeout, allow_redirects=False) as got:
        return _answer(got, await got.read())


async def waiting_twice(http: aiohttp.ClientSession, url: str, **given: Any) -> Answer:
    """Waits twice as long as it may."""
    return await exchange(http, url, **{**given, "deadline_s": 2 * given["deadline_s"]})


async def until_an_allow(http: aiohttp.ClientSession, url: str, **given: Any) -> Answer:
    """Reads until the bytes look like an allow, and no further."""
    received = bytearray()
    async with (
        asyncio.timeout(given["deadline_s"]),
        _posted(http, url, given, allow_redirects=False) as got,
    ):
        async for chunk in got.content.iter_any():
            received += chunk
            if ALLOW[:-1] in received:
                got.close()
                return _answer(got, ALLOW)
        return _answer(got, bytes(received))


async def taking_what_came(http: aiohttp.ClientSession, url: str, **given: Any) -> Answer:
    """A body that breaks off is taken for what came of it."""
    received = bytearray()
    async with (
        asyncio.timeout(given["deadline_s"]),
        _posted(http, url, given, allow_redirects=False) as got,
    ):
        with contextlib.suppress(aiohttp.ClientError, ConnectionError):
            async for chunk in got.content.iter_any():
                received += chunk
        return _answer(got, bytes(received))


@contextlib.asynccontextmanager
async def _posted(
    http: aiohttp.ClientSession, url: str, given: Mapping[str, Any], **options: Any
) -> AsyncIterator[aiohttp.ClientResponse]:
    try:
        async with http.post(
            url, json=given["body"], headers=given["headers"], **options
        ) as response:
            yield response
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise NoAnswer(str(error)) from error


def _answer(got: aiohttp.ClientResponse, body: bytes) -> Answer:
    return Answer(status=got.status, headers=got.headers, body=body)
