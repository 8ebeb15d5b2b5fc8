"""Backward compatibility: a new build meets the runs that are open, and those that were kept."""

from __future__ import annotations

from typing import Any

from harness.contract.program import Wait
from harness.scenario import Act, Case, Suite
from scenarios.conformance.shapes import steps

IDS = ("INV-VER-2",)
READ = ("INV-VER-3",)  # of the code and of kept histories, for which nothing is driven
SUITE = Suite(
    name="compatibility",
    feeds=(*IDS, *READ),
    cases=(
        Case(
            name="open",
            feeds=IDS,
            nodes=[*steps(2), Wait(signal="go"), *steps(1, first=2)],
        ),
    ),
    acts=(
        Act(
            name="open-runs-exported",
            feeds=IDS,
            when="beside",
            call="scenarios.conformance.acts.open_runs:export_open_runs",
        ),
    ),
)


def test_verdict(verdict: Any) -> None:
    verdict.show()
