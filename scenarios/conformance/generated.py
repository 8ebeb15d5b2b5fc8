"""Sagas drawn by Hypothesis together with the points where they crash or are duplicated.

Each saga draws which kinds of fault it may meet at all (swarm testing), then its nodes, then its
faults. The same seed gives the same sagas in every process: all choices are made of booleans,
because Hypothesis mixes constants of whatever modules are loaded into the numbers that it draws.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from harness.contract.program import (
    Behaviour,
    Child,
    ContinueAsNew,
    Node,
    Retry,
    SagaProgram,
    Step,
    Timer,
    Wait,
    step,
)
from harness.groups import CALM, CRASH, WIRE
from harness.scenario import Cancel, Case, KillWorker, Redeliver, RpcFault, Script, Signal

FEEDS: Final = ("INV-IDEM-10",)
CASES: Final = 24
MOST_NODES: Final = 4
BITS: Final = 6  # of one choice
NONE: Final = Behaviour()
QUICK: Final = Retry(initial_ms=50, max_attempts=2)
# what is in the air when the worker is killed is only tried again after its timeout
CRASHED: Final[dict[str, Any]] = {"start_to_close_ms": 6000, "retry": Retry(initial_ms=100)}
# a completion that never arrives is made up for when the attempt has run out
ON_THE_WIRE: Final[dict[str, Any]] = {"start_to_close_ms": 1500, "retry": Retry(initial_ms=50)}
COMPLETIONS: Final = (RpcFault(action="lose-answer"), RpcFault(action="refuse", repeats=True))
CALMLY: Final[dict[str, Any]] = {"retry": Retry(initial_ms=50)}
BEHAVIOURS: Final = {
    "fails": Behaviour(fail=1),
    "fails twice": Behaviour(fail=2),
    "loses": Behaviour(lose_answer=1),
    "fails and loses": Behaviour(fail=1, lose_answer=1),
    # beyond its start-to-close: the second attempt runs beside the first
    "zombie": Behaviour(delay_ms=1500, delayed=1),
}
ENDINGS: Final = ("completes", "is refused", "stays doubtful", "is cancelled")
COIN: Final = st.booleans()
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What may be drawn."""

    faults: tuple[str, ...]
    endings: tuple[str, ...]
    nodes: tuple[str, ...]
    crash: bool
    wire: bool


def draw(seed_: int, allowed: Set[str], lacks: Set[str]) -> tuple[Case, ...]:
    """The sagas of a seed, with nothing that the target forbids or the worker lacks."""
    drawn: list[Case] = []

    @seed(seed_)
    @settings(
        max_examples=4 * CASES,  # some are drawn twice
        database=None,
        phases=[Phase.generate],
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(_cases(_means(allowed, lacks)))
    def collect(case: Case) -> None:
        if case not in drawn:
            drawn.append(case)

    collect()
    return tuple(
        replace(case, name=f"drawn-{number:02}", tenants=number % 2)
        for number, case in enumerate(drawn[:CASES])
    )


def _means(allowed: Set[str], lacks: Set[str]) -> Means:
    services = "service-faults" in allowed
    nodes = ["step", "step", "step", "wait", "timer"]
    nodes += [name for name in ("child", "continue_as_new") if _needed(name) not in lacks]
    return Means(
        faults=tuple(BEHAVIOURS) if services else (),
        endings=tuple(each for each in ENDINGS if services or each != "stays doubtful"),
        nodes=tuple(nodes),
        crash="kill-worker" in allowed,
        wire="rpc-faults" in allowed,
    )


def _needed(node: str) -> str:
    """The capability that a kind of node needs."""
    return "children" if node == "child" else node


def _one_of(draw: DrawFn, choices: Sequence[T]) -> T:
    bits = [bool(draw(COIN)) for _ in range(BITS)]
    index = sum(each << bit for bit, each in enumerate(bits))
    return choices[index % len(choices)]


def _some_of(draw: DrawFn, choices: Sequence[T]) -> list[T]:
    return [each for each in choices if draw(COIN)]


@st.composite
def _cases(draw: DrawFn, means: Means) -> Case:
    ending = _one_of(draw, means.endings)
    faults = _some_of(draw, means.faults)
    crash = means.crash and _one_of(draw, (True, False, False))
    wire = means.wire and not crash and _one_of(draw, (True, False, False))
    nodes = _nodes(draw, means, faults, CRASHED if crash else ON_THE_WIRE if wire else CALMLY)
    nodes += _last(draw, ending, len(nodes))
    script: list[Script] = list(_signals(draw, nodes))
    if ending != "completes":
        nodes = _undone_badly(draw, nodes, faults)
    # what two runs of one saga share is how often it fails, so each must end alike whoever met it
    if ending in ("completes", "is refused") and draw(COIN):
        script.append(Redeliver(when=_one_of(draw, ("beside", "ended"))))
    if ending == "is cancelled":
        script.append(Cancel(after_step=_one_of(draw, _steps(nodes))))
    if crash:
        held = _one_of(draw, _steps(nodes[: len(nodes) - (ending == "is refused")]))
        nodes[held] = _held(draw, nodes[held])
        script.append(KillWorker(at_step=held, release=_one_of(draw, ("drop", "answer"))))
    return Case(
        name="", feeds=FEEDS, nodes=tuple(nodes), script=tuple(script),
        rpc=(_one_of(draw, COMPLETIONS),) if wire else (),
        group=CRASH if crash else WIRE if wire else CALM, needs=_needs(nodes), drawn=True,
    )  # fmt: skip


def _nodes(draw: DrawFn, means: Means, faults: Sequence[str], common: dict[str, Any]) -> list[Node]:
    """A step, and up to `MOST_NODES` further nodes."""
    kinds = ["step"] + [
        _one_of(draw, means.nodes) for _ in range(_one_of(draw, range(MOST_NODES + 1)))
    ]
    return [_node(draw, kind, number, faults, common) for number, kind in enumerate(kinds)]


def _node(
    draw: DrawFn, kind: str, number: int, faults: Sequence[str], common: dict[str, Any]
) -> Node:
    match kind:
        case "wait":
            return Wait(signal=f"go-{number}")
        case "timer":
            return Timer(duration_ms=_one_of(draw, (1, 50, 200)))
        case "continue_as_new":
            return ContinueAsNew()
        case "child":
            inner: list[Node] = [
                _step(draw, n, faults, common) for n in range(_one_of(draw, (1, 2)))
            ]
            return Child(program=SagaProgram(tenant="{tenant}", saga_id="{saga_id}", nodes=inner))
    return _step(draw, number, faults, common)


def _step(draw: DrawFn, number: int, faults: Sequence[str], common: dict[str, Any]) -> Step:
    hit = bool(faults) & draw(COIN)
    fault = _one_of(draw, faults) if hit else ""
    fields = dict(common)
    if fault == "zombie":
        fields["start_to_close_ms"] = 1000
    behaviour = BEHAVIOURS.get(fault, NONE)
    return step(_one_of(draw, range(4)), f"drawn-{number}", behaviour=behaviour, **fields)


def _last(draw: DrawFn, ending: str, number: int) -> list[Node]:
    """What makes a saga end so."""
    kind = _one_of(draw, range(4))
    match ending:
        case "is refused":
            return [step(kind, f"drawn-{number}", behaviour=Behaviour(business_failure=True))]
        case "stays doubtful":
            behaviour = _one_of(draw, (Behaviour(lose_answer=9), Behaviour(fail=9)))
            return [step(kind, f"drawn-{number}", behaviour=behaviour, retry=QUICK)]
        case "is cancelled":
            return [Timer(duration_ms=20_000)]
    return []


def _signals(draw: DrawFn, nodes: Sequence[Node]) -> list[Signal]:
    """The signals that are waited for, some of them sent twice."""
    found: list[Signal] = []
    for node in nodes:
        if isinstance(node, Wait):
            signal = Signal(name=node.signal, id=f"{node.signal}-id")
            found += [signal, signal] if draw(COIN) else [signal]
    return found


def _undone_badly(draw: DrawFn, nodes: Sequence[Node], faults: Sequence[str]) -> list[Node]:
    """Some compensations meet faults as well."""
    kinds = [each for each in faults if each != "zombie"]
    return [
        _changed(node, compensation_behaviour=BEHAVIOURS[_one_of(draw, kinds)])
        if isinstance(node, Step) and kinds and draw(COIN)
        else node
        for node in nodes
    ]


def _held(draw: DrawFn, node: Node) -> Node:
    return _changed(node, behaviour=Behaviour(hold=_one_of(draw, ("before", "after"))), **CRASHED)


def _changed(node: Node, **fields: Any) -> Node:
    assert isinstance(node, Step)
    given_ = {name: getattr(node, name) for name in node.__struct_fields__}
    return Step(**{**given_, **fields})


def _steps(nodes: Sequence[Node]) -> list[int]:
    return [number for number, node in enumerate(nodes) if isinstance(node, Step)]


def _needs(nodes: Sequence[Node]) -> frozenset[str]:
    kinds = {
        "children" if isinstance(node, Child) else "continue_as_new"
        for node in nodes
        if isinstance(node, Child | ContinueAsNew)
    }
    return frozenset(kinds)
