"""Versions: two builds side by side, promoted, rolled back, ramped, drained, removed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.contract.program import Child, ContinueAsNew, Node, SagaProgram, Timer, Wait, step
from harness.groups import NEW_VERSION, OLD_VERSION
from harness.scenario import Act, Case, Suite
from scenarios.conformance.shapes import BUSINESS_FAILURE, steps

NAME = "rollout"
ROLLED = ("CMP-1", "CMP-2", "CMP-3", "ROL-1", "ROL-2", "ROL-3", "ROL-4", "ROL-7")
GO = "go"


def shape(name: str, nodes: Sequence[Node], *needs: str) -> Case:
    """A saga of the rollout: the act starts it and decides when it goes on."""
    return Case(name=name, feeds=ROLLED, nodes=nodes, group=OLD_VERSION, needs=frozenset(needs))


def probe(name: str) -> Case:
    """The smallest saga: it shows on which version a new run lands."""
    return shape(name, [])


def waiting(name: str) -> list[Case]:
    """Sagas of every shape that wait in their middle until they are told to go on."""
    inner = SagaProgram(tenant="", saga_id="", nodes=steps(1, first=2))
    return [
        shape(f"{name}-steps", [*steps(2), Wait(signal=GO), *steps(2, first=2)]),
        shape(f"{name}-timers", [Timer(duration_ms=20), Wait(signal=GO), Timer(duration_ms=20)]),
        shape(
            f"{name}-undone",
            [*steps(2), Wait(signal=GO), step(2, "no.{tenant}", behaviour=BUSINESS_FAILURE)],
        ),
        shape(f"{name}-child", [*steps(1), Wait(signal=GO), Child(program=inner)], "children"),
        shape(
            f"{name}-continued",
            [*steps(1), Wait(signal=GO), ContinueAsNew(), *steps(1, first=1)],
            "continue_as_new",
        ),
        shape(f"{name}-first", [Wait(signal=GO), *steps(1)]),
    ]


SUITE = Suite(
    name=NAME,
    feeds=("INV-VER-1", *ROLLED),
    cases=tuple(
        Case(name=f"versioned-{number}", feeds=("INV-VER-1",), nodes=steps(1))
        for number in range(3)
    ),
    acts=(
        Act(
            name="rollout",
            feeds=ROLLED,
            needs=frozenset({"versioning"}),
            groups=(OLD_VERSION, NEW_VERSION),
            call="scenarios.conformance.acts.rollout:roll_out",
        ),
    ),
)


def test_verdict(verdict: Any) -> None:
    verdict.show()
