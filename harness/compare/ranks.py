"""Exact rank statistics of two small groups: Mann and Whitney's test, Hodges and Lehmann's shift.

No distribution is assumed but that, where nothing changed, any division of the values into the two
groups is as likely as any other. Values may be infinite (a percentile that lies among requests that
were never answered); two infinite ones are equal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from statistics import median
from typing import NamedTuple


class Shift(NamedTuple):
    """How far one group lies above another: estimate and interval."""

    estimate: float
    low: float
    high: float


def chance_of_higher(group: Sequence[float], other: Sequence[float]) -> float:
    """How likely a group lies by chance as far above another as this one, or farther.

    The exact one-sided probability of Mann and Whitney's test, ties as they are.
    """
    ranks = _doubled_ranks([*group, *other])
    chances = _sums_of_ranks(tuple(sorted(ranks)), len(group))
    return min(1.0, math.fsum(chances[sum(ranks[: len(group)]) :]))


def least_chance(sizes: tuple[int, int]) -> float:
    """The smallest probability that two groups of these sizes can ever show."""
    return 1 / math.comb(sum(sizes), sizes[0])


def shift(group: Sequence[float], other: Sequence[float], risk: float) -> Shift:
    """How far `group` lies above `other`: the median of all differences, and an interval.

    Each end of the interval is wrong with at most the probability `risk`; it is infinite where so
    few values allow no such statement.
    """
    differences = sorted(difference(a, b) for a in group for b in other)
    beyond = _rank_of_bound(len(group), len(other), risk)
    low, high = -math.inf, math.inf
    if beyond:
        low, high = differences[beyond - 1], differences[-beyond]
    return Shift(_middle(differences), low, high)


def difference(one: float, other: float) -> float:
    """How far one value lies above another; equal ones, infinite as well, not at all."""
    return 0.0 if one == other else one - other


def holm(chances: Sequence[float]) -> list[float]:
    """Each probability as one of a family (Holm, 1979): at most that any one of them misleads."""
    order = sorted(range(len(chances)), key=lambda number: chances[number])
    adjusted, highest = [0.0] * len(chances), 0.0
    for place, number in enumerate(order):
        highest = max(highest, (len(chances) - place) * chances[number])
        adjusted[number] = min(1.0, highest)
    return adjusted


def _middle(ordered: Sequence[float]) -> float:
    """The median, also where the two in the middle are infinite."""
    low, high = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    return low if low == high else median(ordered)


def _doubled_ranks(values: Sequence[float]) -> list[int]:
    """Twice the rank of each value from 1 on; equal values share the mean of their ranks."""
    ordered = sorted(values)
    first = {value: number for number, value in reversed(list(enumerate(ordered)))}
    last = {value: number for number, value in enumerate(ordered)}
    return [first[value] + last[value] + 2 for value in values]


@lru_cache(1024)
def _sums_of_ranks(ranks: tuple[int, ...], size: int) -> list[float]:
    """The probability of each sum of `size` of these ranks, drawn without looking."""
    import numpy

    ways = numpy.zeros((size + 1, sum(ranks) + 1))
    ways[0, 0] = 1
    for rank in ranks:
        ways[1:, rank:] += ways[:-1, : ways.shape[1] - rank].copy()
    chances: list[float] = (ways[size] / math.comb(len(ranks), size)).tolist()
    return chances


def _rank_of_bound(size: int, other: int, risk: float) -> int:
    """Which difference, in order, bounds the shift; 0 for none."""
    chances = _sums_of_ranks(tuple(range(1, size + other + 1)), size)
    lowest = size * (size + 1) // 2  # the sum of ranks where no difference is positive
    total, rank = 0.0, 0
    while (total := total + chances[lowest + rank]) <= risk:
        rank += 1
    return rank
