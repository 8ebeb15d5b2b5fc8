"""Restarts: workers that die at the boundaries of histories change nothing, and lose no message."""

from __future__ import annotations

from typing import Any

from harness.contract.program import Timer, Wait, step
from harness.groups import BOUNDARY
from harness.scenario import Act, Annotate, Case, RpcFault, Signal, Suite
from scenarios.conformance.journeys import IN_THE_AIR, killed, undisturbed
from scenarios.conformance.shapes import steps

# some messages come before the worker dies, some while it is down, and all are acknowledged
DOWN = tuple(
    Case(
        name=f"told-while-down-{number}",
        feeds=("DUR-9",),
        tenants=number % 2,
        group=BOUNDARY,
        nodes=[Wait(signal="early"), *steps(1), Wait(signal="down"), Wait(signal="more")],
        script=(
            Signal(name="early", id="early-{tenant}"),
            Signal(name="down", id="down-{tenant}", when="down"),
            Signal(name="more", id="more-{tenant}", when="down"),
            *notes,
        ),
        rpc=(RpcFault(action="hold"),),  # the worker dies with the step's completion
        needs=frozenset({"updates"} if notes else ()),
    )
    for number, notes in enumerate(
        (
            (),
            (),
            (
                Annotate(id="early-note-{tenant}", text="before"),
                Annotate(id="down-note-{tenant}", text="meanwhile", when="down"),
            ),
        )
    )
)
# asleep while their worker dies and comes back; the last one is what it waits for before it dies
ASLEEP = (
    *(
        Case(
            name=f"asleep-{number}",
            feeds=("DUR-4",),
            tenants=number,
            group=BOUNDARY,
            nodes=[*steps(1), Timer(duration_ms=9000), *steps(1, first=1)],
        )
        for number in (0, 1)
    ),
    Case(
        name="awake",
        feeds=("DUR-4",),
        tenants=0,
        group=BOUNDARY,
        nodes=[*steps(2), step(2, "awake.{tenant}", **IN_THE_AIR)],
        rpc=(RpcFault(action="hold", activity="cpms.provision"),),
    ),
)
SUITE = Suite(
    name="restarts",
    feeds=("DUR-1", "DUR-4", "DUR-9"),
    cases=(*killed(), *undisturbed(), *DOWN, *ASLEEP),
    acts=(
        Act(
            name="asleep-for-months",
            feeds=("DUR-4",),
            call="scenarios.conformance.acts.sleepers:sleep_for_months",
        ),
        Act(
            name="told-on-bad-wires",
            feeds=("DUR-9",),
            call="scenarios.conformance.acts.messages:tell_on_bad_wires",
            breaks=frozenset({"rpc-faults"}),
        ),
    ),
)


def test_verdict(verdict: Any) -> None:
    verdict.show()
