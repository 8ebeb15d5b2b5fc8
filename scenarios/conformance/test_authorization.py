"""Fail-closed authorization: every activity asks the PDP first, and anything but allow is no."""

from __future__ import annotations

from typing import Any, Final

from harness.contract.pdp_modes import FAMILIES, MODES, Mode
from harness.contract.program import Behaviour, Node, Retry, step
from harness.journal.records import Answer
from harness.scenario import Act, Case, Suite
from scenarios.conformance.shapes import BUSINESS_FAILURE, QUICK, failing_at, steps

SOON: Final = Retry(initial_ms=100)
_A_SAGA: Final = 8
_A_STALLING_SAGA: Final = 2  # each of its questions takes a deadline, there and back


def _there_and_back(modes: tuple[Mode, ...], first: int) -> list[Node]:
    """A step for each mode, which answers the first question forward and the first back."""
    nodes: list[Node] = [
        step(first + number, f"{mode.resource}-x1.{{tenant}}", retry=SOON)
        for number, mode in enumerate(modes)
    ]
    return [*nodes, step(first, "end.{tenant}", behaviour=BUSINESS_FAILURE)]


def _mode_cases(family: str) -> list[Case]:
    """The sagas in which the PDP answers in the modes of a family."""
    # an explicit deny ends a step, so it has cases of its own
    modes = [mode for mode in MODES if mode.family == family and mode.answer is not Answer.DENY]
    together = _A_STALLING_SAGA if family == "timing" else _A_SAGA
    return [
        Case(
            name=f"modes-{family}-{number}",
            feeds=("INV-PDP-3",),
            tenants=number % 2,
            nodes=_there_and_back(chosen, number + FAMILIES.index(family)),
        )
        for number, chosen in enumerate(
            tuple(modes[at : at + together]) for at in range(0, len(modes), together)
        )
    ]


MODE_CASES = tuple(case for family in FAMILIES for case in _mode_cases(family))
# closed to the end: every attempt of a step meets the same failure
CLOSED_CASES = tuple(
    Case(
        name=f"closed-{number}",
        feeds=("INV-PDP-3",),
        tenants=number % 2,
        nodes=[*steps(1, first=number), step(number, f"{name}.{{tenant}}", retry=QUICK)],
    )
    for number, name in enumerate(("fm-08", "fm-20", "fm-32", "fm-16"))
)
DENY_CASES = (
    *(
        Case(
            name=f"deny-at-{position}",
            feeds=("INV-PDP-3", "INV-PDP-4"),
            nodes=[
                *steps(position),
                step(position, "fm-02.{tenant}"),
                *steps(1, first=position + 1),
            ],
        )
        for position in range(4)
    ),
    Case(
        name="deny-back",
        feeds=("INV-PDP-3", "INV-PDP-4", "INV-PDP-13"),
        tenants=0,
        nodes=[
            *(step(kind, "fm-02-back.{tenant}") for kind in range(4)),
            step(0, "end.{tenant}", behaviour=BUSINESS_FAILURE),
        ],
    ),
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
    feeds=(
        "INV-PDP-1",
        "INV-PDP-2",
        "INV-PDP-3",
        "INV-PDP-4",
        "INV-PDP-10",
        "INV-PDP-13",
    ),
    cases=(*MODE_CASES, *CLOSED_CASES, *DENY_CASES, *ASKING_CASES),
    acts=(
        Act(
            name="pdp-certified",
            feeds=("INV-PDP-10",),
            call="scenarios.conformance.acts.certify:certify",
        ),
    ),
)


def test_verdict(verdict: Any) -> None:
    verdict.show()
