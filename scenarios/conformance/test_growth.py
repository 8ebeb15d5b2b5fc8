"""Growth: what histories and payloads weigh, and whether a run is more than a request."""

from __future__ import annotations

from typing import Any

from harness.contract.program import ContinueAsNew
from harness.scenario import Case, Suite
from scenarios.conformance.shapes import steps

IDS = ("CAP-6", "IMP-3", "IMP-4")
SUITE = Suite(
    name="growth",
    feeds=IDS,
    # every recorded history is judged; these suffice where nothing else is asked
    cases=(
        Case(name="long", feeds=IDS, nodes=steps(8)),
        Case(
            name="cut-in-two",
            feeds=IDS,
            nodes=[*steps(1), ContinueAsNew(), *steps(1, first=1)],
            needs=frozenset({"continue_as_new"}),
        ),
    ),
)


def test_verdict(verdict: Any) -> None:
    verdict.show()
