"""Input validation: an argument that does not fit ends the run before anything is done."""

from __future__ import annotations

from typing import Any

from harness.scenario import Act, Suite

SUITE = Suite(
    name="validation",
    feeds=("MIT-4",),
    acts=(
        Act(
            name="misfits-started",
            feeds=("MIT-4",),
            call="scenarios.conformance.acts.misfits:start_misfits",
        ),
    ),
)


def test_verdict(verdict: Any) -> None:
    verdict.show()
