"""The search for the knee, on platforms that are simulated: a knee, with noise around it."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.checks.capacity.knee import Interval, StepOutcome, Tried, interval_of
from harness.run.search import Bounds, Ending, Purpose, Try, next_try

HELD, FAILED = StepOutcome.HELD, StepOutcome.FAILED
UNDECIDED, GENERATOR = StepOutcome.UNDECIDED, StepOutcome.GENERATOR
Platform = Callable[[float], StepOutcome]
FREE_S = 1e9


@dataclass
class Ended:
    tried: list[Tried]
    purposes: list[Purpose]
    why: Ending
    spent_s: float

    @property
    def interval(self) -> Interval:
        return interval_of(self.tried)


def cost_s(step: Try) -> float:
    return 60.0 if step.purpose is Purpose.CONFIRM else 40.0 * step.times


def searched(platform: Platform, bounds: Bounds, budget_s: float = FREE_S) -> Ended:
    tried: list[Tried] = []
    purposes: list[Purpose] = []
    spent_s = 0.0
    for _ in range(500):
        step = next_try(bounds, tried, budget_s - spent_s, cost_s)
        if isinstance(step, Ending):
            return Ended(tried, purposes, step, spent_s)
        spent_s += cost_s(step)
        purposes.append(step.purpose)
        tried.append(Tried(rate_per_s=step.rate_per_s, outcome=platform(step.rate_per_s)))
    raise AssertionError("the search does not end")


def exact(knee: float) -> Platform:
    return lambda rate: HELD if rate <= knee else FAILED


def noisy(knee: float, rng: random.Random, spread: float, flips: float) -> Platform:
    """Around the knee a matter of chance, near it often undecided, and now and then a hiccup."""

    def step(rate: float) -> StepOutcome:
        above = math.log(rate / knee) / spread
        chance = rng.gauss(0, 1)
        if rng.random() < flips:
            return FAILED if rng.random() < 0.8 else HELD
        if abs(above + chance) < 0.3:
            return UNDECIDED
        return HELD if above + chance < 0 else FAILED

    return step


BOUNDS = Bounds(start_per_s=2.0, most_per_s=500.0)


@given(knee=st.floats(0.2, 400), start=st.floats(0.5, 20))
def test_without_noise_the_interval_holds_the_knee_and_is_as_narrow_as_asked(
    knee: float, start: float
) -> None:
    ended = searched(exact(knee), Bounds(start_per_s=start, most_per_s=500.0))
    found = ended.interval
    assert found.held_per_s is not None
    assert found.failed_per_s is not None
    assert found.held_per_s <= knee < found.failed_per_s
    assert found.failed_per_s / found.held_per_s <= BOUNDS.resolution * 1.001
    assert ended.why is Ending.RESOLVED
    assert found.held_sure
    assert found.failed_sure


@pytest.mark.parametrize(
    ("resolution", "spread", "flips"), [(1.1, 0.02, 0.0), (1.2, 0.04, 0.01), (1.2, 0.02, 0.03)]
)
def test_with_noise_the_interval_holds_the_knee_in_95_of_100(
    resolution: float, spread: float, flips: float
) -> None:
    """Where chance decides over a span of at most a fifth of the resolution."""
    rng = random.Random(7)
    bounds = Bounds(start_per_s=2.0, most_per_s=500.0, resolution=resolution)
    missed = 0
    for _ in range(1000):
        knee = math.exp(rng.uniform(math.log(0.5), math.log(200)))
        found = searched(noisy(knee, rng, spread, flips), bounds).interval
        low = found.held_per_s or 0.0
        high = math.inf if found.failed_per_s is None else found.failed_per_s
        missed += not low <= knee <= high
    assert missed <= 50


@given(
    budget_s=st.floats(0, 2000),
    seed=st.integers(0, 2**32),
    knee=st.floats(0.1, 1000),
)
def test_it_ends_within_its_budget(budget_s: float, seed: int, knee: float) -> None:
    ended = searched(noisy(knee, random.Random(seed), 0.1, 0.1), BOUNDS, budget_s)
    assert ended.spent_s <= budget_s


@given(st.lists(st.sampled_from([*StepOutcome]), max_size=80), st.floats(0, 3000))
@settings(max_examples=300)
def test_no_rate_is_said_to_have_held_without_most_of_its_steps(
    outcomes: list[StepOutcome], budget_s: float
) -> None:
    left = iter(outcomes)
    ended = searched(lambda _: next(left, UNDECIDED), BOUNDS, budget_s)
    low = ended.interval.held_per_s
    if low is not None:
        own = [each.outcome for each in ended.tried if each.rate_per_s == low]
        assert own.count(HELD) > own.count(FAILED)
        assert ended.interval.held_sure == (own.count(HELD) >= 2)
    high = ended.interval.failed_per_s
    if high is not None:
        own = [each.outcome for each in ended.tried if each.rate_per_s == high]
        assert own.count(FAILED) > own.count(HELD)


@given(st.integers(0, 2**32))
def test_no_rate_is_tried_beyond_the_greatest_or_more_often_than_told(seed: int) -> None:
    bounds = Bounds(start_per_s=2.0, most_per_s=30.0)
    ended = searched(noisy(25.0, random.Random(seed), 0.3, 0.2), bounds)
    rates = [each.rate_per_s for each in ended.tried]
    assert max(rates) <= 30.0
    assert max(rates.count(rate) for rate in rates) <= bounds.repeats + 2


def test_where_nothing_is_decided_nothing_is_said() -> None:
    ended = searched(lambda _: UNDECIDED, BOUNDS)
    assert ended.interval.held_per_s is None
    assert ended.interval.failed_per_s is None
    assert ended.why is Ending.OPEN


def test_a_step_that_decided_nothing_is_made_again_and_longer() -> None:
    tried: list[Tried] = []
    lengths = []
    for _ in range(3):
        step = next_try(BOUNDS, tried, FREE_S, cost_s)
        assert isinstance(step, Try)
        assert step.rate_per_s == BOUNDS.start_per_s
        lengths.append(step.times)
        tried.append(Tried(rate_per_s=step.rate_per_s, outcome=UNDECIDED))
    assert lengths == [1, 2, 3]


def test_the_ceiling_held() -> None:
    ended = searched(exact(1000), BOUNDS)
    assert ended.why is Ending.CEILING
    assert ended.interval.held_per_s == 500.0
    assert ended.interval.failed_per_s is None
    assert ended.interval.held_sure


def test_not_even_the_lowest_rate_held() -> None:
    ended = searched(lambda _: FAILED, BOUNDS)
    assert ended.why is Ending.FLOOR
    assert ended.interval.held_per_s is None
    assert ended.interval.failed_per_s == BOUNDS.least_per_s


def test_a_generator_that_does_not_keep_up_is_no_knee() -> None:
    ended = searched(lambda rate: HELD if rate <= 20 else GENERATOR, BOUNDS)
    assert ended.why is Ending.GENERATOR
    assert ended.interval.failed_per_s is None
    assert ended.interval.held_per_s is not None
    assert 18 < ended.interval.held_per_s <= 20
    assert ended.interval.generator_per_s is not None


def test_the_last_word_has_its_time_kept_back() -> None:
    ended = searched(exact(11), BOUNDS, budget_s=220)
    assert ended.why is Ending.BUDGET
    assert ended.interval.held_sure
    assert ended.purposes[-1] is Purpose.CONFIRM


def test_one_hiccup_at_a_low_rate_does_not_bound_it() -> None:
    hiccup = iter([FAILED])
    ended = searched(lambda rate: next(hiccup, HELD) if rate == 4.0 else exact(11)(rate), BOUNDS)
    assert ended.interval.held_per_s is not None
    assert ended.interval.held_per_s > 9.9


def test_votes_that_contradict_widen_the_interval() -> None:
    tried = [
        Tried(rate_per_s=rate, outcome=outcome)
        for rate, outcome in ((4, HELD), (8, FAILED), (10, HELD), (16, FAILED))
    ]
    found = interval_of(tried)
    assert (found.held_per_s, found.failed_per_s) == (4, 16)
    assert found.contradicted
