"""Durability: a saga that fails anywhere is undone in reverse; retries keep to their policy."""

from __future__ import annotations

from typing import Any

from harness.contract.program import Behaviour, Retry, Timer, step
from harness.scenario import Cancel, Case, Suite
from scenarios.conformance.shapes import QUICK, failing_at, steps

SAGA_STEPS = 5
# the last gap is seconds longer than the first, which no slow machine can hide
GROWING = Retry(initial_ms=200, coefficient=3.0, max_interval_ms=4000, max_attempts=6)
SUITE = Suite(
    name="durability",
    feeds=("DUR-5", "DUR-7"),
    cases=(
        *(
            Case(
                name=f"fails-at-{position}",
                feeds=("DUR-5",),
                nodes=failing_at(SAGA_STEPS, position),
            )
            for position in range(SAGA_STEPS)
        ),
        # applied, but every answer is lost: nobody knows, so it is undone as well, and first
        Case(
            name="doubtful",
            feeds=("DUR-5",),
            nodes=[
                *steps(2),
                step(2, "doubt.{tenant}", behaviour=Behaviour(lose_answer=9), retry=QUICK),
            ],
        ),
        Case(name="all-applied", feeds=("DUR-5",), nodes=steps(SAGA_STEPS)),
        Case(
            name="cancelled",
            feeds=("DUR-5",),
            nodes=[*steps(3), Timer(duration_ms=20_000)],
            script=(Cancel(after_step=2),),
        ),
        *(
            Case(
                name=f"retried-{kind}",
                feeds=("DUR-7",),
                nodes=[step(kind, "gaps.{tenant}", behaviour=Behaviour(fail=4), retry=GROWING)],
            )
            for kind in range(4)
        ),
        Case(
            name="attempts-run-out",
            feeds=("DUR-7",),
            nodes=[
                step(
                    2,
                    "never.{tenant}",
                    behaviour=Behaviour(fail=99),
                    retry=Retry(initial_ms=100, max_attempts=4),
                )
            ],
        ),
    ),
)


def test_verdict(verdict: Any) -> None:
    verdict.show()
