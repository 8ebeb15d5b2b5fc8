"""Chaos: what must hold over a fault that provably bit."""

from __future__ import annotations

from typing import Any

from harness.scenario import Act, Suite

SUITE = Suite(
    name="chaos",
    feeds=("DUR-2",),
    acts=(
        Act(
            name="steady-load-under-faults",
            feeds=("DUR-2",),
            call="scenarios.chaos.steady:steady_load",
        ),
    ),
)


def test_verdict(verdict: Any) -> None:
    verdict.show()
