"""Sagas in the shapes that the suites share."""

from __future__ import annotations

from typing import Any

from harness.contract.program import Behaviour, Node, Retry, Step, step

BUSINESS_FAILURE = Behaviour(business_failure=True)
QUICK = Retry(initial_ms=100, max_attempts=2)


def steps(count: int, *, first: int = 0, stock: str = "item", **fields: Any) -> list[Node]:
    """That many forward steps, round robin over the services from `first`, all ordinary.

    `stock` names the resources: sagas with one of their own share it with no other.
    """
    return [step(first + n, f"{stock}-{n}.{{tenant}}", **fields) for n in range(count)]


def failing_at(count: int, position: int, *, stock: str = "item", **fields: Any) -> list[Node]:
    """`count` steps of which the one at `position` ends with a business failure."""
    nodes = steps(count, stock=stock, **fields)
    failing = nodes[position]
    assert isinstance(failing, Step)
    nodes[position] = step(position, failing.resource, behaviour=BUSINESS_FAILURE, **fields)
    return nodes
