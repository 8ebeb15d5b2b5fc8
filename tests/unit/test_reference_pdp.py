"""The reference enforcement point lets nothing pass but a flawless allow (`CONTRACT.md` §5.2)."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from harness.contract.pdp_modes import MODES, Mode
from harness.doubles.instruments import Doubles
from harness.journal.records import Answer
from harness.journal.write import SegmentWriter
from scenarios.reference.answer import new_session, strict_json
from scenarios.reference.call import Call, headers, idempotency_key
from scenarios.reference.pdp import Decision, Ruling, authorize

DEADLINE_S = 0.6
CALL = Call(
    activity_type="rms.reserve",
    tenant="alpha",
    saga_id="s-1",
    step=0,
    direction="forward",
    service="rms",
    operation="reserve",
    resource="room-7",
    amount="3",
    workflow_id="w-1",
    run_id="r-1",
    attempt=1,
)
ALLOW = b'{"decision": true}'
Serve = Callable[[bytes, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def ask(http: aiohttp.ClientSession, url: str, call: Call = CALL) -> Decision:
    sent = headers(call, idempotency_key(call))
    return await authorize(http, url, call, sent, DEADLINE_S)


@contextlib.asynccontextmanager
async def served(serve: Serve) -> AsyncIterator[tuple[aiohttp.ClientSession, str]]:
    """A server that gives `serve` the head of each request on a connection, and a session."""

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                await reader.readexactly(int(length))
                await serve(head, reader, writer)
        writer.close()

    server = await asyncio.start_server(connection, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        async with new_session() as http:
            yield http, f"http://127.0.0.1:{port}/"
    finally:
        server.close()


def answer(
    body: bytes = ALLOW, *lines: str, status: str = "200 OK", kind: str | None = ""
) -> bytes:
    """A whole answer with a length, of the right media type unless `kind` says otherwise."""
    media_type = "application/json" if kind == "" else kind
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *lines]
    if media_type is not None:
        head.append(f"Content-Type: {media_type}")
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


ALLOWED = {
    "plain": answer(),
    "parameter": answer(kind="Application/JSON ; charset=utf-8"),
    "fresh": answer(ALLOW, "Age: 0"),
    "context": answer(b'{"context": {"reason": "x", "obligations": []}, "decision": true, "n": 1}'),
    "spaces": answer(b' \r\n{"decision": true}\n'),
    "chunked": b"HTTP/1.1 200 OK\r\ncontent-TYPE: application/json\r\nTransfer-Encoding: chunked"
    b'\r\n\r\n3\r\n{"d\r\nf\r\necision": true}\r\n0\r\n\r\n',
    "at the cap": answer(b'{"decision": true, "x": "' + b"y" * (64 * 1024 - 27) + b'"}'),
}
DENIED = {"plain": answer(b'{"decision": false}'), "age": answer(b'{"decision": false}', "Age: 0")}
UNAVAILABLE = {
    "beyond the cap": answer(b'{"decision": true, "x": "' + b"y" * (64 * 1024 - 26) + b'"}'),
    "another media type": answer(kind="application/problem+json"),
    "no media type": answer(kind=None),
    "two media types": answer(ALLOW, "Content-Type: text/plain"),
    "201": answer(status="201 Created"),
    "403": answer(b'{"decision": false}', status="403 Forbidden"),
    "a redirect": answer(b"", "Location: /elsewhere", status="307 Temporary Redirect"),
    "a string": answer(b'{"decision": "true"}'),
    "a number": answer(b'{"decision": 1}'),
    "no decision": answer(b"{}"),
    "a list": answer(b'[{"decision": true}]'),
    "twice": answer(b'{"decision": true, "decision": true}'),
    "twice inside": answer(b'{"decision": true, "context": {"a": 1, "a": 1}}'),
    "NaN": answer(b'{"decision": true, "x": NaN}'),
    "a byte order mark": answer(b"\xef\xbb\xbf" + ALLOW),
    "garbage": answer(ALLOW + b"x"),
    "Latin-1": answer(b'{"decision": true, "x": "\xe9"}'),
    "nested": answer(b'{"decision": true, "x": ' + b"[" * 30_000 + b"]" * 30_000 + b"}"),
    "an error": answer(b'{"decision": true, "context": {"error": null}}'),
    "a denial with an error": answer(b'{"decision": false, "context": {"error": {}}}'),
    "an obligation": answer(b'{"decision": true, "context": {"obligations": ["log"]}}'),
    "no context": answer(b'{"decision": true, "context": null}'),
    "another request": answer(ALLOW, "X-Request-ID: another"),
    "from a cache": answer(ALLOW, "Age: 3"),
    "no age": answer(ALLOW, "Age: soon"),
    "encoded": answer(ALLOW, "Content-Encoding: identity"),
    "cut off": answer()[:-1],
    "no HTTP": b"hello\r\n\r\n" + ALLOW,
    "nothing": b"",
}


async def ruling_on(raw: bytes) -> Ruling:
    async def serve(_: bytes, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()
        writer.close()

    async with served(serve) as (http, url):
        return (await ask(http, url)).ruling


@pytest.mark.parametrize("name", ALLOWED)
async def test_an_allow_of_unusual_form_is_accepted(name: str) -> None:
    assert await ruling_on(ALLOWED[name]) is Ruling.ALLOWED


@pytest.mark.parametrize("name", DENIED)
async def test_a_deny_is_a_deny(name: str) -> None:
    assert await ruling_on(DENIED[name]) is Ruling.DENIED


@pytest.mark.parametrize("name", UNAVAILABLE)
async def test_anything_else_fails_closed(name: str) -> None:
    assert await ruling_on(UNAVAILABLE[name]) is Ruling.UNAVAILABLE


async def test_no_one_listening_fails_closed() -> None:
    async with served(_silent) as (http, _):
        assert (await ask(http, "http://127.0.0.1:1")).ruling is Ruling.UNAVAILABLE


async def _silent(_: bytes, reader: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    await reader.read()


async def test_the_deadline_is_one_for_the_whole_exchange() -> None:
    """Bytes that keep coming do not prolong it."""

    async def drip(_: bytes, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for byte in answer():
            writer.write(bytes([byte]))
            await asyncio.sleep(DEADLINE_S / 20)

    async with served(drip) as (http, url):
        began = time.monotonic()
        decision = await ask(http, url)
        assert decision.ruling is Ruling.UNAVAILABLE
        assert time.monotonic() - began < 3 * DEADLINE_S


async def test_a_connection_is_used_again() -> None:
    connections = set()

    async def serve(_: bytes, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(writer)
        writer.write(answer())

    async with served(serve) as (http, url):
        rulings = [(await ask(http, url)).ruling for _ in range(3)]
    assert (rulings, len(connections)) == ([Ruling.ALLOWED] * 3, 1)


@pytest.mark.parametrize("pause_s", [0.0, 0.05])
async def test_an_answer_that_nobody_asked_for_is_not_taken_for_the_next(pause_s: float) -> None:
    """The first answer is followed by an allow; the second question gets a deny of its own."""
    asked = 0

    async def serve(_: bytes, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            writer.write(answer())
            await asyncio.sleep(pause_s)
            writer.write(answer())
        else:
            writer.write(answer(b'{"decision": false}'))

    async with served(serve) as (http, url):
        assert (await ask(http, url)).ruling is Ruling.ALLOWED
        await asyncio.sleep(2 * pause_s)
        assert (await ask(http, url)).ruling is Ruling.DENIED


async def test_nothing_of_the_environment_or_of_earlier_answers_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No proxy, no cookie, and every request has an id of its own."""
    heads: list[str] = []

    async def serve(head: bytes, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(head.decode().lower())
        writer.write(answer(ALLOW, "Set-Cookie: who=alpha; Path=/"))

    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    async with served(serve) as (http, url):
        for _ in range(2):
            assert (await ask(http, url)).ruling is Ruling.ALLOWED
    assert all(head.startswith("post /access/v1/evaluation http/1.1\r\n") for head in heads)
    assert not any("cookie:" in head or "accept-encoding:" in head for head in heads)
    assert len({head.partition("x-request-id: ")[2][:32] for head in heads}) == 2


@pytest.fixture(scope="module")
def rulings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ruling]:
    return asyncio.run(ruling_of_modes(tmp_path_factory.mktemp("modes")))


async def ruling_of_modes(folder: Path) -> dict[str, Ruling]:
    """Every mode of the harness's PDP double, as the reference enforcement point rules on it."""
    segment = SegmentWriter(folder, "doubles", "t-1")
    doubles = Doubles(segment, frozenset(), int(DEADLINE_S * 1000))
    addresses = await doubles.open()
    found: dict[str, Ruling] = {}

    async def one(http: aiohttp.ClientSession, mode: Mode) -> None:
        call = replace(CALL, resource=mode.resource, saga_id=f"s-{secrets.token_hex(4)}")
        found[mode.id] = (await ask(http, addresses.pdp, call)).ruling

    async with new_session() as http:
        await asyncio.gather(*(one(http, mode) for mode in MODES if mode.family != "size"))
        for mode in MODES:  # one after the other, so that they do not make the others late
            if mode.family == "size":
                await one(http, mode)
    await doubles.close()
    return found


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.id)
def test_every_mode_of_the_double_is_ruled_on_as_its_table_says(
    mode: Mode, rulings: dict[str, Ruling]
) -> None:
    expected = {
        Answer.ALLOW: Ruling.ALLOWED,
        Answer.DENY: Ruling.DENIED,
        Answer.NONE: Ruling.UNAVAILABLE,
    }
    assert rulings[mode.id] is expected[mode.answer]


@pytest.mark.parametrize("body", [b"1e999", b"-Infinity", b'"\xff"', b"", b"{} {}", b"01"])
def test_strict_json_refuses_what_a_lenient_reader_lets_pass(body: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        strict_json(body)
