"""The order of outcomes and the exit codes."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import errors
from harness.outcome import (
    COUNTING_LEVELS,
    EXIT_FAIL,
    EXIT_INCONCLUSIVE,
    EXIT_PASS,
    Outcome,
    exit_code,
    worst,
)

PASS, INCONCLUSIVE, FAIL = Outcome.PASS, Outcome.INCONCLUSIVE, Outcome.FAIL
OUTSIDE = (Outcome.NOT_APPLICABLE, Outcome.WAIVED, Outcome.ATTESTED)
outcomes = st.sampled_from(list(Outcome))


@pytest.mark.parametrize("order", list(permutations((PASS, INCONCLUSIVE, FAIL))))
def test_the_worst_wins_in_whatever_order_they_come(order: tuple[Outcome, ...]) -> None:
    assert worst(order) is FAIL
    assert worst(each for each in order if each is not FAIL) is INCONCLUSIVE


@given(st.lists(outcomes), st.lists(outcomes))
def test_more_outcomes_never_make_it_better(some: list[Outcome], more: list[Outcome]) -> None:
    order = [PASS, INCONCLUSIVE, FAIL]
    if any(each in order for each in some):
        assert order.index(worst([*some, *more])) >= order.index(worst(some))


@given(st.lists(outcomes))
def test_nothing_is_a_pass_but_passes(found: list[Outcome]) -> None:
    if worst(found) is PASS:
        assert {*found} <= {PASS, *OUTSIDE}
        assert PASS in found


@pytest.mark.parametrize("outside", OUTSIDE)
def test_what_stands_outside_the_order_turns_nothing_green_or_red(outside: Outcome) -> None:
    assert worst([outside]) is INCONCLUSIVE
    for each in (PASS, INCONCLUSIVE, FAIL):
        assert worst([outside, each, outside]) is each


def test_nothing_at_all_is_inconclusive() -> None:
    assert worst([]) is INCONCLUSIVE
    assert exit_code([]) == EXIT_INCONCLUSIVE


@pytest.mark.parametrize(
    ("outcome", "code"), [(PASS, EXIT_PASS), (FAIL, EXIT_FAIL), (INCONCLUSIVE, EXIT_INCONCLUSIVE)]
)
@pytest.mark.parametrize("level", ["M", "N"])
def test_each_outcome_that_counts_has_its_exit_code(
    level: str, outcome: Outcome, code: int
) -> None:
    assert exit_code([("M", PASS), (level, outcome)]) == code


def test_the_exit_codes_are_those_that_are_documented() -> None:
    assert (EXIT_PASS, EXIT_FAIL, EXIT_INCONCLUSIVE) == (0, 1, 2)
    assert (errors.EXIT_USAGE, errors.EXIT_UNAVAILABLE, errors.EXIT_BUG) == (64, 69, 70)


def test_informative_assertions_are_shown_and_decide_nothing() -> None:
    assert "I" not in COUNTING_LEVELS
    assert exit_code([("M", PASS), ("I", FAIL)]) == EXIT_PASS
    assert exit_code([("I", PASS)]) == EXIT_INCONCLUSIVE


def test_every_error_of_ours_ends_with_one_of_the_exit_codes() -> None:
    kinds = [
        each
        for each in vars(errors).values()
        if isinstance(each, type) and issubclass(each, errors.HarnessError)
    ]
    told = {each.exit_code for each in kinds if each is not errors.TargetGone}
    assert told == {64, 69, 70}
    assert {k.__name__ for k in kinds if k.exit_code == 70} == {"HarnessError", "DriveError"}
