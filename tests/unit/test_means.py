"""Means with bounds, against tables and by trying."""

from __future__ import annotations

import random

import pytest

from harness.means import line_of, mean_of, t_quantile, values_needed


@pytest.mark.parametrize(
    ("freedom", "share", "tabled"),
    [(1, 0.95, 6.3138), (2, 0.95, 2.92), (3, 0.975, 3.1824), (4, 0.95, 2.1318), (9, 0.95, 1.8331),
     (10, 0.975, 2.2281), (29, 0.95, 1.6991), (30, 0.99, 2.4573), (200, 0.95, 1.6525)],
)  # fmt: skip
def test_quantiles_are_those_of_the_tables(freedom: int, share: float, tabled: float) -> None:
    assert t_quantile(freedom, share) == pytest.approx(tabled, abs=6e-5)


@pytest.mark.parametrize(("freedom", "share"), [(0, 0.9), (3, 0.5), (3, 1.0)])
def test_what_has_no_quantile_is_said(freedom: int, share: float) -> None:
    with pytest.raises(ValueError, match="no quantile"):
        t_quantile(freedom, share)


def test_the_bounds_of_a_mean_are_symmetrical() -> None:
    mean = mean_of([1.0, 2.0, 3.0, 4.0], 0.95)
    assert mean.value == 2.5
    assert mean.deviation == pytest.approx(1.290994)
    assert mean.upper - 2.5 == pytest.approx(2.3534 * 1.290994 / 2, abs=1e-3)
    assert mean.upper - 2.5 == pytest.approx(2.5 - mean.lower)


def test_one_value_has_no_bounds() -> None:
    with pytest.raises(ValueError, match="1 values"):
        mean_of([1.0], 0.95)


def test_a_bound_is_wrong_as_often_as_it_may() -> None:
    chance = random.Random(1)
    wrong = sum(
        mean_of([chance.gauss(100, 15) for _ in range(10)], 0.95).upper < 100 for _ in range(4000)
    )
    assert 0.04 < wrong / 4000 < 0.06


def test_as_many_values_as_are_needed_do() -> None:
    chance = random.Random(2)
    few = mean_of([chance.gauss(100, 15) for _ in range(20)], 0.95)
    needed = values_needed(few, few.value + 2, 0.95)
    assert needed is not None
    many = mean_of([few.value + chance.gauss(0, few.deviation) for _ in range(needed)], 0.95)
    assert many.half < 2.3
    assert values_needed(few, few.value, 0.95) is None


def test_a_line_is_found_again() -> None:
    line = line_of([(x, 300.0 + 70.0 * x) for x in (1, 2, 4, 8)], 0.95)
    assert line is not None
    assert (line.base, line.slope) == (pytest.approx(300), pytest.approx(70))
    assert line.slope_lower == pytest.approx(70)


def test_the_slope_lies_within_its_bounds() -> None:
    chance = random.Random(3)
    points = [(x, 300 + 70 * x + chance.gauss(0, 10)) for x in range(40)]
    line = line_of(points, 0.95)
    assert line is not None
    assert line.slope_lower < 70 < line.slope_upper


@pytest.mark.parametrize("points", [[], [(1.0, 1.0), (2.0, 2.0)], [(4.0, 1.0)] * 9])
def test_too_few_or_all_alike_make_no_line(points: list[tuple[float, float]]) -> None:
    assert line_of(points, 0.95) is None
