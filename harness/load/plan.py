"""The plan of arrivals: when each saga is meant to start and for whom, fixed before the run.

A shape says how many arrivals are expected by a moment and, inversely, by when a number of them is
expected. Evenly spaced arrivals are the inverse at 0, 1, 2, …; Poisson arrivals are the inverse at
the points of a Poisson process of rate 1. The shapes there are lie in `shapes.py`.
"""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal, Protocol, get_args

from harness.errors import UsageError

MOST_ARRIVALS: Final = 10_000_000
MOST_WEIGHT: Final = 1_000

Spacing = Literal["even", "poisson"]
SPACINGS: Final[tuple[Spacing, ...]] = get_args(Spacing)


class Shape(Protocol):
    """How the expected number of arrivals grows over a run of `duration_s`."""

    @property
    def duration_s(self) -> float:
        """The length of the run."""
        ...

    def expected(self, until_s: float) -> float:
        """How many arrivals are expected before `until_s`; 0 at 0, never falling."""
        ...

    def moment_s(self, count: float) -> float:
        """When `count` arrivals are expected to have happened: the inverse of `expected`."""
        ...


@dataclass(frozen=True)
class Turns:
    """Whose turn an arrival is: positions in the lists of tenants and of operations.

    `tenants` and `operations` are the weights. Tenants take turns by theirs, and each tenant's
    operations by theirs, so that every tenant has the whole mix. Raises `UsageError` for weights
    that are no whole numbers from 1 to `MOST_WEIGHT`.
    """

    tenants: Sequence[int]
    operations: Sequence[int] = (1,)

    def __post_init__(self) -> None:
        self._cycles  # noqa: B018 - wrong weights are told at once

    def at(self, index: int) -> tuple[int, int]:
        """(tenant, operation) of the arrival with this index."""
        tenants, earlier, of_a_cycle, operations = self._cycles
        cycle, place = divmod(index, len(tenants))
        tenant = tenants[place]
        number = cycle * of_a_cycle[tenant] + earlier[place]
        return tenant, operations[number % len(operations)]

    @cached_property
    def _cycles(self) -> tuple[list[int], list[int], list[int], list[int]]:
        """The tenants' cycle, how often each had its turn before in it and in all, and the
        operations' cycle."""
        cycle, earlier, count = turns(self.tenants), [], [0] * len(self.tenants)
        for tenant in cycle:
            earlier.append(count[tenant])
            count[tenant] += 1
        return cycle, earlier, count, turns(self.operations)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Arrivals in their order: intended offsets from the beginning, and whose turn each is.

    Arrival i is meant for `offsets_ns[i]`, and for the tenant and the operation of `turns.at(i)`.
    """

    offsets_ns: array[int]
    turns: Turns

    def __len__(self) -> int:
        return len(self.offsets_ns)


def make_plan(
    shape: Shape,
    spacing: Spacing,
    weights: Sequence[int],
    seed: int,
    operations: Sequence[int] = (1,),
) -> Plan:
    """The plan of a shape; the same arguments give the same plan.

    `weights` and `operations` are the shares of tenants and operations, in whole parts. Raises
    `UsageError` for a plan that would be empty or hold more than `MOST_ARRIVALS`.
    """
    expected = shape.expected(shape.duration_s)
    if expected > MOST_ARRIVALS:
        raise UsageError(
            f"{expected:,.0f} arrivals are more than a plan can hold ({MOST_ARRIVALS:,}): "
            "lower the rate or shorten the duration"
        )
    counts = _even(expected) if spacing == "even" else _poisson(expected, random.Random(seed))
    offsets = array("q", (round(shape.moment_s(count) * 1e9) for count in counts))
    if not offsets:
        raise UsageError(
            f"the plan of seed {seed} has no arrival: raise the rate or lengthen the duration"
        )
    return Plan(offsets_ns=offsets, turns=Turns(weights, operations))


def turns(weights: Sequence[int]) -> list[int]:
    """One cycle of smooth weighted round robin: each tenant its weight of times, well mixed.

    Raises `UsageError` for weights that are no whole numbers from 1 to `MOST_WEIGHT`.
    """
    if not weights or not all(1 <= weight <= MOST_WEIGHT for weight in weights):
        raise UsageError(
            f"weights {list(weights)}: give each tenant a whole number from 1 to {MOST_WEIGHT}"
        )
    divisor = math.gcd(*weights)
    shares = [weight // divisor for weight in weights]
    credit = [0] * len(shares)
    cycle = []
    for _ in range(sum(shares)):
        credit = [have + share for have, share in zip(credit, shares, strict=True)]
        turn = credit.index(max(credit))
        credit[turn] -= sum(shares)
        cycle.append(turn)
    return cycle


def _even(expected: float) -> Iterator[float]:
    # a run of 10 s at 0.3/s has arrivals at 0, 3.3, 6.7 s: what lies at its very end is left out
    return (float(count) for count in range(math.ceil(round(expected, 6))))


def _poisson(expected: float, random_numbers: random.Random) -> Iterator[float]:
    count = random_numbers.expovariate(1.0)
    while count < expected:
        yield count
        count += random_numbers.expovariate(1.0)
