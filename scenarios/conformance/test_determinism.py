"""Determinism: a replayed run takes the same commands, after a restart and from the record."""

from __future__ import annotations

from typing import Any

from harness.contract.program import (
    Behaviour,
    Child,
    ContinueAsNew,
    SagaProgram,
    Timer,
    Wait,
    step,
)
from harness.groups import CRASH
from harness.scenario import Act, Cancel, Case, KillWorker, Script, Signal, Suite
from scenarios.conformance.shapes import failing_at, steps

IDS = ("INV-DET-1", "INV-DET-2", "INV-DET-3", "INV-DET-4", "INV-DET-7", "INV-DET-9")
# of the workflow code and of what is sown, for which nothing is driven
READ = ("INV-DET-5", "INV-DET-6", "INV-DET-8")


def _shape(name: str, nodes: list[Any], *script: Script, **fields: Any) -> Case:
    return Case(name=name, feeds=IDS, nodes=nodes, group=CRASH, script=script, **fields)


SHAPES = (
    _shape("plain", steps(4)),
    _shape("compensated", failing_at(4, 3)),
    _shape("timers", [*steps(1), Timer(duration_ms=50), *steps(2, first=1), Timer(duration_ms=20)]),
    _shape(
        "signals",
        [Wait(signal="go"), *steps(2), Wait(signal="on"), *steps(1)],
        Signal(name="on", id="on-{tenant}"),
        Signal(name="go", id="go-{tenant}"),
    ),
    _shape("cancelled", [*steps(2), Timer(duration_ms=20_000)], Cancel(after_step=1)),
    _shape(
        "child",
        [
            *steps(1),
            Child(program=SagaProgram(tenant="", saga_id="", nodes=steps(2, first=2))),
            *steps(1, first=1),
        ],
        needs=frozenset({"children"}),
    ),
    _shape(
        "continued",
        [
            *steps(1),
            ContinueAsNew(),
            *steps(1, first=1),
            Wait(signal="go"),
            ContinueAsNew(),
            *steps(1, first=2),
        ],
        Signal(name="go", id="go-{tenant}"),
        needs=frozenset({"continue_as_new"}),
    ),
    # restarted in the middle: the worker dies while these wait, and their history is replayed
    *(
        _shape(
            f"restarted-at-{position}",
            [
                *steps(position),
                step(
                    position,
                    "held.{tenant}",
                    behaviour=Behaviour(hold="after"),
                    start_to_close_ms=6000,
                ),
                Timer(duration_ms=20),
                *steps(2, first=position + 1),
            ],
            KillWorker(at_step=position),
        )
        for position in range(3)
    ),
)
SUITE = Suite(
    name="determinism",
    feeds=(*IDS, *READ),
    cases=SHAPES,
    acts=(
        Act(
            name="closed-runs-queried",
            feeds=("INV-DET-4", "INV-AUD-4"),
            when="restarted",
            call="scenarios.conformance.acts.queries:query_closed_runs",
        ),
        Act(
            name="problems-asked-for",
            feeds=("INV-DET-7",),
            when="after",
            call="scenarios.conformance.acts.problems:ask_for_problems",
        ),
    ),
)


def test_verdict(verdict: Any) -> None:
    verdict.show()
