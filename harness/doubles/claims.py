"""What a request claims to be, in the headers of `CONTRACT.md` §5.1, and where they are wrong."""

from __future__ import annotations

import hashlib
import re
from typing import Final

import msgspec

from harness.contract.program import idempotency_key
from harness.doubles.http import Request

FORWARD: Final = "forward"
COMPENSATION: Final = "compensation"
_REQUIRED: Final = (
    "X-Tenant", "X-Saga-Id", "X-Saga-Step", "X-Saga-Direction", "X-Workflow-Id",
    "X-Workflow-Run-Id", "X-Attempt", "Idempotency-Key", "X-Request-ID", "traceparent",
    "Content-Type",
)  # fmt: skip
_REQUIRED_LOWER: Final = tuple((name, name.lower()) for name in _REQUIRED)
_ONCE: Final = frozenset(lower for _, lower in _REQUIRED_LOWER)
_USUAL: Final = _ONCE | {
    "host", "content-length", "accept", "accept-encoding", "user-agent", "connection",
    "transfer-encoding", "expect",
}  # fmt: skip
_OTHERS_KEPT: Final = 8
_OTHER_KEPT: Final = 512
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,8}")
_TRACEPARENT: Final = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
_REMEMBERED: Final = 100_000


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """The headers' values; what is missing is empty, a number -1 (the attempt 0).

    `missing` are headers that are not there or no value of their kind: the request is nobody's.
    `problems` are all departures from the contract, those in `missing` as well. `others` are the
    first header lines that neither the contract nor HTTP asks for, cookies among them.
    """

    tenant: str = ""
    saga_id: str = ""
    step: int = -1
    direction: str = ""
    workflow_id: str = ""
    run_id: str = ""
    attempt: int = 0
    idempotency_key: str = ""
    request_id: str = ""
    traceparent: str = ""
    missing: list[str] = []
    problems: list[str] = []
    others: list[tuple[str, str]] = []


class Fresh:
    """Remembers values that must not be used twice: the last 100,000 of them."""

    def __init__(self) -> None:
        self._seen: dict[int, None] = {}

    def is_new(self, value: str) -> bool:
        """Whether `value` was not given before."""
        mark = hash(value)
        if mark in self._seen:
            return False
        self._seen[mark] = None
        if len(self._seen) > _REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return True


def trace_id(tenant: str, saga_id: str) -> str:
    """The trace id of a whole saga."""
    return hashlib.sha256(f"{tenant}/{saga_id}".encode()).hexdigest()[:32]


class ClaimsReader:
    """Reads claims; knows which request ids and span ids were used before."""

    def __init__(self) -> None:
        self._request_ids = Fresh()
        self._spans = Fresh()

    def read(self, request: Request) -> Claims:
        """The claims of one request to the PDP or a service."""
        fields = request.fields
        missing = [f"{name}: missing" for name, lower in _REQUIRED_LOWER if not fields.get(lower)]
        step = _number(fields, "X-Saga-Step", missing)
        attempt = _number(fields, "X-Attempt", missing)
        direction = fields.get("x-saga-direction", "")
        if direction not in ("", FORWARD, COMPENSATION):
            missing.append(f"X-Saga-Direction: {direction!r} is neither forward nor compensation")
        claims = Claims(
            tenant=_text(fields, "x-tenant"), saga_id=_text(fields, "x-saga-id"), step=step,
            direction=direction, workflow_id=_text(fields, "x-workflow-id"),
            run_id=fields.get("x-workflow-run-id", ""), attempt=max(attempt, 0),
            idempotency_key=_text(fields, "idempotency-key"),
            request_id=fields.get("x-request-id", ""), traceparent=fields.get("traceparent", ""),
            missing=missing, problems=list(missing), others=_others(request),
        )  # fmt: skip
        claims.problems.extend(self._wrong(claims, request))
        return claims

    def _wrong(self, claims: Claims, request: Request) -> list[str]:
        problems = _repeated(request)
        if request.fields.get("content-type") and request.media_type != "application/json":
            problems.append(f"Content-Type: {request.fields['content-type']!r} is not JSON")
        if claims.attempt == 0 and request.fields.get("x-attempt") == "0":
            problems.append("X-Attempt: 0, but attempts count from 1")
        if claims.idempotency_key:
            key = idempotency_key(claims.saga_id, claims.step, claims.direction)
            if claims.idempotency_key != key:
                problems.append(f"Idempotency-Key: {claims.idempotency_key!r}, should be {key!r}")
        if claims.request_id and not self._request_ids.is_new(claims.request_id):
            problems.append(f"X-Request-ID: {claims.request_id!r} was used before")
        if claims.traceparent:
            problems.extend(self._trace(claims))
        return problems

    def _trace(self, claims: Claims) -> list[str]:
        given = _TRACEPARENT.fullmatch(claims.traceparent)
        if given is None:
            return [f"traceparent: {claims.traceparent!r} is not W3C trace context, version 00"]
        problems = []
        if given[1] != trace_id(claims.tenant, claims.saga_id):
            problems.append(f"traceparent: trace id {given[1]} is not the saga's")
        if given[2] == "0" * 16:
            problems.append("traceparent: the span id is zero")
        elif not self._spans.is_new(given[2]):
            problems.append(f"traceparent: span id {given[2]} was used before")
        return problems


def _others(request: Request) -> list[tuple[str, str]]:
    found = [
        (name[:_OTHER_KEPT], value[:_OTHER_KEPT])
        for name, value in request.headers
        if name.lower() not in _USUAL
    ]
    return found[:_OTHERS_KEPT]


def _text(fields: dict[str, str], name: str) -> str:
    """A header's value, read as UTF-8 where it is that."""
    value = fields.get(name, "")
    if value.isascii():
        return value
    try:
        return value.encode("latin-1").decode()
    except UnicodeDecodeError:
        return value


def _number(fields: dict[str, str], name: str, missing: list[str]) -> int:
    value = fields.get(name.lower(), "")
    if _NUMBER.fullmatch(value):
        return int(value)
    if value:
        missing.append(f"{name}: {value!r} is no number")
    return -1


def _repeated(request: Request) -> list[str]:
    if len(request.headers) == len(request.fields):
        return []
    names = [name.lower() for name, _ in request.headers]
    return [f"{name}: given twice" for name in sorted(_ONCE) if names.count(name) > 1]
