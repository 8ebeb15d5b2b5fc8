"""The ratio of pairs: exact cuts, the coverage that is promised, and what is never answered."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy
import pytest
from numpy.random import Generator

from harness.paired import cut_of, ratio_of

Draw = Callable[[Generator, int], numpy.ndarray]


def normal(random: Generator, count: int) -> numpy.ndarray:
    return random.normal(0, 0.4, count)


def heavy(random: Generator, count: int) -> numpy.ndarray:
    return numpy.clip(random.standard_t(1.5, count), -300, 300)


def contaminated(random: Generator, count: int) -> numpy.ndarray:
    stalled = random.random(count) < 0.2
    return random.normal(0, 0.1, count) + stalled * random.normal(0, 3, count)


@pytest.mark.parametrize(
    ("pairs", "cut"), [(5, None), (6, 1), (7, 3), (8, 4), (10, 9), (12, 14), (20, 53)]
)
def test_the_cuts_are_those_of_the_tables(pairs: int, cut: int | None) -> None:
    """Two-sided critical values of the signed-rank test at 5 %, plus one."""
    assert cut_of(pairs, 0.05) == cut


@pytest.mark.parametrize("draw", [normal, heavy, contaminated])
@pytest.mark.parametrize("count", [6, 8, 12, 20])
def test_at_most_five_of_a_hundred_intervals_miss_the_true_ratio(draw: Draw, count: int) -> None:
    random, missed, runs = numpy.random.default_rng(20260711), 0, 3000
    for _ in range(runs):
        logs = math.log(1.3) + draw(random, count)
        found = ratio_of([(math.exp(each), 1.0) for each in logs], 0.95)
        assert found is not None
        missed += not found.lower <= 1.3 <= found.upper
    assert missed <= 0.05 * runs + 3 * math.sqrt(0.05 * 0.95 * runs)


@pytest.mark.parametrize("draw", [normal, contaminated])
def test_a_threefold_slowdown_is_seen_by_eight_pairs(draw: Draw) -> None:
    random, seen = numpy.random.default_rng(7), 0
    for _ in range(200):
        logs = math.log(3) + draw(random, 8)
        found = ratio_of([(math.exp(each), 1.0) for each in logs], 0.95)
        assert found is not None
        seen += found.lower > 1
    assert seen >= 120


def test_what_was_never_answered_in_noise_makes_the_ratio_infinite() -> None:
    found = ratio_of([(math.inf, 10.0)] * 6, 0.95)
    assert found is not None
    assert (found.lower, found.upper) == (math.inf, math.inf)


def test_one_such_pair_of_many_does_not_hide_the_others() -> None:
    found = ratio_of([(math.inf, 10.0), *[(20.0, 10.0)] * 9], 0.95)
    assert found is not None
    assert found.lower == pytest.approx(2.0)


def test_a_pair_that_was_never_answered_says_nothing() -> None:
    assert ratio_of([(math.inf, math.inf), *[(20.0, 10.0)] * 5], 0.95) is None


def test_swapping_the_pairs_turns_the_interval_round() -> None:
    pairs = [(12.0, 10.0), (30.0, 11.0), (15.0, 14.0), (9.0, 10.0), (22.0, 12.0), (18.0, 12.0)]
    one = ratio_of(pairs, 0.95)
    other = ratio_of([(b, a) for a, b in pairs], 0.95)
    assert one is not None
    assert other is not None
    assert one.lower == pytest.approx(1 / other.upper)
    assert one.value == pytest.approx(1 / other.value)
