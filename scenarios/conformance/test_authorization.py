"""Fail-closed authorization: every activity asks the PDP first, and anything but allow is no."""

from __future__ import annotations

from typing import Any, Final

from harness.contract.pdp_modes import FAMILIES, MODES, Mode
from harness.contract.program import Behaviour, Node, Retry, Wait, step
from harness.groups import CRASH
from harness.journal.records import Answer
from harness.scenario import Act, Case, KillWorker, PdpAway, PdpBack, Revoke, Signal, Suite
from scenarios.conformance.shapes import BUSINESS_FAILURE, QUICK, failing_at, steps

SOON: Final = Retry(initial_ms=100)
SHORT: Final = Retry(initial_ms=100, max_attempts=3)
_A_SAGA: Final = 6
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
        nodes=[*steps(1, first=number), step(number, f"{name}-forth.{{tenant}}", retry=QUICK)],
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
    Case(
        name="all-kinds-there-and-back",
        feeds=("INV-PDP-1", "INV-PDP-2", "INV-PDP-6"),
        nodes=failing_at(5, 4),
    ),
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
# the PDP is away for some questions, or for all; half of its replicas fail; it comes and goes
AWAY = ("fm-20-forth-x2", "item", "fm-08-forth-x1", "item", "fm-16-forth-x1", "item")
FLAPPING = ("fm-09a-forth-x3", "fm-21-forth-x1", "fm-11-forth-x2", "fm-22-forth-x1")
OUTAGE_CASES = (
    *(
        Case(
            name=f"outage-survived-{number}",
            feeds=("INV-PDP-5",),
            tenants=number,
            nodes=[step(kind, f"{each}.{{tenant}}", retry=SOON) for kind, each in enumerate(away)],
        )
        for number, away in enumerate((AWAY, FLAPPING))
    ),
    *(
        Case(
            name=f"outage-lasting-{number}",
            feeds=("INV-PDP-5",),
            tenants=number,
            nodes=[*steps(1), step(number + 1, f"{mode}-forth.{{tenant}}", retry=SHORT)],
        )
        for number, mode in enumerate(("fm-20", "fm-09"))
    ),
)
ROLLBACK_CASES = tuple(
    Case(
        name=f"rollback-without-pdp-{number}",
        feeds=("INV-PDP-11",),
        tenants=number,
        nodes=[
            *(step(kind, f"{away}.{{tenant}}") for kind, away in enumerate(modes)),
            step(0, "end.{tenant}", behaviour=BUSINESS_FAILURE),
        ],
    )
    for number, modes in enumerate(
        (
            ("fm-20-back-x3", "item", "fm-16-back-x1", "fm-08-back-x1"),
            ("item", "fm-09a-back-x2", "fm-21-back-x1", "fm-20-back-x1"),
        )
    )
)
REUSE_CASES = (
    *(
        Case(
            name=f"revoked-between-steps-{kind}",
            feeds=("INV-PDP-7",),
            tenants=kind,
            script=(Revoke(after_step=0), Signal(name="go", id="revoked")),
            nodes=[
                step(kind, "taken-back.{tenant}"),
                Wait(signal="go"),
                step(kind, "taken-back.{tenant}", retry=QUICK),
            ],
        )
        for kind in range(2)
    ),
    *(
        Case(
            name=f"over-between-attempts-{number}",
            feeds=("INV-PDP-7",),
            tenants=number % 2,
            nodes=[
                step(number, f"{after}.{{tenant}}", behaviour=Behaviour(fail=1), retry=SHORT),
            ],
        )
        for number, after in enumerate(("fm-02-after1", "fm-20-after1", "fm-02-after1"))
    ),
    # the worker dies between the allow and the effect, and the allow is over when it is back
    Case(
        name="over-after-a-crash",
        feeds=("INV-PDP-7",),
        group=CRASH,
        tenants=0,
        script=(KillWorker(at_step=0),),
        nodes=[
            step(
                3,
                "fm-02-after1.{tenant}",
                behaviour=Behaviour(hold="before"),
                start_to_close_ms=6000,
                retry=SOON,
            )
        ],
    ),
)
OBLIGATION_CASES = (
    Case(
        name="obligations",
        feeds=("INV-PDP-8",),
        tenants=1,
        nodes=[
            *(
                step(kind, f"fm-42{letter}-x1.{{tenant}}", amount="2", retry=SOON)
                for kind, letter in enumerate(("", "a", "b"))
            ),
            step(0, "end.{tenant}", behaviour=BUSINESS_FAILURE),
        ],
    ),
)
# before any request: these workers know the PDP by an address of their own, which goes away
LINK_CASES = (
    *(
        Case(
            name=f"link-{link}",
            feeds=("INV-PDP-3",),
            group=f"pdp-{link}",
            tenants=number,
            script=(PdpAway(after_step=0), Signal(name="go", id=link), PdpBack()),
            nodes=[
                step(number, "before.{tenant}"),
                Wait(signal="go"),
                step(number + 1, "away.{tenant}", retry=QUICK),
            ],
        )
        for number, link in enumerate(("refused", "silent"))
    ),
    Case(
        name="link-unresolved",
        feeds=("INV-PDP-3",),
        group="pdp-unresolved",
        tenants=0,
        # one attempt alone: there is no PDP to allow that it be undone
        nodes=[step(2, "away.{tenant}", retry=Retry(max_attempts=1))],
    ),
)
SUITE = Suite(
    name="authorization",
    feeds=(
        *(f"INV-PDP-{number}" for number in range(1, 9)),
        "INV-PDP-10",
        "INV-PDP-11",
        "INV-PDP-13",
    ),
    cases=(
        *LINK_CASES,
        *ROLLBACK_CASES,  # its retries take longest
        *MODE_CASES,
        *CLOSED_CASES,
        *DENY_CASES,
        *ASKING_CASES,
        *OUTAGE_CASES,
        *REUSE_CASES,
        *OBLIGATION_CASES,
    ),
    acts=(
        Act(
            name="pdp-certified",
            feeds=("INV-PDP-10",),
            call="scenarios.conformance.acts.certify:certify",
        ),
        Act(
            name="sagas-for-nobody",
            feeds=("INV-PDP-6",),
            call="scenarios.conformance.acts.nobody:start_sagas_for_nobody",
        ),
    ),
)


def test_verdict(verdict: Any) -> None:
    verdict.show()
