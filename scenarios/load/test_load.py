"""Load: the SLOs that planned arrivals show, and what a workflow costs."""

from __future__ import annotations

from typing import Any

from harness.scenario import Suite

SUITE = Suite(
    name="load",
    feeds=(
        "SLO-START-1",
        "SLO-VIS-1",
        "SLO-AVL-1",
        "SLO-REL-1",
        "CAP-1",
        "CAP-3",
        "CAP-5",
        "CAP-7",
        "DUR-10",
        "SLO-ACT-1",
        "INV-ISO-14",
        "THR-D",
    ),
)


def test_verdict(verdict: Any) -> None:
    verdict.show()
