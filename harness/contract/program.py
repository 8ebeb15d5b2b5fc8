"""Saga programs as values: what `CONTRACT.md` §4 describes, for those who write them.

`to_json` gives the JSON object that a workflow is started with. `behaviour` is read by the doubles
only.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec

CONTRACT_VERSION: Final = "1.1"  # that the harness knows
PROGRAM_VERSION: Final = "1.0"  # that a saga program needs
WORKFLOW_TYPE: Final = "ReferenceSaga"
COMPENSATION: Final = {
    ("rms", "reserve"): "release",
    ("ams", "grant"): "revoke",
    ("cpms", "provision"): "deprovision",
    ("bss", "charge"): "refund",
}
ACTIVITY_TYPES: Final = tuple(
    f"{service}.{name}"
    for (service, forward), back in COMPENSATION.items()
    for name in (forward, back)
)
FORWARD: Final = tuple(COMPENSATION)


class _Value(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    pass


class Behaviour(_Value, frozen=True, kw_only=True):
    """What a service double does with the requests of one step in one direction.

    The first `fail` requests get 503, the first `lose_answer` are applied and their answer is lost
    (connection closed), `business_failure` is 422, `rejected` 403. The first `delayed` requests
    wait `delay_ms`; if it is 0, all of them. `hold` keeps the answer of the first request
    back, `before` it is applied or `after`, or the PDP's to its first question (`asked`), until the
    harness releases it (it kills the worker meanwhile).
    """

    fail: int = 0
    lose_answer: int = 0
    delay_ms: int = 0
    delayed: int = 0
    business_failure: bool = False
    rejected: bool = False
    hold: str = ""


class Retry(_Value, frozen=True, kw_only=True):
    """A retry policy in numbers; the defaults are the contract's."""

    initial_ms: int = 200
    coefficient: float = 2.0
    max_interval_ms: int = 2000
    max_attempts: int = 5


class Step(_Value, frozen=True, kw_only=True, tag_field="kind", tag="step"):
    """An activity on a service, with its compensation."""

    service: str
    operation: str
    compensation: str
    resource: str
    amount: str = "1"
    retry: Retry = Retry()
    start_to_close_ms: int = 10_000
    heartbeat_ms: int = 0
    behaviour: Behaviour = Behaviour()
    compensation_behaviour: Behaviour = Behaviour()


class Wait(_Value, frozen=True, kw_only=True, tag_field="kind", tag="wait"):
    """Wait for a signal of this name."""

    signal: str


class Timer(_Value, frozen=True, kw_only=True, tag_field="kind", tag="timer"):
    """A durable timer."""

    duration_ms: int


class Child(_Value, frozen=True, kw_only=True, tag_field="kind", tag="child"):
    """A child saga."""

    program: SagaProgram


class ContinueAsNew(_Value, frozen=True, kw_only=True, tag_field="kind", tag="continue_as_new"):
    """Continue as a new run."""


Node = Step | Wait | Timer | Child | ContinueAsNew


class SagaProgram(_Value, frozen=True, kw_only=True):
    """The argument of `ReferenceSaga`."""

    tenant: str
    saga_id: str
    nodes: list[Node]
    contract: str = PROGRAM_VERSION


def step(index: int, resource: str, **fields: Any) -> Step:
    """The `index`-th kind of forward step, round robin over the four services."""
    service, operation = FORWARD[index % len(FORWARD)]
    return Step(
        service=service,
        operation=operation,
        compensation=COMPENSATION[service, operation],
        resource=resource,
        **fields,
    )


def quantity(amount: str) -> Decimal:
    """An amount as a number; one that is no finite number counts as a single piece."""
    try:
        number = Decimal(amount)
    except InvalidOperation:
        return Decimal(1)
    return number if number.is_finite() else Decimal(1)


def to_json(program: SagaProgram) -> dict[str, Any]:
    """The program as plain JSON values, with `contract` written out."""
    plain: dict[str, Any] = msgspec.to_builtins(program)
    plain["contract"] = program.contract
    for node in plain["nodes"]:
        if node["kind"] == "child":
            node["program"].setdefault("contract", program.contract)
    return plain


def from_json(plain: dict[str, Any]) -> SagaProgram:
    """The inverse of `to_json`; raises `msgspec.ValidationError` for what does not fit."""
    return msgspec.convert(plain, SagaProgram)


def idempotency_key(saga_id: str, step_number: int, direction: str) -> str:
    """The key of one business effect, `CONTRACT.md` §5.1."""
    return f"{saga_id}:{step_number}:{direction}"
