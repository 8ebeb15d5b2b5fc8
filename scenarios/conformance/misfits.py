"""Workflow arguments that do not fit the contract, drawn by Hypothesis, and neighbours that do.

Of every kind of misfit one is drawn: which wrong value, and in which node. As with generated
sagas, all choices are made of booleans, so that a seed gives the same ones in every process.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from harness.contract.program import Node, SagaProgram, Timer, step, to_json

BITS: Final = 6
GONE: Final = object()  # the member is left out
T = TypeVar("T")

_NOT_TEXT: Final[tuple[Any, ...]] = (GONE, None, "", 7, {}, ["x"], True)
_NOT_IDENTITY: Final[tuple[Any, ...]] = (*_NOT_TEXT, "with space", "tab\there", "näme", "x" * 201)
_NOT_COUNT: Final[tuple[Any, ...]] = (None, 0, -1, 1.5, "10", True, 2**53, [])
_ANOTHER: Final[tuple[Any, ...]] = (*_NOT_TEXT, "crm", "Rms", " rms", "bss.charge")
_NO_PROGRAM: Final[tuple[Any, ...]] = (None, {}, [], "x")
# where in the program, and what stands there instead; "*" is a node that is drawn
_WRONG: Final[dict[str, tuple[tuple[str | int, ...], Sequence[Any]]]] = {
    "contract": (("contract",), (*_NOT_TEXT, "2.0", "0.9", "1", "1.", "1.x", "11.0", " 1.0")),
    "tenant": (("tenant",), _NOT_IDENTITY),
    "saga-id": (("saga_id",), _NOT_IDENTITY),
    "nodes": (("nodes",), (GONE, None, {}, "nodes", 3, [{}] * 10_001)),
    "node": (("nodes", "*"), (None, [], "step", 7, {}, {"kind": "loop"}, {"kind": None})),
    "service": (("nodes", "*", "service"), _ANOTHER),
    "operation": (("nodes", "*", "operation"), (*_ANOTHER, "release")),
    "compensation": (("nodes", "*", "compensation"), (*_ANOTHER, "reserve")),
    "resource": (("nodes", "*", "resource"), _NOT_TEXT),
    "amount": (("nodes", "*", "amount"), _NOT_TEXT[1:]),
    "retry": (("nodes", "*", "retry"), (None, [], 5, "often", True)),
    "attempts": (("nodes", "*", "retry"), [{"max_attempts": n} for n in (*_NOT_COUNT, 1_000_001)]),
    "coefficient": (
        ("nodes", "*", "retry"),
        [{"coefficient": n} for n in (None, 0.5, 0, -2, "2", True)],
    ),
    "interval": (("nodes", "*", "retry"), [{"initial_ms": n} for n in _NOT_COUNT]),
    "start-to-close": (("nodes", "*", "start_to_close_ms"), _NOT_COUNT),
    "heartbeat": (("nodes", "*", "heartbeat_ms"), (None, -1, 0.5, "1", True)),
    "duration": (("nodes", 1, "duration_ms"), (GONE, *_NOT_COUNT)),
    "signal": (("nodes", 1), [{"kind": "wait"}, *({"kind": "wait", "signal": s} for s in ("", 5))]),
    "child": (
        ("nodes", 1),
        [{"kind": "child"}, *({"kind": "child", "program": each} for each in _NO_PROGRAM)],
    ),
    "argument": ((), (None, [], "text", 7, True, {}, [{}])),
}
STEPS: Final = (0, 2)  # of the base program
COIN: Final = st.booleans()


@dataclass(frozen=True, slots=True, kw_only=True)
class Misfit:
    """One argument that does not fit, and what is wrong with it."""

    kind: str
    argument: Any


def base(tenant: str, saga_id: str) -> dict[str, Any]:
    """A program that fits: a step, a timer, a step."""
    nodes: list[Node] = [step(0, "item.valid"), Timer(duration_ms=1), step(1, "item.valid")]
    return to_json(SagaProgram(tenant=tenant, saga_id=saga_id, nodes=nodes))


def draw(seed_: int, tenant: str, saga_id: str) -> tuple[Misfit, ...]:
    """A misfit of every kind; the same ones for the same seed."""
    drawn: list[tuple[Misfit, ...]] = []

    @seed(seed_)
    @settings(
        max_examples=2,  # the first is the simplest there is
        database=None,
        phases=[Phase.generate],
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(_of_every_kind(base(tenant, saga_id)))
    def collect(misfits: tuple[Misfit, ...]) -> None:
        drawn.append(misfits)

    collect()
    return drawn[-1]


@st.composite
def _of_every_kind(draw: DrawFn, program: dict[str, Any]) -> tuple[Misfit, ...]:
    return tuple(
        Misfit(
            kind=kind,
            argument=_with(program, path, _one_of(draw, STEPS), _one_of(draw, values)),
        )
        for kind, (path, values) in _WRONG.items()
    )


def _one_of(draw: DrawFn, choices: Sequence[T]) -> T:
    bits = [bool(draw(COIN)) for _ in range(BITS)]
    return choices[sum(each << bit for bit, each in enumerate(bits)) % len(choices)]


def _with(program: dict[str, Any], path: Sequence[str | int], node: int, value: Any) -> Any:
    """A copy with another value at a path; an empty path is the whole argument."""
    if not path:
        return value
    changed: Any = copy.deepcopy(program)
    place = changed
    *way, last = [node if key == "*" else key for key in path]
    for key in way:
        place = place[key]
    if value is GONE:
        place.pop(last, None)
    else:
        place[last] = value
    return changed


def neighbours(tenant: str, saga_id: str) -> dict[str, dict[str, Any]]:
    """Arguments that fit, each at an edge of what does."""
    unknown = base(tenant, f"{saga_id}.unknown-members")
    unknown |= {"contract": "1.17", "priority": 3}
    unknown["nodes"][0] |= {"colour": "red", "retry": {"jitter": None}}
    defaults = base(tenant, f"{saga_id}.defaults")
    defaults["nodes"][0] |= {"retry": {}, "heartbeat_ms": 0}
    defaults["nodes"][2]["retry"] = {"initial_ms": 9000, "max_interval_ms": 10}
    decimals = base(tenant, f"{saga_id}.decimals")
    decimals["nodes"][1]["duration_ms"] = 1.0
    decimals["nodes"][2]["retry"] = {"max_attempts": 2.0, "coefficient": 1}
    longest = base(tenant, f"{saga_id}.longest".ljust(200, "x"))
    nothing = {**base(tenant, f"{saga_id}.no-nodes"), "nodes": []}
    return {
        "unknown-members": unknown, "defaults": defaults, "decimals": decimals,
        "longest-id": longest, "no-nodes": nothing,
    }  # fmt: skip
