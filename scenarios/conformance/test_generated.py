"""Exactly once, over sagas that nobody wrote: drawn with the points where they are disturbed."""

from __future__ import annotations

from typing import Any

from harness.scenario import Generated, Suite

SUITE = Suite(
    name="generated",
    feeds=("INV-IDEM-10",),
    generated=Generated(
        call="scenarios.conformance.generated:draw", feeds=("INV-IDEM-10",), version="2"
    ),
)


def test_verdict(verdict: Any) -> None:
    verdict.show()
