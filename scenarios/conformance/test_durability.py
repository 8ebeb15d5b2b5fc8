"""Durability: a saga that fails anywhere is undone in reverse; retries keep to their policy."""

from __future__ import annotations

from typing import Any

from harness.contract.program import Behaviour, Retry, Timer, step
from harness.scenario import Act, Cancel, Case, Suite
from scenarios.conformance.shapes import BUSINESS_FAILURE, QUICK, failing_at, steps

SAGA_STEPS = 5
# resources that no other saga moves: what they hold in the end must add up
OWN: dict[str, Any] = {"stock": "kept", "amount": "12.50"}
# the last gap is seconds longer than the first, which no slow machine can hide
GROWING = Retry(initial_ms=200, coefficient=3.0, max_interval_ms=4000, max_attempts=6)
# cancelled after each of its steps, and while one is on its way
CANCELLED = (
    *(
        Case(
            name=f"cancelled-after-{position}",
            feeds=("DUR-6",),
            tenants=position % 2,
            nodes=[*steps(position + 1), Timer(duration_ms=20_000)],
            script=(Cancel(after_step=position),),
        )
        for position in range(3)
    ),
    Case(
        name="cancelled-within-1",
        feeds=("DUR-6",),
        tenants=1,
        nodes=[
            *steps(1),
            step(1, "slow.{tenant}", behaviour=Behaviour(delay_ms=700)),
            Timer(duration_ms=20_000),
        ],
        script=(Cancel(after_step=0),),
    ),
)
# as many attempts as the policy says; the last one succeeds; what is final is not tried again
LIMITED = (
    *(
        Case(
            name=f"attempts-{most}",
            feeds=("DUR-8",),
            tenants=most % 2,
            nodes=[
                step(
                    most,
                    "never.{tenant}",
                    behaviour=Behaviour(fail=99),
                    retry=Retry(initial_ms=50, max_attempts=most),
                )
            ],
        )
        for most in (1, 2, 4)
    ),
    Case(
        name="last-attempt",
        feeds=("DUR-8",),
        tenants=1,
        nodes=[
            step(
                3,
                "last.{tenant}",
                behaviour=Behaviour(fail=2),
                retry=Retry(initial_ms=50, max_attempts=3),
            )
        ],
    ),
    *(
        Case(
            name=f"final-{name}",
            feeds=("DUR-8",),
            tenants=0,
            nodes=[step(kind, f"{resource}.{{tenant}}", behaviour=behaviour)],
        )
        for kind, (name, resource, behaviour) in enumerate(
            (
                ("denied", "fm-02", Behaviour()),
                ("refused", "final", BUSINESS_FAILURE),
                ("rejected", "final", Behaviour(rejected=True)),
            )
        )
    ),
)
SUITE = Suite(
    name="durability",
    feeds=("DUR-5", "DUR-6", "DUR-7", "DUR-8"),
    acts=(
        Act(
            name="timeouts-run-into",
            feeds=("DUR-8",),
            call="scenarios.conformance.acts.timeouts:run_into_timeouts",
        ),
        Act(
            name="terminated-mid-saga",
            feeds=("DUR-6",),
            call="scenarios.conformance.acts.terminations:terminate_sagas",
        ),
    ),
    cases=(
        *CANCELLED,
        *LIMITED,
        *(
            Case(
                name=f"fails-at-{position}",
                feeds=("DUR-5",),
                nodes=failing_at(SAGA_STEPS, position, **OWN),
            )
            for position in range(SAGA_STEPS)
        ),
        # every compensation fails at first
        *(
            Case(
                name=f"undone-hard-{position}",
                feeds=("DUR-5",),
                tenants=position % 2,
                nodes=failing_at(
                    SAGA_STEPS, position, compensation_behaviour=Behaviour(fail=1), **OWN
                ),
            )
            for position in range(1, SAGA_STEPS)
        ),
        # applied, but every answer is lost: nobody knows, so it is undone as well, and first
        Case(
            name="doubtful",
            feeds=("DUR-5",),
            nodes=[
                *steps(2, **OWN),
                step(2, "doubt.{tenant}", behaviour=Behaviour(lose_answer=9), retry=QUICK),
            ],
        ),
        # applied, its answer lost, and the next attempt not authorized: undone as well
        *(
            Case(
                name=f"{name}-after-its-effect",
                feeds=("DUR-5",),
                tenants=number,
                nodes=[
                    *steps(1, **OWN),
                    step(
                        number + 1,
                        f"{mode}-forth-after1.{{tenant}}",
                        behaviour=Behaviour(lose_answer=1),
                        retry=QUICK,
                    ),
                ],
            )
            for number, (name, mode) in enumerate((("denied", "fm-02"), ("away", "fm-20")))
        ),
        Case(name="all-applied", feeds=("DUR-5",), nodes=steps(SAGA_STEPS, **OWN)),
        Case(
            name="cancelled",
            feeds=("DUR-5",),
            nodes=[*steps(3, **OWN), Timer(duration_ms=20_000)],
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
