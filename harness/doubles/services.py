"""The business services: `POST /{service}/{operation}`, with the ledger behind them."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Coroutine
from typing import Any, Final

import msgspec

from harness.contract.program import COMPENSATION
from harness.doubles import claims as claimed
from harness.doubles.accounts import Accounts
from harness.doubles.behaviours import Behaviours, Turn
from harness.doubles.claims import Claims, ClaimsReader
from harness.doubles.connection import Connection
from harness.doubles.cookies import Cookies
from harness.doubles.happened import Happened
from harness.doubles.holds import Holds, Point
from harness.doubles.http import Request, answer_bytes
from harness.doubles.ledger import Ledger, Order, Place
from harness.doubles.recorder import Recorder
from harness.journal.records import Disposition, Effect

_FORWARD: Final = {f"/{service}/{name}" for service, name in COMPENSATION}
_BACKWARD: Final = {f"/{service}/{back}" for (service, _), back in COMPENSATION.items()}
_REPLAYED: Final = (("Idempotency-Replayed", "true"),)


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a request to a service; members it does not know are ignored."""

    tenant: str
    saga_id: str
    step: int
    direction: str
    resource: str
    amount: str


_BODY: Final = msgspec.json.Decoder(Body)


def canonical(result: dict[str, Any]) -> bytes:
    """The canonical JSON of a result: members sorted, no spaces."""
    return msgspec.json.encode(result, order="sorted")


class _Visit(msgspec.Struct, kw_only=True):
    """One request and what has become of it so far."""

    connection: Connection
    request: Request
    claims: Claims
    body: Body | None
    problems: list[str]
    seq: int = 0
    applied_ns: int = 0
    disposition: Disposition = Disposition.FAILED
    status: int = 0
    payload: bytes = b""
    result_sha256: str = ""
    faults: list[str] = []


class Services:
    """The handler of the services' port. One `Effect` for each request, at the end of its exchange.

    An effect's `status` is 0 when no answer was sent.
    """

    def __init__(
        self,
        recorder: Recorder,
        claims: ClaimsReader,
        ledger: Ledger,
        behaviours: Behaviours,
        holds: Holds,
        cookies: Cookies,
    ) -> None:
        self.reached: Happened[Place] = Happened()
        self.accounts = Accounts()
        self._recorder = recorder
        self._claims = claims
        self._ledger = ledger
        self._behaviours = behaviours
        self._holds = holds
        self._cookies = cookies

    def serve(self, connection: Connection, request: Request) -> Coroutine[Any, Any, None] | None:
        """Handle one request."""
        visit = self._visit(connection, request)
        order = self._order(visit)
        if order is None:
            self._answer(visit)
            self._record(visit)
            return None
        turn = self._behaviours.turn(order.place)
        if turn is not None:
            return self._behave(visit, order, turn)
        self._apply(visit, order)
        self._answer(visit)
        self._record(visit)
        return None

    def _visit(self, connection: Connection, request: Request) -> _Visit:
        claims = self._claims.read(request)
        problems = [] if request.reject else list(claims.problems)
        body = None
        try:
            body = _BODY.decode(request.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            if not request.reject:
                problems.append(f"body: {error}")
        return _Visit(
            connection=connection, request=request, claims=claims, body=body, problems=problems,
        )  # fmt: skip

    def _order(self, visit: _Visit) -> Order | None:
        """What the request orders; None if nobody can say, and then it is refused."""
        request, claims, body = visit.request, visit.claims, visit.body
        status, problems = _addressing(request, claims)
        if body is not None:
            problems += _mismatches(body, claims)
        visit.problems += problems
        if status or problems or claims.missing or body is None:
            self._refuse(visit, Disposition.REFUSED, status or 400, visit.problems)
            return None
        _, service, operation = request.path.split("/")
        return Order(
            tenant=claims.tenant, key=claims.idempotency_key, saga_id=claims.saga_id,
            step=claims.step, direction=claims.direction, service=service, operation=operation,
            resource=body.resource, amount=body.amount,
        )  # fmt: skip

    async def _behave(self, visit: _Visit, order: Order, turn: Turn) -> None:
        visit.faults = []
        try:
            if await self._carry_out(visit, order, turn):
                self._answer(visit)
            else:
                visit.status = 0
                visit.connection.close()
        finally:
            self._record(visit)

    async def _carry_out(self, visit: _Visit, order: Order, turn: Turn) -> bool:
        """Do what the turn says; whether an answer is to be sent."""
        arrived_new = not self._ledger.knows(order)
        if turn.hold == "before" and not await self._hold(visit, order, "before"):
            return False
        if turn.delay_ms:
            visit.faults.append("delay_ms")
            await asyncio.sleep(turn.delay_ms / 1000)
        if turn.fail:
            visit.faults.append("fail")
            self._refuse(visit, Disposition.FAILED, 503, ["the service is away"])
            return True
        if turn.rejected:
            visit.faults.append("rejected")
            self._refuse(visit, Disposition.REFUSED, 403, ["the service will have none of it"])
            return True
        if turn.business_failure:
            visit.faults.append("business_failure")
            self._refuse(visit, Disposition.REFUSED, 422, ["the business says no"])
            return True
        self._apply(visit, order, arrived_new=arrived_new)
        if turn.hold == "after" and not await self._hold(visit, order, "after"):
            return False
        if turn.lose_answer:
            visit.faults.append("lose_answer")
        return not turn.lose_answer

    async def _hold(self, visit: _Visit, order: Order, point: Point) -> bool:
        visit.faults.append(f"held {point}")
        status, visit.status = visit.status, 0
        if await self._holds.hold(order.place, point) == "drop":
            return False
        visit.status = status
        return True

    def _apply(self, visit: _Visit, order: Order, *, arrived_new: bool = False) -> None:
        outcome = self._ledger.apply(order, arrived_new=arrived_new)
        visit.seq = self._recorder.next_seq()
        visit.disposition = outcome.disposition
        visit.status = outcome.status
        if outcome.problem:
            visit.problems.append(outcome.problem)
        if outcome.disposition is Disposition.APPLIED:
            visit.applied_ns = time.monotonic_ns()
            self.accounts.move(order)
        if outcome.disposition in (Disposition.APPLIED, Disposition.VOID):
            self.reached.add(order.place)
        if outcome.result is None:
            self._refuse(visit, outcome.disposition, outcome.status, ["compensated already"])
            return
        result = canonical(outcome.result)
        visit.result_sha256 = hashlib.sha256(result).hexdigest()
        visit.payload = b'{"result":' + result + b"}"

    def _refuse(self, visit: _Visit, how: Disposition, status: int, why: list[str]) -> None:
        visit.disposition = how
        visit.status = status
        visit.payload = msgspec.json.encode({"error": {"status": status, "messages": why}})

    def _answer(self, visit: _Visit) -> None:
        if visit.connection.gone:
            visit.status = 0
            return
        replayed = _REPLAYED if visit.disposition is Disposition.SUPPRESSED else ()
        headers = (*replayed, *self._cookies.of(visit.claims.tenant))
        visit.connection.write(
            answer_bytes(
                visit.status, visit.payload, headers=headers,
                keep_alive=visit.request.keep_alive,
            )
        )  # fmt: skip

    def _record(self, visit: _Visit) -> None:
        claims, body = visit.claims, visit.body
        service, _, operation = visit.request.path.lstrip("/").partition("/")
        self._recorder.write(
            Effect(
                at_ns=time.monotonic_ns(), wall_ns=time.time_ns(),
                seq=visit.seq or self._recorder.next_seq(),
                received_ns=visit.request.received_ns, applied_ns=visit.applied_ns,
                service=service, operation=operation, direction=claims.direction,
                tenant=claims.tenant, saga_id=claims.saga_id, step=claims.step,
                workflow_id=claims.workflow_id, run_id=claims.run_id, attempt=claims.attempt,
                idempotency_key=claims.idempotency_key, resource=body.resource if body else "",
                amount=body.amount if body else "", traceparent=claims.traceparent,
                disposition=visit.disposition, status=visit.status,
                fault=", ".join(visit.faults), result_sha256=visit.result_sha256,
                problems=visit.problems, others=claims.others,
            )
        )  # fmt: skip


def _addressing(request: Request, claims: Claims) -> tuple[int, list[str]]:
    """The status that a wrongly addressed request deserves (0: none), and why."""
    if request.reject:
        return request.reject, [request.problem]
    known = request.path in _FORWARD or request.path in _BACKWARD
    if not known:
        return 404, [f"path: {request.path[:200]!r} is no operation of the contract"]
    if request.method != "POST":
        return 405, [f"method: {request.method} is not POST"]
    forward = request.path in _FORWARD
    if claims.direction and forward != (claims.direction == claimed.FORWARD):
        return 400, [f"path: {request.path} is not {claims.direction}"]
    return 0, []


def _mismatches(body: Body, claims: Claims) -> list[str]:
    pairs = (
        ("tenant", body.tenant, claims.tenant),
        ("saga_id", body.saga_id, claims.saga_id),
        ("step", body.step, claims.step),
        ("direction", body.direction, claims.direction),
    )
    return [
        f"body.{name}: {given!r}, but the header says {header!r}"
        for name, given, header in pairs
        if given != header
    ]
