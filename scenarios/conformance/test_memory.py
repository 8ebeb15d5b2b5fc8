"""Duplicates that histories show, and how long their keys are remembered."""

from __future__ import annotations

from typing import Any

from harness.contract.program import Behaviour, Retry, step
from harness.scenario import Act, Case, Suite
from scenarios.conformance.shapes import failing_at, steps

NAME = "memory"
SUSPECTS = Case(
    name="suspects",
    feeds=("INV-IDEM-11",),
    nodes=[
        step(0, "failed.{tenant}", behaviour=Behaviour(fail=1), retry=Retry(initial_ms=50)),
        step(1, "lost.{tenant}", behaviour=Behaviour(lose_answer=1), retry=Retry(initial_ms=50)),
        step(
            2,
            "lost-back.{tenant}",
            compensation_behaviour=Behaviour(lose_answer=1),
        ),
        *failing_at(1, 0),
    ],
)
# a step more than a service with a short memory keeps in mind
DELIVERED_AGAIN = Case(name="delivered-again", feeds=("INV-IDEM-12",), nodes=steps(4))
SUITE = Suite(
    name=NAME,
    feeds=("INV-IDEM-11", "INV-IDEM-12"),
    cases=(SUSPECTS, DELIVERED_AGAIN),
    acts=(
        Act(
            name="namespaces-described",
            feeds=("INV-IDEM-12",),
            call="scenarios.conformance.acts.memory:describe_namespaces",
        ),
        Act(
            name="delivered-again",
            feeds=("INV-IDEM-12",),
            when="after",
            call="scenarios.conformance.acts.memory:deliver_again",
        ),
    ),
)


def test_verdict(verdict: Any) -> None:
    verdict.show()
