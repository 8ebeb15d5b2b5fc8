"""Services, sink and control of a running set of doubles, through the client the drive uses."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from harness.contract.program import Behaviour, Child, SagaProgram, Step, idempotency_key, step
from harness.doubles.client import DoublesClient
from harness.doubles.defects import SLOW_MS, Defect
from harness.doubles.instruments import Doubles
from harness.doubles.messages import Addresses
from harness.errors import DriveError
from harness.journal.records import Answer, AuditEvent, Balance, Decision, Disposition, Effect
from harness.journal.write import SegmentWriter

WAIT_MS = 5000


class Rig:
    """Running doubles, a client of their control, and a worker's eye view of them."""

    def __init__(self, folder: Path, doubles: Doubles, addresses: Addresses) -> None:
        self.addresses = addresses
        self.doubles = doubles
        self._path = folder / "doubles.jsonl"
        self._requests = 0

    async def post(
        self, url: str, body: Any, headers: dict[str, str]
    ) -> tuple[int, Any, dict[str, str]]:
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, json=body, headers=headers) as answer,
        ):
            return answer.status, await answer.json(content_type=None), dict(answer.headers)

    async def call(
        self, direction: str = "forward", saga_id: str = "s-1", number: int = 0, **changed: Any
    ) -> tuple[int, Any, dict[str, str]]:
        operation = "reserve" if direction == "forward" else "release"
        body = {
            "tenant": "alpha", "saga_id": saga_id, "step": number, "direction": direction,
            "resource": "room-7", "amount": "3", **changed,
        }  # fmt: skip
        headers = self.headers(direction, saga_id, number)
        return await self.post(f"{self.addresses.services}/rms/{operation}", body, headers)

    async def ask(self, resource: str = "room-7", tenant: str = "alpha") -> Any:
        body = {
            "subject": {"type": "tenant", "id": tenant},
            "action": {"name": "rms.reserve"},
            "resource": {"type": "rms", "id": resource, "properties": {"tenant": tenant}},
            "context": {"saga_id": "s-1", "step": 0, "direction": "forward"},
        }
        headers = self.headers("forward", "s-1", 0)
        url = f"{self.addresses.pdp}/access/v1/evaluation"
        _, answer, echoed = await self.post(url, body, headers)
        assert echoed["X-Request-ID"] == headers["X-Request-ID"]
        return answer

    def headers(self, direction: str, saga_id: str, number: int) -> dict[str, str]:
        self._requests += 1
        return {
            "X-Tenant": "alpha", "X-Saga-Id": saga_id, "X-Saga-Step": str(number),
            "X-Saga-Direction": direction, "X-Workflow-Id": "w-1", "X-Workflow-Run-Id": "r-1",
            "X-Attempt": "1", "Idempotency-Key": idempotency_key(saga_id, number, direction),
            "X-Request-ID": f"q-{self._requests}",
            "traceparent": f"00-{'1' * 32}-{self._requests:016x}-01",
        }  # fmt: skip

    def records(self) -> list[Any]:
        lines = self._path.read_bytes().splitlines()[1:]
        if b'"kind":"footer"' in lines[-1]:
            lines.pop()
        kinds = Decision | Effect | Balance | AuditEvent
        return [msgspec.json.decode(line, type=kinds) for line in lines]

    def effects(self) -> list[Effect]:
        return [record for record in self.records() if isinstance(record, Effect)]


@asynccontextmanager
async def running(folder: Path, *defects: Defect) -> AsyncIterator[tuple[Rig, DoublesClient]]:
    doubles = Doubles(SegmentWriter(folder, "doubles", "t-1"), frozenset(defects), 1000)
    addresses = await doubles.open()
    async with DoublesClient(addresses.control) as client:
        yield Rig(folder, doubles, addresses), client
    await doubles.close()


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[tuple[Rig, DoublesClient]]:
    async with running(tmp_path) as pair:
        yield pair


def program(saga_id: str = "s-1", **fields: Any) -> tuple[str, SagaProgram]:
    return "alpha", SagaProgram(
        tenant="alpha", saga_id=saga_id, nodes=[step(0, "room-7", **fields)]
    )


Running = tuple[Rig, DoublesClient]


async def test_a_repeated_key_gets_the_first_result_and_says_so(rig: Running) -> None:
    worker, client = rig
    first, again = await worker.call(), await worker.call()
    assert (first[0], again[0]) == (200, 200)
    assert first[1] == again[1]
    assert first[1]["result"]["applied"] == 1
    assert "Idempotency-Replayed" not in first[2]
    assert again[2]["Idempotency-Replayed"] == "true"
    await client.flush()
    applied, suppressed = worker.effects()
    assert [e.disposition for e in (applied, suppressed)] == [
        Disposition.APPLIED, Disposition.SUPPRESSED,
    ]  # fmt: skip
    assert applied.received_ns <= applied.applied_ns <= applied.at_ns
    assert suppressed.applied_ns == 0
    assert applied.result_sha256 == suppressed.result_sha256 != ""


async def test_decisions_and_effects_have_one_order(rig: Running) -> None:
    worker, client = rig
    assert await worker.ask() == {"decision": True}
    await worker.call()
    assert await worker.ask() == {"decision": True}
    await client.flush()
    assert [(type(r).__name__, r.seq) for r in worker.records()] == [
        ("Decision", 1), ("Effect", 2), ("Decision", 3),
    ]  # fmt: skip


async def test_the_policy_allows_a_tenant_its_own_and_can_be_overridden(rig: Running) -> None:
    worker, client = rig
    assert await worker.ask(tenant="beta") == {"decision": False}  # the header says alpha
    await client.policy("alpha", "room-7", "rms.reserve", False)
    assert await worker.ask() == {"decision": False}
    assert await worker.ask("room-8") == {"decision": True}
    await client.policy("alpha", "room-7", "rms.reserve", None)
    assert await worker.ask() == {"decision": True}


async def test_the_first_requests_fail_then_lose_their_answer_then_succeed(rig: Running) -> None:
    worker, client = rig
    await client.register([program(behaviour=Behaviour(fail=1, lose_answer=1))])
    assert (await worker.call())[0] == 503
    with pytest.raises(aiohttp.ClientError):
        await worker.call()
    assert (await worker.call())[0] == 200
    await client.flush()
    assert [(e.disposition.value, e.status, e.fault) for e in worker.effects()] == [
        ("failed", 503, "fail"), ("applied", 0, "lose_answer"), ("suppressed", 200, ""),
    ]  # fmt: skip


async def test_a_business_failure_is_422_and_applies_nothing(rig: Running) -> None:
    worker, client = rig
    await client.register([program(compensation_behaviour=Behaviour(business_failure=True))])
    assert (await worker.call())[0] == 200
    assert (await worker.call("compensation"))[0] == 422
    await client.flush()
    assert worker.effects()[1].disposition is Disposition.REFUSED
    assert worker.effects()[1].applied_ns == 0


async def test_children_bring_their_behaviours(rig: Running) -> None:
    worker, client = rig
    child = program("s-1.c", behaviour=Behaviour(business_failure=True))[1]
    parent = SagaProgram(tenant="alpha", saga_id="s-1", nodes=[Child(program=child)])
    await client.register([("alpha", parent)])
    assert (await worker.call(saga_id="s-1.c"))[0] == 422


async def test_a_held_request_is_announced_and_dropped_without_effect(rig: Running) -> None:
    worker, client = rig
    await client.register([program(behaviour=Behaviour(hold="before"))])
    call = asyncio.create_task(worker.call())
    (held,) = await client.held(WAIT_MS)
    assert (held.tenant, held.saga_id, held.step, held.direction, held.point) == (
        "alpha", "s-1", 0, "forward", "before",
    )  # fmt: skip
    assert not await client.await_effect("alpha", "s-1", 0, "forward", 0)
    await client.release(held.id, "drop")
    with pytest.raises(aiohttp.ClientError):
        await call
    with pytest.raises(DriveError, match="nothing is held"):
        await client.release(held.id, "drop")
    assert (await worker.call())[0] == 200  # only the first is held
    await client.flush()
    assert [(e.disposition.value, e.fault) for e in worker.effects()] == [
        ("failed", "held before"), ("applied", ""),
    ]  # fmt: skip


@pytest.mark.parametrize("point", ["before", "after"])
async def test_a_held_request_can_be_answered(rig: Running, point: str) -> None:
    worker, client = rig
    await client.register([program(behaviour=Behaviour(hold=point))])
    call = asyncio.create_task(worker.call())
    (held,) = await client.held(WAIT_MS)
    await client.release(held.id, "answer")
    assert (await call)[0] == 200
    await client.flush()
    assert worker.effects()[0].fault == f"held {point}"
    assert worker.effects()[0].status == 200


async def test_what_is_held_is_told_once_to_each_client(rig: Running) -> None:
    """Also to one that comes later: a drive that starts its watch again misses nothing."""
    worker, client = rig
    await client.register([program(behaviour=Behaviour(hold="before"))])
    call = asyncio.create_task(worker.call())
    (held,) = await client.held(WAIT_MS)
    assert await client.held(0) == []
    async with DoublesClient(worker.addresses.control) as later:
        assert await later.held(0) == [held]
    await client.release(held.id, "answer")
    assert (await call)[0] == 200
    async with DoublesClient(worker.addresses.control) as latest:
        assert await latest.held(0) == []  # it is held no more


async def test_held_after_is_applied_though_nobody_was_told(rig: Running) -> None:
    worker, client = rig
    await client.register([program(behaviour=Behaviour(hold="after"))])
    waiting = asyncio.create_task(client.await_effect("alpha", "s-1", 0, "forward", WAIT_MS))
    call = asyncio.create_task(worker.call())
    (held,) = await client.held(WAIT_MS)
    assert await waiting
    await client.release(held.id, "drop")
    with pytest.raises(aiohttp.ClientError):
        await call
    await client.quiet(0, WAIT_MS)
    await client.flush()
    (effect,) = worker.effects()
    assert (effect.disposition, effect.status) == (Disposition.APPLIED, 0)


async def test_a_stop_records_what_is_held(tmp_path: Path) -> None:
    async with running(tmp_path) as (worker, client):
        for saga, point in (("s-1", "before"), ("s-2", "after")):
            await client.register([program(saga, behaviour=Behaviour(hold=point))])
        calls = [asyncio.create_task(worker.call(saga_id=saga)) for saga in ("s-1", "s-2")]
        held: list[Any] = []
        while len(held) < 2:
            held += await client.held(WAIT_MS)
        assert (await client.counts()).effects == 0
    await asyncio.gather(*calls, return_exceptions=True)
    (balance,) = [record for record in worker.records() if isinstance(record, Balance)]
    assert (balance.resource, balance.free, balance.held) == ("room-7", "999997", "3")
    assert {(e.saga_id, e.disposition.value, e.fault) for e in worker.effects()} == {
        ("s-1", "failed", "held before"), ("s-2", "applied", "held after"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "changed", "left_out", "status", "problem"),
    [
        ("/rms/reserve", {}, "X-Tenant", 400, "X-Tenant: missing"),
        ("/rms/reserve", {}, "traceparent", 400, "traceparent: missing"),
        ("/rms/reserve", {"tenant": "beta"}, "", 400, "body.tenant: 'beta', but the header says"),
        ("/rms/reserve", {"step": "0"}, "", 400, "body: Expected `int`"),
        ("/rms/release", {}, "", 400, "path: /rms/release is not forward"),
        ("/rms/steal", {}, "", 404, "path: '/rms/steal' is no operation"),
    ],
)
async def test_what_no_service_can_accept_is_refused_and_recorded(
    rig: Running, path: str, changed: dict[str, Any], left_out: str, status: int, problem: str
) -> None:
    worker, client = rig
    headers = worker.headers("forward", "s-1", 0)
    headers.pop(left_out, None)
    body = {
        "tenant": "alpha", "saga_id": "s-1", "step": 0, "direction": "forward",
        "resource": "room-7", "amount": "3", **changed,
    }  # fmt: skip
    assert (await worker.post(worker.addresses.services + path, body, headers))[0] == status
    await client.flush()
    (effect,) = worker.effects()
    assert (effect.disposition, effect.status) == (Disposition.REFUSED, status)
    assert any(found.startswith(problem) for found in effect.problems)


async def test_defects_reach_the_wire(tmp_path: Path) -> None:
    async with running(tmp_path, Defect.FRESH_RESULT) as (worker, _):
        assert (await worker.call())[1] != (await worker.call())[1]


async def test_the_sink_keeps_raw_headers_and_body_in_all_three_modes(rig: Running) -> None:
    worker, client = rig
    data = {"run_id": "r-1", "event_id": 5}
    posts: list[tuple[bytes, dict[str, str]]] = [
        (
            json.dumps(data).encode(),
            {"Ce-Type": "workflow.started", "Content-Type": "application/json"},
        ),
        (
            json.dumps(
                {"type": "com.example.activity.failed", "data": {**data, "event_id": 6}}
            ).encode(),
            {"Content-Type": "application/cloudevents+json; charset=UTF-8"},
        ),
        (
            json.dumps(
                [
                    {"type": "workflow.failed", "data": {**data, "event_id": 7}},
                    {"type": "workflow.cancelled", "data": {**data, "event_id": 8}},
                    {"data": 1},
                    2,
                ]
            ).encode(),
            {"Content-Type": "application/cloudevents-batch+json"},
        ),
        (b"\xff not JSON", {"cE-Odd": "x"}),
    ]
    wanted = [("r-1", 5), ("r-1", 6), ("r-1", 7)]
    waiting = asyncio.create_task(client.await_audit(wanted, WAIT_MS))
    async with aiohttp.ClientSession() as session:
        for body, headers in posts:
            async with session.post(worker.addresses.audit, data=body, headers=headers) as answer:
                assert answer.status == 204
    assert await waiting == []
    assert await client.await_audit([*wanted, ("r-1", 8)], 10) == [("r-1", 8)]
    await client.flush()
    events = [record for record in worker.records() if isinstance(record, AuditEvent)]
    assert [base64.b64decode(event.body) for event in events] == [body for body, _ in posts]
    assert ("cE-Odd", "x") in events[3].headers
    assert (await client.counts()).audit == 4


async def test_a_sink_that_is_down_acknowledges_nothing(rig: Running) -> None:
    worker, client = rig
    body = {"run_id": "r-1", "event_id": 5}
    await client.sink(503)
    assert (await worker.post(worker.addresses.audit, body, {}))[0] == 503
    await client.sink(0)
    with pytest.raises(aiohttp.ClientError):
        await worker.post(worker.addresses.audit, body, {})
    assert await client.await_audit([("r-1", 5)], 0) == [("r-1", 5)]
    await client.sink(204, delay_ms=20)
    named = {"ce-type": "workflow.started"}
    assert (await worker.post(worker.addresses.audit, body, named))[0] == 204
    assert await client.await_audit([("r-1", 5)], 0) == []
    await client.flush()
    assert [record.status for record in worker.records()] == [503, 0, 204]


async def test_quiet_waits_for_the_end_of_what_is_in_progress(rig: Running) -> None:
    worker, client = rig
    assert await client.quiet(0, WAIT_MS)
    await client.register([program(behaviour=Behaviour(hold="before"))])
    call = asyncio.create_task(worker.call())
    (held,) = await client.held(WAIT_MS)
    assert not await client.quiet(0, 30)
    waiting = asyncio.create_task(client.quiet(10, WAIT_MS))
    await client.release(held.id, "answer")
    assert await waiting
    await call


async def test_wrong_commands_are_refused_with_a_reason(rig: Running) -> None:
    _, client = rig
    with pytest.raises(DriveError, match="none of asked, before, after"):
        await client.register([program(behaviour=Behaviour(hold="later"))])
    with pytest.raises(DriveError, match="is none of"):
        await client._post("/nothing", None, dict)
    with pytest.raises(DriveError, match="as an async context manager"):
        await DoublesClient("http://127.0.0.1:1").flush()


async def test_a_step_may_be_written_out_in_full(rig: Running) -> None:
    worker, client = rig
    node = Step(
        service="rms", operation="reserve", compensation="release", resource="room-7",
        behaviour=Behaviour(delay_ms=1),
    )  # fmt: skip
    await client.register([("alpha", SagaProgram(tenant="alpha", saga_id="s-1", nodes=[node]))])
    assert (await worker.call())[0] == 200
    await client.flush()
    assert worker.effects()[0].fault == "delay_ms"


async def test_slow_doubles_answer_the_same_later(tmp_path: Path) -> None:
    async with running(tmp_path, Defect.SLOW) as (worker, client):
        began_ns = time.monotonic_ns()
        assert (await worker.call())[0] == 200
        assert time.monotonic_ns() - began_ns >= SLOW_MS * 1_000_000
        await client.flush()
        (effect,) = worker.effects()
        assert effect.disposition is Disposition.APPLIED
        assert effect.applied_ns - effect.received_ns >= SLOW_MS * 1_000_000


async def test_a_step_that_is_to_be_rejected_gets_403_and_nothing_is_applied(rig: Running) -> None:
    worker, client = rig
    await client.register([program(behaviour=Behaviour(rejected=True))])
    assert [(await worker.call())[0] for _ in range(2)] == [403, 403]
    await client.flush()
    assert [e.disposition for e in worker.effects()] == [Disposition.REFUSED] * 2


@pytest.mark.parametrize("how", ["answer", "drop"])
async def test_the_pdp_s_answer_can_be_held_as_well(rig: Running, how: Any) -> None:
    """The first question of a step waits; the next one, and the service, do not."""
    worker, client = rig
    await client.register([program(behaviour=Behaviour(hold="asked"))])
    asking = asyncio.create_task(worker.ask())
    (held,) = await client.held(WAIT_MS)
    assert held.point == "asked"
    assert (await worker.ask())["decision"] is True
    assert (await worker.call())[0] == 200
    await client.release(held.id, how)
    (answer,) = await asyncio.gather(asking, return_exceptions=True)
    assert (how == "answer") == (answer == {"decision": True})
    await client.flush()
    decisions = [record for record in worker.records() if isinstance(record, Decision)]
    said = {"answer": Answer.ALLOW, "drop": Answer.NONE}[how]
    assert Counter(each.answer for each in decisions) == Counter([Answer.ALLOW, said])
