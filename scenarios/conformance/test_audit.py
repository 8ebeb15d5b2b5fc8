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
    Wait,
    step,
)
from harness.groups import CRASH
from harness.scenario import Act, Cancel, Case, Signal, Suite, Terminate
from scenarios.conformance.shapes import failing_at, steps

ALWAYS = (
    "INV-AUD-1", "INV-AUD-2", "INV-AUD-5", "INV-AUD-6", "INV-AUD-7", "EVT-11", "EVT-12", "EVT-13",
)  # fmt: skip
CHANGED = ("INV-AUD-9", "EVT-10")
IDS = (*ALWAYS, "INV-AUD-4", "INV-AUD-8", *CHANGED, *(f"EVT-{n}" for n in range(1, 10)))
SUITE = Suite(
    name="audit",
    feeds=IDS,
    acts=(
        Act(
            name="runs-changed",
            feeds=CHANGED,
            call="scenarios.conformance.acts.changes:change_runs",
        ),
        Act(
            name="replayed-runs-reported",
            feeds=("INV-AUD-4",),
            when="after",
            call="scenarios.conformance.acts.changes:await_reports",
        ),
        Act(
            name="exporter-killed",
            feeds=("INV-AUD-1", "INV-AUD-7"),
            call="scenarios.conformance.acts.changes:kill_exporter",
            breaks=frozenset({"kill-exporter"}),
        ),
    ),
    cases=(
        *(
            Case(
                name=f"replayed-{name}",
                feeds=(*ALWAYS, "INV-AUD-4"),
                nodes=nodes,
                group=CRASH,
                tenants=0,
            )
            for name, nodes in (("completed", steps(2)), ("failed", failing_at(2, 1)))
        ),
        Case(
            name="denied",
            feeds=(*ALWAYS, "INV-AUD-8"),
            nodes=[*steps(1), step(1, "fm-02.{tenant}")],
        ),
        Case(
            name="signaled",
            feeds=(*ALWAYS, *CHANGED),
            nodes=[Wait(signal="go")],
            tenants=1,
            script=(Signal(name="go", id="go-{tenant}"),),
        ),
        Case(
            name="completed",
            feeds=(*ALWAYS, "EVT-1", "EVT-2", "EVT-5", "EVT-7", "EVT-8"),
            nodes=steps(3),
        ),
        Case(
            name="failed",
            feeds=(*ALWAYS, "EVT-1", "EVT-3", "EVT-5", "EVT-6", "EVT-7", "EVT-9"),
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
            feeds=(*ALWAYS, *CHANGED, "EVT-1", "EVT-4"),
            nodes=[*steps(1), Timer(duration_ms=20_000)],
            script=(Cancel(after_step=0),),
        ),
        Case(
            name="terminated",
            feeds=(*ALWAYS, *CHANGED, "EVT-1"),
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
            feeds=(*ALWAYS, "EVT-1", "EVT-2", "EVT-10"),
            needs=frozenset({"continue_as_new"}),
            nodes=[*steps(1), ContinueAsNew(), *steps(1, first=1)],
        ),
    ),
)


def test_verdict(verdict: Any) -> None:
    verdict.show()
