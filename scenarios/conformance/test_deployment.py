"""The deployment as a whole: how long it keeps runs, whether it is well, who works on it."""

from __future__ import annotations

from typing import Any

from harness.scenario import Act, Case, Suite
from scenarios.conformance.shapes import steps

SUITE = Suite(
    name="deployment",
    feeds=("CAP-2", "ASM-1", "IFC-1"),
    cases=(Case(name="census", feeds=("IFC-1",), nodes=steps(1)),),
    acts=(
        Act(
            name="retention",
            feeds=("CAP-2",),
            call="scenarios.conformance.acts.deployment:read_retention",
        ),
        Act(
            name="short-retention",
            feeds=("CAP-2",),
            breaks=frozenset({"throwaway-tenants"}),
            call="scenarios.conformance.acts.deployment:outlive_a_short_retention",
        ),
        Act(
            name="smoke",
            feeds=("ASM-1",),
            call="scenarios.conformance.acts.deployment:smoke",
        ),
        Act(
            name="workers-listed",
            feeds=("IFC-1",),
            call="scenarios.conformance.acts.deployment:list_workers",
        ),
    ),
)


def test_verdict(verdict: Any) -> None:
    verdict.show()
