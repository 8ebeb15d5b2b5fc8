"""The audit trail: one valid CloudEvent for every transition, and none besides."""

from __future__ import annotations

from typing import Any

from harness.contract.program import (
    Behaviour,
    Child,
    ContinueAsNew,
    Retry,
    SagaProgram,
    Timer,
    step,
)
from harness.scenario import Cancel, Case, Suite, Terminate
from scenarios.conformance.shapes import failing_at, steps

ALWAYS = ("INV-AUD-1", "INV-AUD-2")
IDS = (*ALWAYS, "EVT-1", "EVT-2", "EVT-3", "EVT-4", "EVT-5", "EVT-6")
SUITE = Suite(
    name="audit",
    feeds=IDS,
    cases=(
        Case(name="completed", feeds=(*ALWAYS, "EVT-1", "EVT-2", "EVT-5"), nodes=steps(3)),
        Case(
            name="failed",
            feeds=(*ALWAYS, "EVT-1", "EVT-3", "EVT-5", "EVT-6"),
            nodes=failing_at(3, 2),
        ),
        Case(
            name="failed-after-attempts",
            feeds=(*ALWAYS, "EVT-3", "EVT-6"),
            nodes=[
                step(
                    1,
                    "down.{tenant}",
                    behaviour=Behaviour(fail=9),
                    retry=Retry(initial_ms=20, max_attempts=3),
                )
            ],
        ),
        Case(
            name="canceled",
            feeds=(*ALWAYS, "EVT-1", "EVT-4"),
            nodes=[*steps(1), Timer(duration_ms=20_000)],
            script=(Cancel(after_step=0),),
        ),
        Case(
            name="terminated",
            feeds=(*ALWAYS, "EVT-1"),
            nodes=[*steps(1), Timer(duration_ms=20_000)],
            script=(Terminate(after_step=0),),
        ),
        Case(
            name="with-child",
            feeds=(*ALWAYS, "EVT-1", "EVT-2"),
            needs=frozenset({"children"}),
            nodes=[Child(program=SagaProgram(tenant="", saga_id="", nodes=steps(1)))],
        ),
        Case(
            name="continued",
            feeds=(*ALWAYS, "EVT-1", "EVT-2"),
            needs=frozenset({"continue_as_new"}),
            nodes=[*steps(1), ContinueAsNew(), *steps(1, first=1)],
        ),
    ),
)


def test_verdict(verdict: Any) -> None:
    verdict.show()
