"""One attempt of one activity, and the headers of the requests that it makes (contract §5.1)."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What an attempt is to do, and for which run."""

    activity_type: str
    tenant: str
    saga_id: str
    step: int
    direction: str
    service: str
    operation: str
    resource: str
    amount: str
    workflow_id: str
    run_id: str
    attempt: int


IdempotencyKey = Callable[[Call], str]


def idempotency_key(call: Call) -> str:
    """The key of the business effect, whoever tries it and however often."""
    return f"{call.saga_id}:{call.step}:{call.direction}"


def trace_id(call: Call) -> str:
    """One trace for the whole saga, whatever runs it is made of."""
    return hashlib.sha256(f"{call.tenant}/{call.saga_id}".encode()).hexdigest()[:32]


def headers(call: Call, key: str) -> dict[str, str]:
    """The headers of one request; its request id and its span are fresh."""
    return {
        "X-Tenant": call.tenant,
        "X-Saga-Id": call.saga_id,
        "X-Saga-Step": str(call.step),
        "X-Saga-Direction": call.direction,
        "X-Workflow-Id": call.workflow_id,
        "X-Workflow-Run-Id": call.run_id,
        "X-Attempt": str(call.attempt),
        "Idempotency-Key": key,
        "X-Request-ID": secrets.token_hex(16),
        "traceparent": f"00-{trace_id(call)}-{_span_id()}-01",
    }


def _span_id() -> str:
    return f"{secrets.randbelow(2**64 - 1) + 1:016x}"
