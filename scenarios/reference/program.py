"""The saga program that a run executes, read from the JSON of its argument (contract §4).

Pure and deterministic: workflow code uses it. Whatever does not fit raises `Misfit`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

COMPENSATION: Final = {
    ("rms", "reserve"): "release",
    ("ams", "grant"): "revoke",
    ("cpms", "provision"): "deprovision",
    ("bss", "charge"): "refund",
}
MAX_NODES: Final = 10_000
MAX_NOOPS: Final = 1000
HOW: Final = ("ordinary", "local", "eager")
MAX_MS: Final = 100 * 366 * 86_400_000
_LARGEST_INTEGER: Final = 2**53 - 1


class Misfit(ValueError):
    """The argument is no saga program; the message names the first member that does not fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """A retry policy in numbers."""

    initial_ms: int = 200
    coefficient: float = 2.0
    max_interval_ms: int = 2000
    max_attempts: int = 5


COMPENSATION_RETRY: Final = Retry(max_attempts=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """An activity on a service, with its compensation."""

    service: str
    operation: str
    compensation: str
    resource: str
    amount: str
    retry: Retry
    start_to_close_ms: int
    heartbeat_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One activity to run: a step in one direction."""

    number: int
    direction: str
    step: Step

    @property
    def operation(self) -> str:
        return self.step.operation if self.direction == "forward" else self.step.compensation

    @property
    def activity_type(self) -> str:
        return f"{self.step.service}.{self.operation}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Wait for a signal of this name."""

    signal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer:
    """A durable timer."""

    duration_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A child saga; its program is handed on exactly as it was given."""

    program: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContinueAsNew:
    """Continue as a new run."""


Node = Step | Wait | Timer | Child | ContinueAsNew


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What a run has reached, as its continuation needs it."""

    next_node: int = 0
    results: tuple[tuple[int, dict[str, Any]], ...] = ()
    signals: tuple[tuple[str, str], ...] = ()
    """(id, name), in the order received."""

    def to_json(self) -> dict[str, Any]:
        """The value of the field `progress`."""
        return {
            "next": self.next_node,
            "results": [{"step": step, "result": result} for step, result in self.results],
            "signals": [{"id": id_, "name": name} for id_, name in self.signals],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A whole saga."""

    tenant: str
    saga_id: str
    nodes: tuple[Node, ...]
    progress: Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Noops:
    """How many no-op activities, and how they are run (contract §10)."""

    tenant: str
    saga_id: str
    count: int
    how: str


def parse_noops(value: object) -> Noops:
    """The argument of `ReferenceNoop`; raises `Misfit`."""
    fields = _of_contract(value, "noops")
    how = _text(fields, "how", "noops")
    if how not in HOW:
        raise Misfit(f"noops.how: {how!r} is none of {', '.join(HOW)}")
    return Noops(
        tenant=_identity(fields, "tenant", "noops"),
        saga_id=_identity(fields, "saga_id", "noops"),
        count=_integer(fields, "count", "noops", 1, MAX_NOOPS),
        how=how,
    )


def parse(value: object) -> Program:
    """The program in a decoded argument; raises `Misfit`."""
    try:
        return _program(value, "program")
    except RecursionError as error:
        raise Misfit("program: nested too deeply") from error


def _program(value: object, where: str) -> Program:
    fields = _of_contract(value, where)
    listed = _array(fields, "nodes", where)
    if len(listed) > MAX_NODES:
        raise Misfit(f"{where}.nodes: more than {MAX_NODES}")
    nodes = tuple(_node(node, f"{where}.nodes[{i}]") for i, node in enumerate(listed))
    progress = Progress()
    if "progress" in fields:
        progress = _progress(fields["progress"], f"{where}.progress", nodes)
    return Program(
        tenant=_identity(fields, "tenant", where),
        saga_id=_identity(fields, "saga_id", where),
        nodes=nodes,
        progress=progress,
    )


def _of_contract(value: object, where: str) -> dict[str, Any]:
    """The members of an object that names a version 1 contract."""
    fields = _object(value, where)
    contract = _text(fields, "contract", where)
    minor = contract.removeprefix("1.")
    if minor == contract or not (minor.isascii() and minor.isdecimal()):
        raise Misfit(f"{where}.contract: {contract!r} is not a version 1 contract")
    return fields


def _node(value: object, where: str) -> Node:
    fields = _object(value, where)
    match fields.get("kind"):
        case "step":
            return _step(fields, where)
        case "wait":
            return Wait(signal=_text(fields, "signal", where))
        case "timer":
            return Timer(duration_ms=_integer(fields, "duration_ms", where, 1, MAX_MS))
        case "child":
            _program(fields.get("program"), f"{where}.program")
            return Child(program=_object(fields.get("program"), where))
        case "continue_as_new":
            return ContinueAsNew()
        case kind:
            raise Misfit(f"{where}.kind: {kind!r} is unknown")


def _step(fields: dict[str, Any], where: str) -> Step:
    service, operation = _text(fields, "service", where), _text(fields, "operation", where)
    compensation = _text(fields, "compensation", where)
    if COMPENSATION.get((service, operation)) != compensation:
        raise Misfit(f"{where}: no step {service}.{operation} compensated by {compensation}")
    return Step(
        service=service,
        operation=operation,
        compensation=compensation,
        resource=_text(fields, "resource", where),
        amount=_text(fields, "amount", where) if "amount" in fields else "1",
        retry=_retry(fields.get("retry", {}), f"{where}.retry"),
        start_to_close_ms=_integer(fields, "start_to_close_ms", where, 1, MAX_MS, 10_000),
        heartbeat_ms=_integer(fields, "heartbeat_ms", where, 0, MAX_MS, 0),
    )


def _retry(value: object, where: str) -> Retry:
    fields = _object(value, where)
    default = Retry()
    coefficient = fields.get("coefficient", default.coefficient)
    if not _is_number(coefficient) or not math.isfinite(coefficient) or coefficient < 1:
        raise Misfit(f"{where}.coefficient: not a number of at least 1")
    return Retry(
        initial_ms=_integer(fields, "initial_ms", where, 1, MAX_MS, default.initial_ms),
        coefficient=float(coefficient),
        max_interval_ms=_integer(
            fields, "max_interval_ms", where, 1, MAX_MS, default.max_interval_ms
        ),
        max_attempts=_integer(fields, "max_attempts", where, 1, 1_000_000, default.max_attempts),
    )


def _progress(value: object, where: str, nodes: tuple[Node, ...]) -> Progress:
    fields = _object(value, where)
    results, signals = [], []
    for i, entry in enumerate(_array(fields, "results", where)):
        result = _object(entry, f"{where}.results[{i}]")
        number = _integer(result, "step", where, 0, len(nodes) - 1)
        if not isinstance(nodes[number], Step):
            raise Misfit(f"{where}.results[{i}].step: node {number} is no step")
        results.append((number, _object(result.get("result"), f"{where}.results[{i}].result")))
    for i, entry in enumerate(_array(fields, "signals", where)):
        signal = _object(entry, f"{where}.signals[{i}]")
        signals.append((_text(signal, "id", where), _text(signal, "name", where)))
    return Progress(
        next_node=_integer(fields, "next", where, 0, len(nodes)),
        results=tuple(results),
        signals=tuple(signals),
    )


def _object(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Misfit(f"{where}: not an object")
    return value


def _array(fields: dict[str, Any], name: str, where: str) -> list[Any]:
    value = fields.get(name)
    if not isinstance(value, list):
        raise Misfit(f"{where}.{name}: not an array")
    return value


def _text(fields: dict[str, Any], name: str, where: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        raise Misfit(f"{where}.{name}: not a non-empty string")
    return value


def _identity(fields: dict[str, Any], name: str, where: str) -> str:
    """Ids that travel in HTTP headers: 1 to 200 visible ASCII characters."""
    value = _text(fields, name, where)
    if len(value) > 200 or not all("!" <= character <= "~" for character in value):
        raise Misfit(f"{where}.{name}: not 1 to 200 visible ASCII characters")
    return value


def _integer(
    fields: dict[str, Any], name: str, where: str, low: int, high: int, default: int | None = None
) -> int:
    """A whole number in a range; 1.0 means 1 (contract §2)."""
    value = fields.get(name, default)
    if not _is_number(value) or value != value or abs(value) > _LARGEST_INTEGER:
        raise Misfit(f"{where}.{name}: not an integer")
    if value != int(value) or not low <= value <= high:
        raise Misfit(f"{where}.{name}: not an integer from {low} to {high}")
    return int(value)


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
