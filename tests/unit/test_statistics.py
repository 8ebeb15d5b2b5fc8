"""Percentiles and bounds are exact: against brute force, against fractions, and at known points."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from harness.statistics import (
    at_least,
    at_most,
    exactly,
    lower_rank,
    lower_share,
    percentile,
    percentile_rank,
    samples_needed,
    samples_needed_at,
    upper_rank,
    upper_share,
)

counts = st.integers(1, 120)
shares = st.sampled_from([0.001, 0.05, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999])
confidences = st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99, 0.999])


def _exactly(successes: int, samples: int, share: float) -> Fraction:
    p = Fraction(repr(share))
    return math.comb(samples, successes) * p**successes * (1 - p) ** (samples - successes)


def _tails(samples: int, share: float) -> list[Fraction]:
    """The probabilities of at least 0, 1, …, `samples` successes."""
    points = [_exactly(k, samples, share) for k in range(samples, -1, -1)]
    return list(itertools.accumulate(points))[::-1]


@given(st.lists(st.integers(0, 50), min_size=1), st.integers(1, 100))
def test_percentile_is_the_smallest_value_with_the_share_at_or_below_it(
    values: list[int], percent: int
) -> None:
    ordered = sorted(values)
    found = percentile(ordered, percent / 100)
    wanted = [
        value
        for value in ordered
        if sum(other <= value for other in ordered) * 100 >= percent * len(ordered)
    ]
    assert found == wanted[0]


def test_percentile_reads_a_share_as_its_decimal() -> None:
    """0.07 * 100 is a little over 7 in floating point; the 7th of 100 is meant."""
    assert percentile_rank(100, 0.07) == 7
    assert percentile_rank(1000, 0.95) == 950
    assert percentile_rank(1001, 0.95) == 951


def test_no_samples_have_no_percentile() -> None:
    with pytest.raises(ValueError, match="no samples"):
        percentile([], 0.95)


@settings(max_examples=60, deadline=None)
@given(counts, shares, st.data())
def test_binomial_tails_are_exact(samples: int, share: float, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, samples))
    tails = [*_tails(samples, share), Fraction(0)]
    tail, above = float(tails[successes]), float(tails[successes + 1])
    assert at_least(successes, samples, share) == pytest.approx(tail, abs=1e-12)
    assert at_most(successes, samples, share) == pytest.approx(1 - above, abs=1e-12)


@pytest.mark.parametrize("successes", [4_700, 4_750, 4_800, 4_999, 5_000])
def test_a_point_of_a_large_sample_is_exact_to_twelve_digits(successes: int) -> None:
    wanted = float(_exactly(successes, 5_000, 0.95))
    assert exactly(successes, 5_000, 0.95, 1 - 0.95) == pytest.approx(wanted, rel=1e-11)


def test_ten_million_samples_sum_to_one() -> None:
    """No digits are lost to the size of the factorials."""
    samples, share = 10_000_000, 0.95
    low, high = 9_490_000, 9_510_000
    total = math.fsum(exactly(k, samples, share, 0.05) for k in range(low, high))
    assert total == pytest.approx(1.0, abs=1e-10)


@settings(max_examples=60, deadline=None)
@given(counts, shares, confidences)
def test_upper_rank_is_the_first_that_holds(samples: int, share: float, confidence: float) -> None:
    risk = Fraction(1) - Fraction(repr(confidence))
    chances = _tails(samples, share)[1:]
    assume(all(abs(chance - risk) > Fraction(1, 10**12) for chance in chances))
    wanted = [rank for rank, chance in enumerate(chances, 1) if chance <= risk]
    assert upper_rank(samples, share, confidence) == (wanted[0] if wanted else None)


@settings(max_examples=60, deadline=None)
@given(counts, shares, confidences)
def test_lower_rank_is_the_last_that_holds(samples: int, share: float, confidence: float) -> None:
    level = Fraction(repr(confidence))
    chances = _tails(samples, share)[1:]
    assume(all(abs(chance - level) > Fraction(1, 10**12) for chance in chances))
    wanted = [rank for rank, chance in enumerate(chances, 1) if chance >= level]
    assert lower_rank(samples, share, confidence) == (wanted[-1] if wanted else None)


def test_fifty_nine_samples_are_the_fewest_that_bound_a_95th_percentile() -> None:
    assert upper_rank(58, 0.95, 0.95) is None
    assert upper_rank(59, 0.95, 0.95) == 59
    assert upper_rank(1, 0.95, 0.95) is None
    assert lower_rank(1, 0.9, 0.95) is None
    assert lower_rank(2, 0.95, 0.95) == 1


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 60), confidences, st.data())
def test_bounds_of_a_share_are_where_the_tail_has_the_risk(
    samples: int, confidence: float, data: st.DataObject
) -> None:
    successes = data.draw(st.integers(0, samples))
    lower = lower_share(successes, samples, confidence)
    upper = upper_share(successes, samples, confidence)
    assert 0 <= lower <= upper <= 1
    risk = 1 - confidence
    if successes:
        tail = float(_tails(samples, lower)[successes])
        assert tail == pytest.approx(risk, abs=1e-9)
    else:
        assert lower == 0
    if successes < samples:
        below = 1 - float(_tails(samples, upper)[successes + 1])
        assert below == pytest.approx(risk, abs=1e-9)
    else:
        assert upper == 1


def test_known_bounds_of_a_share() -> None:
    """Clopper and Pearson's closed forms at the ends, and a textbook value between."""
    assert lower_share(100, 100, 0.95) == pytest.approx(0.05 ** (1 / 100), abs=1e-12)
    assert upper_share(0, 100, 0.95) == pytest.approx(1 - 0.05 ** (1 / 100), abs=1e-12)
    assert lower_share(8, 10, 0.95) == pytest.approx(0.4930987, abs=1e-7)


@pytest.mark.parametrize(("failures", "samples"), [(0, 2_995), (1, 4_742), (5, 10_511)])
def test_samples_that_prove_three_nines(failures: int, samples: int) -> None:
    assert samples_needed(0.999, 0.95, failures) == samples
    assert lower_share(samples - failures, samples, 0.95) >= 0.999
    assert lower_share(samples - 1 - failures, samples - 1, 0.95) < 0.999


def test_nothing_proves_a_share_of_one() -> None:
    assert samples_needed(1.0, 0.95) is None


@settings(max_examples=30, deadline=None)
@given(st.sampled_from([0.5, 0.9, 0.95]), confidences, st.integers(0, 20))
def test_samples_needed_are_the_fewest(minimum: float, confidence: float, failures: int) -> None:
    needed = samples_needed(minimum, confidence, failures)
    assert needed is not None
    assert lower_share(needed - failures, needed, confidence) >= minimum - 1e-12
    if needed > failures + 1:
        fewer = needed - 1
        assert lower_share(fewer - failures, fewer, confidence) < minimum + 1e-12


@pytest.mark.parametrize("failing", [Fraction(0), Fraction(1, 100), Fraction(3, 100)])
def test_samples_needed_when_a_share_goes_on_failing(failing: Fraction) -> None:
    needed = samples_needed_at(0.95, 0.95, failing)
    assert needed is not None
    failures = math.ceil(failing * needed)
    assert lower_share(needed - failures, needed, 0.95) >= 0.95
    fewest = next(
        n for n in range(1, needed + 1) if lower_share(n - math.ceil(failing * n), n, 0.95) >= 0.95
    )
    assert needed <= 1.01 * fewest


def test_a_share_that_fails_too_often_is_never_proven() -> None:
    assert samples_needed_at(0.95, 0.95, Fraction(5, 100)) is None
    assert samples_needed_at(0.95, 0.95, Fraction(6, 100)) is None
