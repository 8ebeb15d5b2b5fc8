"""Fail-closed authorization: every activity asks the PDP first, and anything but allow is no."""

from __future__ import annotations

from typing import Any

from harness.contract.pdp_modes import MODES
from harness.contract.program import Behaviour, Retry, step
from harness.scenario import Case, Suite
from scenarios.conformance.shapes import QUICK, failing_at, steps

# one tenant asks in each mode; the tenants take turns
MODE_CASES = tuple(
    Case(
        name=f"mode-{mode.resource}",
        feeds=("INV-PDP-3",),
        tenants=number % 2,
        nodes=[step(number, f"{mode.resource}.{{tenant}}", retry=QUICK)],
    )
    for number, mode in enumerate(MODES)
)
DENY_CASES = tuple(
    Case(
        name=f"deny-at-{position}",
        feeds=("INV-PDP-4",),
        nodes=[*steps(position), step(position, "fm-02.{tenant}"), *steps(1, first=position + 1)],
    )
    for position in range(4)
)
ASKING_CASES = (
    Case(name="all-kinds-there-and-back", feeds=("INV-PDP-1", "INV-PDP-2"), nodes=failing_at(5, 4)),
    *(
        Case(
            name=f"asked-again-{number}",
            feeds=("INV-PDP-1", "INV-PDP-2"),
            nodes=[
                step(
                    number,
                    "again.{tenant}",
                    behaviour=Behaviour(fail=2),
                    compensation_behaviour=Behaviour(fail=1),
                    retry=Retry(initial_ms=50),
                ),
                *failing_at(1, 0),
            ],
        )
        for number in range(4)
    ),
)
SUITE = Suite(
    name="authorization",
    feeds=("INV-PDP-1", "INV-PDP-2", "INV-PDP-3", "INV-PDP-4"),
    cases=(*MODE_CASES, *DENY_CASES, *ASKING_CASES),
)


def test_verdict(verdict: Any) -> None:
    verdict.show()
