"""The exact rank test against the printed tables, and what belongs to it."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.compare.ranks import (
    chance_of_higher,
    difference,
    holm,
    least_chance,
    shift,
)


def separated(below: int, size: int, other: int) -> tuple[list[float], list[float]]:
    """Two groups of which `below` pairs are the wrong way round: U = `below`."""
    low, high = [float(n) for n in range(other)], [float(n) + 1000 for n in range(size)]
    whole, part = divmod(below, other)
    for number in range(whole):
        high[number] = -1.0 - number
    if part:
        high[whole] = other - part - 0.5
    return high, low


# The greatest U of a one-sided test at 5 and at 1 of 100, from the published tables of Mann and
# Whitney's test.
TABLE = [
    (3, 3, 0, None),
    (4, 4, 1, None),
    (5, 5, 4, 1),
    (5, 4, 2, 0),
    (6, 6, 7, 3),
    (7, 7, 11, 6),
    (8, 8, 15, 9),
    (8, 5, 8, 4),
    (9, 9, 21, 14),
    (10, 10, 27, 19),
    (20, 20, 138, 114),
]


@pytest.mark.parametrize(("size", "other", "at_5", "at_1"), TABLE)
def test_the_critical_values_are_the_published_ones(
    size: int, other: int, at_5: int, at_1: int | None
) -> None:
    assert chance_of_higher(*separated(at_5, size, other)) <= 0.05
    assert chance_of_higher(*separated(at_5 + 1, size, other)) > 0.05
    if at_1 is None:
        assert least_chance((size, other)) > 0.01
    else:
        assert chance_of_higher(*separated(at_1, size, other)) <= 0.01
        assert chance_of_higher(*separated(at_1 + 1, size, other)) > 0.01


def test_five_runs_that_all_lie_above_five_others_are_one_of_252() -> None:
    assert chance_of_higher([6, 7, 8, 9, 10], [1, 2, 3, 4, 5]) == pytest.approx(1 / 252)
    assert least_chance((5, 5)) == 1 / 252


values = st.lists(st.integers(0, 4).map(float), min_size=1, max_size=4)


@given(values, values)
def test_ties_are_counted_as_every_division_of_the_values_shows(
    group: list[float], other: list[float]
) -> None:
    def above(some: tuple[float, ...], rest: list[float]) -> float:
        return sum((a > b) + (a == b) / 2 for a in some for b in rest)

    pooled = group + other
    seen = above(tuple(group), other)
    at_least = total = 0
    for chosen in itertools.combinations(range(len(pooled)), len(group)):
        some = tuple(pooled[n] for n in chosen)
        rest = [pooled[n] for n in range(len(pooled)) if n not in chosen]
        at_least += above(some, rest) >= seen
        total += 1
    assert chance_of_higher(group, other) == pytest.approx(at_least / total)


def test_groups_that_are_all_alike_show_nothing() -> None:
    assert chance_of_higher([1.0] * 5, [1.0] * 5) == 1.0
    assert shift([1.0] * 5, [1.0] * 5, 0.05) == (0.0, 0.0, 0.0)


def test_infinite_values_rank_highest_and_are_equal() -> None:
    never = math.inf
    assert chance_of_higher([never] * 5, [1, 2, 3, 4, 5]) == pytest.approx(1 / 252)
    assert shift([never] * 5, [never] * 5, 0.05) == (0.0, 0.0, 0.0)
    assert shift([never] * 5, [1, 2, 3, 4, 5], 0.05).estimate == never
    assert difference(never, never) == 0.0


def test_the_shift_is_the_median_of_all_differences() -> None:
    moved = shift([12.0, 14.0], [1.0, 2.0, 5.0], 0.05)
    assert moved.estimate == 10.5  # of 7, 9, 10, 11, 12, 13
    assert (moved.low, moved.high) == (-math.inf, math.inf)


def test_the_interval_leaves_out_as_many_differences_as_the_test_does() -> None:
    """Five runs a side: U of 4 is significant at 5 of 100, so the fifth difference bounds it."""
    group, other = [1.0, 7.0, 31.0, 127.0, 511.0], [0.0, 2.0, 4.0, 8.0, 16.0]
    differences = sorted(a - b for a in group for b in other)
    assert shift(group, other, 0.05)[1:] == (differences[4], differences[-5])
    assert shift(group, other, 0.01)[1:] == (differences[1], differences[-2])


@given(
    st.lists(st.floats(-100, 100), min_size=4, max_size=7, unique=True),
    st.lists(st.floats(-100, 100), min_size=4, max_size=7, unique=True),
)
def test_the_interval_excludes_no_shift_exactly_where_the_test_sees_one(
    group: list[float], other: list[float]
) -> None:
    if not set(group).isdisjoint(other):
        return
    assert (shift(group, other, 0.05).low > 0) == (chance_of_higher(group, other) <= 0.05)


def test_holm_asks_the_more_of_the_first_the_more_there_are() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []
