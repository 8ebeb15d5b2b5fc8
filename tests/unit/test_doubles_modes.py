"""Each failure mode of the PDP sends what the table says: a strict reader concludes its answer."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest
import uvloop

from harness.contract.pdp_modes import FAMILIES, MODES, Mode, mode_of, play_of
from harness.doubles.instruments import Doubles
from harness.doubles.modes import SCRIPTS
from harness.journal.records import Answer, Decision
from harness.journal.write import SegmentWriter

DEADLINE_MS = 600
CAP = 64 * 1024
_HEAD_CAP = 16 * 1024
_GIVE_UP_S = 5 * DEADLINE_MS / 1000  # a drip takes 3.5 deadlines


class Capture(msgspec.Struct):
    """What came back: the bytes, how it ended (eof, reset, cap, gave up), and when."""

    data: bytes
    end: str
    seconds: float


def question(resource: str, request_id: str, tenant: str = "alpha") -> bytes:
    body = {
        "subject": {"type": "tenant", "id": tenant},
        "action": {"name": "rms.reserve"},
        "resource": {"type": "rms", "id": resource, "properties": {"tenant": tenant}},
        "context": {"saga_id": resource, "step": 0, "direction": "forward"},
    }
    data = json.dumps(body).encode()
    head = (
        "POST /access/v1/evaluation HTTP/1.1\r\nHost: pdp\r\nConnection: close\r\n"
        f"X-Tenant: {tenant}\r\nX-Saga-Id: {resource}\r\nX-Saga-Step: 0\r\n"
        f"X-Saga-Direction: forward\r\nX-Request-ID: {request_id}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


async def exchange(url: str, request: bytes, *, cap: int = CAP + _HEAD_CAP) -> Capture:
    """Ask once and take all that comes, until the end, the cap or the end of patience."""
    host, port = url.removeprefix("http://").split(":")
    began = time.monotonic()
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    data, end = bytearray(), "eof"
    try:
        async with asyncio.timeout(_GIVE_UP_S):
            while len(data) <= cap and (piece := await reader.read(65_536)):
                data += piece
        end = "cap" if len(data) > cap else end
    except ConnectionResetError:
        end = "reset"
    except TimeoutError:
        end = "gave up"
    finally:
        writer.close()
    return Capture(bytes(data), end, time.monotonic() - began)


async def run_all(folder: Path) -> tuple[dict[str, Capture], list[Decision]]:
    doubles = Doubles(SegmentWriter(folder, "doubles", "t-1"), frozenset(), DEADLINE_MS)
    addresses = await doubles.open()
    quick = [mode for mode in MODES if mode.family != "size"]
    answers = dict(
        zip(
            [mode.id for mode in quick],
            await asyncio.gather(
                *(exchange(addresses.pdp, question(m.resource, f"r-{m.id}")) for m in quick)
            ),
            strict=True,
        )
    )
    for mode in MODES:  # one after the other, so that they do not make the others late
        if mode.family == "size":
            request = question(f"{mode.resource}.a/b", f"r-{mode.id}")
            answers[mode.id] = await exchange(addresses.pdp, request)
    await doubles.close()
    lines = (folder / "doubles.jsonl").read_bytes().splitlines()
    return answers, [msgspec.json.decode(line, type=Decision) for line in lines[1:-1]]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Capture], list[Decision]]:
    return uvloop.run(run_all(tmp_path_factory.mktemp("modes")))


class Refused(Exception):
    """The strict reader concludes nothing; the message is the family of what is wrong."""


def require(condition: object, family: str) -> None:
    if not condition:
        raise Refused(family)


def unchunk(rest: bytes) -> bytes:
    body = b""
    while True:
        size, found, rest = rest.partition(b"\r\n")
        require(found and re.fullmatch(rb"[0-9a-f]+", size), "framing")
        count = int(size, 16)
        require(rest[count : count + 2] == b"\r\n", "framing")
        if not count:
            return body
        body += rest[:count]
        rest = rest[count + 2 :]


def read_http(capture: Capture) -> tuple[int, dict[str, str], bytes]:
    head, found, rest = capture.data.partition(b"\r\n\r\n")
    require(found, "framing")
    first, *lines = head.decode("latin-1").split("\r\n")
    status = re.fullmatch(r"HTTP/1\.[01] ([0-9]{3}) .*", first)
    require(status, "framing")
    assert status is not None
    fields = [
        (name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)
    ]
    names = Counter(name for name, _ in fields)
    require(max(names.values(), default=0) <= 1, "framing")
    headers = dict(fields)
    if "transfer-encoding" in headers:
        require("content-length" not in headers, "framing")
        return int(status[1]), headers, unchunk(rest)
    if "content-length" in headers:
        require(len(rest) == int(headers["content-length"]), "framing")
    return int(status[1]), headers, rest


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    require(len(dict(pairs)) == len(pairs), "json")
    return dict(pairs)


def no_constant(name: str) -> float:
    raise Refused("json")


def conclude(capture: Capture, request_id: str) -> Answer:
    """`CONTRACT.md` §5.2, to the letter."""
    require(capture.end != "reset", "connection")
    require(capture.end != "cap", "size")
    require(capture.seconds * 1000 <= DEADLINE_MS, "timing")
    status, headers, body = read_http(capture)
    require("location" not in headers, "redirect")
    require(status == 200, "status")
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    require(kind == "application/json", "json")
    require("content-encoding" not in headers, "size")
    require(len(body) <= CAP, "size")
    require(headers.get("x-request-id", request_id) == request_id, "freshness")
    require(headers.get("age", "0") == "0", "freshness")
    try:
        plain = json.loads(
            body.decode("utf-8"), object_pairs_hook=unique, parse_constant=no_constant
        )
    except (ValueError, RecursionError) as error:
        raise Refused("json") from error
    require(isinstance(plain, dict), "decision-type")
    require(isinstance(plain.get("decision"), bool), "decision-type")
    context = plain.get("context", {})
    require(isinstance(context, dict), "context")
    require("error" not in context and not context.get("obligations"), "context")
    return Answer.ALLOW if plain["decision"] else Answer.DENY


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.id)
def test_a_strict_reader_concludes_what_the_table_says(
    mode: Mode, ran: tuple[dict[str, Capture], list[Decision]]
) -> None:
    """And for the reason that the mode is there for: its family, nothing else."""
    capture = ran[0][mode.id]
    try:
        concluded, family = conclude(capture, f"r-{mode.id}"), "control"
    except Refused as refused:
        concluded, family = Answer.NONE, str(refused)
    assert (concluded, family) == (mode.answer, mode.family), capture.data[:300]


def naive(capture: Capture) -> bool:
    """What a careless enforcement point sees: any body, any truth."""
    body = capture.data.partition(b"\r\n\r\n")[2]
    try:
        return bool(json.loads(body.decode("utf-8-sig")).get("decision"))
    except (ValueError, AttributeError, RecursionError):
        return False


def test_a_naive_reader_is_fooled_by_many_modes(
    ran: tuple[dict[str, Capture], list[Decision]],
) -> None:
    fooled = {m.id for m in MODES if m.answer is not Answer.ALLOW and naive(ran[0][m.id])}
    assert {"FM-05", "FM-10", "FM-18", "FM-22", "FM-30", "FM-32", "FM-37", "FM-51"} <= fooled
    assert len(fooled) >= 30


def test_every_mode_has_a_script_and_a_family_and_a_resource_of_its_own() -> None:
    assert list(SCRIPTS) == [mode.id for mode in MODES]
    assert {mode.family for mode in MODES} == set(FAMILIES)
    assert len({mode.resource for mode in MODES}) == len(MODES)
    assert all(mode_of(mode.resource) is mode for mode in MODES)


def test_a_resource_selects_its_mode_up_to_a_dot_or_a_slash() -> None:
    for resource in ("fm-32a", "fm-32a.s-7", "fm-32a/room/7"):
        mode = mode_of(resource)
        assert mode is not None
        assert mode.id == "FM-32a"
    for resource in ("room-7", "xfm-01", "ok-room", "FM-01", ""):
        assert mode_of(resource) is None
    for misspelt in ("fm-1", "fm-99", "fm-01z", "fm-01-a"):
        with pytest.raises(KeyError):
            mode_of(misspelt)


def test_modes_that_break_the_connection_or_the_time_really_do(
    ran: tuple[dict[str, Capture], list[Decision]],
) -> None:
    answers = ran[0]
    assert {answers[name].end for name in ("FM-20", "FM-21", "FM-21a")} == {"reset"}
    assert answers["FM-20"].data == b""
    assert answers["FM-16"].end == "gave up"
    assert answers["FM-16"].data == b""
    for name in ("FM-17", "FM-18", "FM-18a", "FM-19", "FM-19a"):
        assert answers[name].end == "eof"
        assert answers[name].seconds * 1000 > DEADLINE_MS
        assert b"true" in answers[name].data or name == "FM-18a"  # the allow does come, in the end


def test_each_request_is_one_decision_with_its_mode_and_the_bytes_that_were_sent(
    ran: tuple[dict[str, Capture], list[Decision]],
) -> None:
    answers, decisions = ran
    by_mode = {decision.mode: decision for decision in decisions}
    assert Counter(decision.mode for decision in decisions) == Counter(mode.id for mode in MODES)
    assert sorted(decision.seq for decision in decisions) == list(range(1, len(MODES) + 1))
    for mode in MODES:
        decision = by_mode[mode.id]
        sent = base64.b64decode(decision.wire)
        assert decision.answer is mode.answer
        assert mode_of(decision.resource) is mode
        assert decision.request_id == f"r-{mode.id}"
        assert len(sent) <= 2048
        assert answers[mode.id].data.startswith(sent) or answers[mode.id].end != "eof"
        assert decision.received_ns <= decision.at_ns
    assert by_mode["FM-16"].ended_by == "peer"
    assert by_mode["FM-16"].answered_ns == 0
    assert by_mode["FM-45"].ended_by == "peer"
    assert by_mode["FM-01"].ended_by == "us"
    assert by_mode["FM-01"].answered_ns > 0


async def test_the_bomb_unpacks_to_200_mib_and_the_giant_is_64(tmp_path: Path) -> None:
    doubles = Doubles(SegmentWriter(tmp_path, "doubles", "t-1"), frozenset(), 1000)
    addresses = await doubles.open()
    bomb = await exchange(addresses.pdp, question("fm-46", "r"), cap=1 << 30)
    giant = await exchange(addresses.pdp, question("fm-45", "r"), cap=1 << 30)
    await doubles.close()
    packed = unchunk(bomb.data.partition(b"\r\n\r\n")[2])
    assert len(packed) < 400_000
    unpack, size, start = zlib.decompressobj(31), 0, b""
    while packed and not unpack.eof:
        piece = unpack.decompress(packed, 1 << 20)
        start = start or piece[:20]
        size += len(piece)
        packed = unpack.unconsumed_tail
    assert unpack.eof  # length and CRC at its end are right
    assert start.startswith(b'{"decision":true,')
    assert size > 200 * 1024 * 1024
    assert len(giant.data.partition(b"\r\n\r\n")[2]) == 64 * 1024 * 1024


async def test_who_follows_a_redirect_is_recorded_and_may_conclude_nothing(tmp_path: Path) -> None:
    doubles = Doubles(SegmentWriter(tmp_path, "doubles", "t-1"), frozenset(), 1000)
    addresses = await doubles.open()
    for resource in ("fm-48", "fm-49", "fm-50"):
        answer = await exchange(addresses.pdp, question(resource, "r"))
        location = re.search(rb"Location: (\S+)", answer.data)
        assert location is not None
        url, path = addresses.pdp, location[1].decode()
        if path.startswith("http"):
            url, _, rest = path.removeprefix("http://").partition("/")
            path = f"/{rest}"
            assert url != addresses.pdp.removeprefix("http://")
        request = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
        followed = await exchange(url, request)
        assert (b'{"decision":true}' in followed.data) == (resource != "fm-50")
    await doubles.close()
    lines = (tmp_path / "doubles.jsonl").read_bytes().splitlines()[1:-1]
    hits = [msgspec.json.decode(line, type=Decision) for line in lines][1::2]
    assert [hit.mode for hit in hits] == ["FM-48 target", "FM-49 target", "FM-50 target"]
    assert {hit.answer for hit in hits} == {Answer.NONE}
    assert {(hit.tenant, hit.step, hit.direction) for hit in hits} == {("alpha", 0, "forward")}
    assert [hit.saga_id for hit in hits] == ["fm-48", "fm-49", "fm-50"]
    assert all("redirect was followed" in hit.problems[0] for hit in hits)


@pytest.mark.parametrize(
    ("resource", "played"),
    [
        ("fm-08", {("forward", 1), ("forward", 2), ("compensation", 1), ("compensation", 2)}),
        ("fm-08-back.alpha", {("compensation", 1), ("compensation", 2)}),
        ("fm-08-forth-x1/a", {("forward", 1)}),
        ("fm-08-after1.a", {("forward", 2), ("compensation", 2)}),
        ("ok-extra-back-x1", {("compensation", 1)}),
    ],
)
def test_a_resource_says_which_questions_its_mode_answers(
    resource: str, played: set[tuple[str, int]]
) -> None:
    """What it does not answer is decided by policy."""
    play = play_of(resource)
    assert play is not None
    found = {
        (direction, number)
        for direction in ("forward", "compensation")
        for number in (1, 2)
        if play.answers(direction, number)
    }
    assert found == played


@pytest.mark.parametrize("resource", ["fm-08-bark", "fm-08-x0", "fm-08-", "fm-08x1"])
def test_a_misspelt_use_of_a_mode_is_no_resource(resource: str) -> None:
    with pytest.raises(KeyError):
        play_of(resource)


async def test_a_mode_for_one_question_leaves_the_next_to_policy(tmp_path: Path) -> None:
    doubles = Doubles(SegmentWriter(tmp_path, "doubles", "t-1"), frozenset(), DEADLINE_MS)
    addresses = await doubles.open()
    for number in range(3):
        await exchange(addresses.pdp, question("fm-33-x2", f"r-{number}"))
    await doubles.close()
    lines = (tmp_path / "doubles.jsonl").read_bytes().splitlines()
    decisions = [msgspec.json.decode(line, type=Decision) for line in lines[1:-1]]
    assert [each.mode for each in decisions] == ["FM-33", "FM-33", "policy"]
