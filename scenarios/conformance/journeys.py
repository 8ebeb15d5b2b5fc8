"""Sagas with every kind of node, and the boundaries of their histories at which the worker dies.

A journey goes one way, a return goes back: its last step is refused. Of each there is one that
nothing disturbs, in a group of its own, and one for each boundary: before a workflow task's answer
reaches the engine and after (the tap holds the call, or the engine's answer), and around each kind
of activity (a service holds its answer before the effect or after it, the tap a completion or the
engine's answer to it).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

import msgspec

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
from harness.groups import BOUNDARY
from harness.scenario import Case, KillWorker, RpcFault, Script, Signal
from harness.tap.messages import COMPLETED, WORKFLOW_COMPLETED, Action
from scenarios.conformance.shapes import BUSINESS_FAILURE

FEEDS: Final = ("DUR-1",)
# what is in the air when the worker is killed is only tried again after its timeout, which must
# not be over before the worker dies
IN_THE_AIR: Final[dict[str, Any]] = {"start_to_close_ms": 9000, "retry": Retry(initial_ms=100)}


def _step(kind: int, **fields: Any) -> Step:
    return step(kind, f"leg-{kind}.{{tenant}}", **IN_THE_AIR, **fields)


_CHILD: Final = Child(program=SagaProgram(tenant="", saga_id="", nodes=[_step(3)]))
JOURNEY: Final = Case(
    name="journey",
    feeds=FEEDS,
    nodes=(
        _step(0),
        Wait(signal="go"),
        Timer(duration_ms=30),
        _CHILD,
        _step(1),
        ContinueAsNew(),
        _step(2),
    ),
    script=(Signal(name="go", id="go-{tenant}"),),
    needs=frozenset({"children", "continue_as_new"}),
)
RETURN: Final = Case(
    name="return",
    feeds=FEEDS,
    nodes=(_step(0), Timer(duration_ms=30), _step(1), _step(2, behaviour=BUSINESS_FAILURE)),
)
# the workflow tasks of one that is undisturbed, continued run included, whose answer does not come
# to the engine, and those whose answer does, and the worker hears nothing of it
TASKS: Final[dict[str, Sequence[int]]] = {"journey": range(1, 11), "return": (2, 5, 6, 7)}
_ANSWERED: Final[dict[str, Sequence[int]]] = {"journey": (1, 3, 5), "return": ()}
_ACTIVITIES: Final = {"journey": (0,), "return": (2,)}
_HELD_CALLS: Final[tuple[tuple[str, Action], ...]] = (("before", "hold"), ("after", "hold-answer"))


def undisturbed() -> tuple[Case, ...]:
    """In both of the first two tenants."""
    return tuple(
        replace(case, name=f"{case.name}-undisturbed-{tenant}", tenants=tenant)
        for case in (JOURNEY, RETURN)
        for tenant in (0, 1)
    )


def killed() -> tuple[Case, ...]:
    """One for each boundary, the tenants in turn."""
    cases = [each for case in (JOURNEY, RETURN) for each in _boundaries(case)]
    return tuple(
        replace(case, group=BOUNDARY, tenants=number % 2) for number, case in enumerate(cases)
    )


def _boundaries(case: Case) -> Iterator[Case]:
    for number in TASKS[case.name]:
        for when, action in _HELD_CALLS[: 1 + (number in _ANSWERED[case.name])]:
            fault = RpcFault(action=action, method=WORKFLOW_COMPLETED, first=number)
            yield replace(case, name=f"{case.name}-{when}-task-{number}", rpc=(fault,))
    for position in _ACTIVITIES[case.name]:
        node = case.nodes[position]
        assert isinstance(node, Step)
        activity = f"{node.service}.{node.operation}"
        for when, action in _HELD_CALLS:
            fault = RpcFault(action=action, method=COMPLETED, activity=activity)
            yield replace(case, name=f"{case.name}-{when}-completion-{position}", rpc=(fault,))
            yield _held(case, f"{when}-effect-{position}", position, behaviour=_hold(when))
        yield _held(case, f"asked-{position}", position, behaviour=_hold("asked"))
    if case is RETURN:
        for when, _ in _HELD_CALLS:
            yield _held(case, f"{when}-undone-0", 0, compensation_behaviour=_hold(when))
    else:
        child = msgspec.structs.replace(_CHILD.program, nodes=[_step(3, behaviour=_hold("after"))])
        nodes = [Child(program=child) if node is _CHILD else node for node in case.nodes]
        yield replace(case, name=f"{case.name}-after-effect-of-child", nodes=nodes)


def _hold(when: str) -> Behaviour:
    return Behaviour(hold=when)


def _held(case: Case, name: str, position: int, **fields: Any) -> Case:
    """With a step that is held, there or back."""
    nodes: list[Node] = list(case.nodes)
    held = nodes[position]
    assert isinstance(held, Step)
    nodes[position] = msgspec.structs.replace(held, **fields)
    direction = "compensation" if "compensation_behaviour" in fields else "forward"
    kill: Sequence[Script] = (KillWorker(at_step=position, direction=direction),)  # type: ignore[arg-type]
    return replace(case, name=f"{case.name}-{name}", nodes=nodes, script=(*case.script, *kill))
