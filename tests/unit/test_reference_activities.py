"""An attempt of the reference worker: the PDP, then the service, once each (`CONTRACT.md` §5)."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import jsonschema
import pytest
from multidict import CIMultiDict, CIMultiDictProxy
from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

import harness.contract
from harness.contract.program import ACTIVITY_TYPES, idempotency_key
from scenarios.reference import activities, pdp, services
from scenarios.reference.activities import Outside, build
from scenarios.reference.answer import Answer, new_session
from scenarios.reference.call import Call
from scenarios.reference.pdp import Decision, Ruling
from scenarios.reference.services import ServiceFailed

SCHEMAS = Path(harness.contract.__file__).parent / "schemas"
ARGUMENT = {
    "tenant": "alpha",
    "saga_id": "s-1",
    "step": 4,
    "direction": "forward",
    "service": "rms",
    "operation": "reserve",
    "resource": "room-7",
    "amount": "3",
}


class Both:
    """The two calls of an attempt, recorded; they answer as told."""

    def __init__(self, ruling: Ruling = Ruling.ALLOWED, fails: str = "") -> None:
        self.ruling = ruling
        self.fails = fails
        self.order: list[str] = []
        self.calls: list[Call] = []
        self.sent: list[Mapping[str, str]] = []
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def authorize(
        self,
        http: aiohttp.ClientSession,
        url: str,
        call: Call,
        sent: Mapping[str, str],
        s: float,
    ) -> Decision:
        self.order.append("pdp")
        self.calls.append(call)
        self.sent.append(sent)
        return Decision(ruling=self.ruling)

    async def call_service(
        self,
        http: aiohttp.ClientSession,
        url: str,
        call: Call,
        sent: Mapping[str, str],
        s: float,
    ) -> dict[str, Any]:
        self.order.append("service")
        self.sent.append(sent)
        self.reached.set()
        await self.go_on.wait()
        if self.fails:
            raise ServiceFailed(self.fails, "told to")
        return {"n": 1}

    async def attempt(
        self, argument: Any = ARGUMENT, environment: ActivityEnvironment | None = None
    ) -> Any:
        """Run `rms.reserve` once."""
        async with new_session() as http:
            outside = Outside(
                http=http,
                pdp_url="",
                pdp_deadline_s=1,
                services_url="",
                service_deadline_s=1,
                authorize=self.authorize,
                call_service=self.call_service,
            )
            [reserve] = [
                implementation
                for implementation in build(outside)
                if _name(implementation) == "rms.reserve"
            ]
            return await (environment or ActivityEnvironment()).run(reserve, argument)


def _name(implementation: Any) -> str | None:
    return activity._Definition.must_from_callable(implementation).name


async def test_an_attempt_asks_then_calls_and_returns_the_result_unchanged() -> None:
    both = Both()
    assert await both.attempt() == {"result": {"n": 1}}
    assert both.order == ["pdp", "service"]


@pytest.mark.parametrize(
    ("ruling", "type_", "retried"),
    [
        (Ruling.DENIED, "AuthorizationDenied", False),
        (Ruling.UNAVAILABLE, "AuthorizationUnavailable", True),
    ],
)
async def test_without_an_allow_nothing_is_called(
    ruling: Ruling, type_: str, retried: bool
) -> None:
    both = Both(ruling)
    with pytest.raises(ApplicationError) as raised:
        await both.attempt()
    assert (raised.value.type, raised.value.non_retryable) == (type_, not retried)
    assert both.order == ["pdp"]


@pytest.mark.parametrize(
    ("type_", "retried"),
    [("BusinessFailure", False), ("ServiceRejected", False), ("ServiceUnavailable", True)],
)
async def test_a_service_failure_has_its_type(type_: str, retried: bool) -> None:
    with pytest.raises(ApplicationError) as raised:
        await Both(fails=type_).attempt()
    assert (raised.value.type, raised.value.non_retryable) == (type_, not retried)


@pytest.mark.parametrize("argument", [None, {}, {**ARGUMENT, "service": "ams"}])
async def test_an_argument_that_no_saga_makes_reaches_nobody(argument: Any) -> None:
    both = Both()
    with pytest.raises(ApplicationError) as raised:
        await both.attempt(argument)
    assert (raised.value.type, raised.value.non_retryable) == ("InvalidInput", True)
    assert both.order == []


async def test_the_headers_are_those_of_the_contract() -> None:
    both, again = Both(), Both()
    await both.attempt()
    await again.attempt()
    info = ActivityEnvironment.default_info()
    for sent in [*both.sent, *again.sent]:
        assert {name: sent[name] for name in sent if name.startswith(("X-Saga", "X-Te"))} == {
            "X-Tenant": "alpha",
            "X-Saga-Id": "s-1",
            "X-Saga-Step": "4",
            "X-Saga-Direction": "forward",
        }
        assert sent["X-Workflow-Id"] == info.workflow_id
        assert sent["X-Workflow-Run-Id"] == info.workflow_run_id
        assert sent["X-Attempt"] == str(info.attempt)
        assert sent["Idempotency-Key"] == idempotency_key("s-1", 4, "forward")
        trace = hashlib.sha256(b"alpha/s-1").hexdigest()[:32]
        assert re.fullmatch(rf"00-{trace}-(?!0{{16}})[0-9a-f]{{16}}-01", sent["traceparent"])
    for fresh in ("X-Request-ID", "traceparent"):
        assert len({sent[fresh] for sent in [*both.sent, *again.sent]}) == 4


async def test_the_bodies_fit_the_schemas() -> None:
    both = Both()
    await both.attempt()
    [call] = both.calls
    for name, body in (
        ("authorization-request", pdp.evaluation(call)),
        ("service-request", services.request(call)),
        ("activity-argument", ARGUMENT),
    ):
        jsonschema.validate(body, json.loads((SCHEMAS / f"{name}.json").read_text()))


async def test_a_cancelled_attempt_ends_as_cancelled() -> None:
    both, environment = Both(), ActivityEnvironment()
    both.go_on.clear()
    running = asyncio.create_task(both.attempt(environment=environment))
    await asyncio.wait_for(both.reached.wait(), 10)
    environment.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_an_attempt_given_up_at_shutdown_is_one_that_is_retried() -> None:
    """Its outcome is unknown, and its type is one of the contract's."""
    both, environment = Both(), ActivityEnvironment()
    both.go_on.clear()
    running = asyncio.create_task(both.attempt(environment=environment))
    await asyncio.wait_for(both.reached.wait(), 10)
    environment.cancel(activity.ActivityCancellationDetails(worker_shutdown=True))
    with pytest.raises(ApplicationError) as raised:
        await running
    assert (raised.value.type, raised.value.non_retryable) == ("ServiceUnavailable", False)


def test_the_types_are_those_of_the_contract() -> None:
    assert activities.ACTIVITY_TYPES == ACTIVITY_TYPES


RESULT = b'{"result": {"id": "7", "n": 1.5}, "more": null}'


@pytest.mark.parametrize(
    ("status", "body", "type_"),
    [
        (422, b"", "BusinessFailure"),
        (400, b"", "ServiceRejected"),
        (404, RESULT, "ServiceRejected"),
        (499, b"", "ServiceRejected"),
        (408, b"", "ServiceUnavailable"),
        (429, b"", "ServiceUnavailable"),
        (500, RESULT, "ServiceUnavailable"),
        (503, b"", "ServiceUnavailable"),
        (201, RESULT, "ServiceUnavailable"),
        (302, b"", "ServiceUnavailable"),
        (200, b"", "ServiceUnavailable"),
        (200, b"[]", "ServiceUnavailable"),
        (200, b'{"result": "x"}', "ServiceUnavailable"),
        (200, RESULT[:-1], "ServiceUnavailable"),
    ],
)
def test_an_answer_without_a_result_fails_as_the_table_says(
    status: int, body: bytes, type_: str
) -> None:
    with pytest.raises(ServiceFailed) as raised:
        services.result(_answer(status, body))
    assert raised.value.type == type_


def test_an_answer_with_a_result_gives_it_unchanged() -> None:
    assert services.result(_answer(200, RESULT)) == {"id": "7", "n": 1.5}


def _answer(status: int, body: bytes) -> Answer:
    return Answer(status=status, headers=CIMultiDictProxy(CIMultiDict()), body=body)
