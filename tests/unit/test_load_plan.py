"""The plan of arrivals: fixed by its seed, at the rate asked for, fair to the tenants."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.load.plan import Plan, Spacing, Turns, make_plan, turns
from harness.load.shapes import Constant


def plan(rate_per_s: float, duration_s: float, spacing: Spacing = "even", seed: int = 1) -> Plan:
    return make_plan(Constant(mean_per_s=rate_per_s, duration_s=duration_s), spacing, [1], seed)


@given(st.integers(1, 500), st.integers(1, 20))
def test_even_arrivals_are_as_many_as_rate_and_duration_say(rate: int, duration: int) -> None:
    offsets = plan(rate, duration).offsets_ns
    assert len(offsets) == rate * duration
    assert offsets[0] == 0
    assert offsets[-1] < duration * 1e9
    gaps = {later - earlier for earlier, later in itertools.pairwise(offsets)}
    assert all(abs(gap - 1e9 / rate) <= 1 for gap in gaps)


def test_an_arrival_at_the_very_end_is_left_out() -> None:
    assert list(plan(0.3, 10).offsets_ns) == [0, 3_333_333_333, 6_666_666_667]
    assert len(plan(0.1, 10).offsets_ns) == 1


def test_poisson_arrivals_come_at_the_rate_in_the_mean_and_in_order() -> None:
    offsets = plan(100, 100, "poisson").offsets_ns
    assert abs(len(offsets) - 10_000) < 500  # five standard deviations
    assert list(offsets) == sorted(offsets)
    gaps = [later - earlier for earlier, later in itertools.pairwise(offsets)]
    longer = sum(gap > 1e7 for gap in gaps) / len(gaps)
    assert abs(longer - 0.3679) < 0.03  # of exponential gaps, 1/e are longer than the mean


def test_a_plan_is_fixed_by_its_seed() -> None:
    assert plan(50, 10, "poisson", 7) == plan(50, 10, "poisson", 7)
    assert plan(50, 10, "poisson", 7) != plan(50, 10, "poisson", 8)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_tenants_take_turns_by_weight(weights: list[int]) -> None:
    cycle = turns(weights)
    counted = Counter(cycle)
    assert [counted[i] * sum(weights) for i in range(len(weights))] == [
        weight * len(cycle) for weight in weights
    ]


def test_turns_are_well_mixed() -> None:
    assert turns([1, 1]) == [0, 1]
    assert turns([5, 5]) == [0, 1]
    assert turns([3, 1]) == [0, 0, 1, 0]
    assert Turns([1, 1]).at(9) == (1, 0)


@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=4),
    st.lists(st.integers(1, 5), min_size=1, max_size=4),
)
def test_every_tenant_has_the_whole_mix(tenants: list[int], operations: list[int]) -> None:
    whose = Turns(tenants, operations)
    rounds = sum(tenants) * sum(operations)
    counted = Counter(whose.at(index) for index in range(rounds))
    for tenant, weight in enumerate(tenants):
        for operation, part in enumerate(operations):
            assert counted[tenant, operation] == weight * part


@pytest.mark.parametrize("weights", [[], [0], [1, -1], [1001]])
def test_weights_that_mean_nothing_are_refused(weights: list[int]) -> None:
    with pytest.raises(UsageError, match="whole number from 1 to 1000"):
        turns(weights)


def test_a_plan_without_arrivals_is_refused() -> None:
    with pytest.raises(UsageError, match="no arrival"):
        plan(0.01, 1, "poisson")


def test_a_plan_that_is_too_large_is_refused() -> None:
    with pytest.raises(UsageError, match="more than a plan can hold"):
        plan(5000, 3600)
