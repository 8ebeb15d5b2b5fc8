"""The search for the knee: which rate is tried next, of what was tried. Nothing here runs anything.

The rate grows by a factor until a step does not hold, then the gap is halved (in its logarithm)
down to the resolution. An edge of the interval that rests on one step is tried again, and a third
time where the two disagree. A step that decided nothing is made again, longer each time; what
remains undecided after `repeats` is left open, and said. The time for the last word on the rate
that held is kept back of the budget.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from harness.checks.capacity.knee import (
    Interval,
    StepOutcome,
    Tried,
    interval_of,
    standing,
    votes,
)

DIGITS: Final = 4


class Purpose(enum.StrEnum):
    """Why a step is made."""

    SEARCH = "search"
    CONFIRM = "confirm"
    SATURATE = "saturate"  # more is offered than is carried, to see how much is


class Ending(enum.StrEnum):
    """Why a search ended."""

    RESOLVED = "the interval is as narrow as asked"
    BUDGET = "the time was spent"
    CEILING = "the highest rate that may be tried held"
    FLOOR = "the lowest rate that is tried did not hold"
    OPEN = "the rates between stayed undecided"
    GENERATOR = "the generator does not keep up with a higher rate"
    SATURATED = "more was offered than is carried"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Where to begin, which rates may be tried, how narrow the interval is to be (a ratio above
    1), how often a rate is tried at most, and how the rate grows."""

    start_per_s: float
    most_per_s: float
    least_per_s: float = 0.05
    resolution: float = 1.1
    repeats: int = 3
    factor: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """The next step; `times` as long as usual, where shorter ones decided nothing."""

    rate_per_s: float
    purpose: Purpose
    times: int = 1


def next_try(
    bounds: Bounds, tried: Sequence[Tried], left_s: float, cost_s: Callable[[Try], float]
) -> Try | Ending:
    """The next step, or why there is none. `cost_s` is the longest that a step takes."""
    wanted = _wanted(bounds, tried)
    found = interval_of(tried)
    last_word = _again(bounds, tried, found.held_per_s, found.held_sure)
    if isinstance(wanted, Ending) or wanted == last_word:
        return wanted if isinstance(wanted, Ending) or cost_s(wanted) <= left_s else Ending.BUDGET
    kept_s = cost_s(last_word) if last_word else 0.0
    if cost_s(wanted) + kept_s <= left_s:
        return wanted
    other_word = _again(bounds, tried, found.failed_per_s, found.failed_sure)
    for word in (last_word, other_word):
        if word and cost_s(word) <= left_s:
            return word
    return Ending.BUDGET


def _wanted(bounds: Bounds, tried: Sequence[Tried]) -> Try | Ending:
    """What would be tried next if there were time without end."""
    if not tried:
        return _search(bounds, bounds.start_per_s)
    if again := _repeated(bounds, tried):
        return again
    found = interval_of(tried)
    ending = Ending.RESOLVED
    for low, high in _gaps(tried, found):
        if math.isinf(high):
            more = _grown(bounds, tried, low)
            if isinstance(more, Try):
                return more
            ending = more
        elif low <= 0:
            if high == bounds.start_per_s and len(tried) == 1:
                return _search(bounds, high)  # a platform that has just begun may have hiccups
            if high <= bounds.least_per_s:
                ending = Ending.FLOOR
            else:
                return _search(bounds, max(bounds.least_per_s, high / bounds.factor))
        elif high / low > bounds.resolution:
            middle = _search(bounds, math.sqrt(low * high))
            if low < middle.rate_per_s < high:
                return middle
    if ending is Ending.RESOLVED and found.open_rates:
        ending = Ending.OPEN
    for edge, is_sure in (
        (found.failed_per_s, found.failed_sure),
        (found.held_per_s, found.held_sure),
    ):
        if again := _again(bounds, tried, edge, is_sure):
            return again
    return ending


def _repeated(bounds: Bounds, tried: Sequence[Tried]) -> Try | None:
    """The last rate again, if its steps do not say what it is and another one may."""
    rate = tried[-1].rate_per_s
    outcomes = votes(tried)[rate]
    held, failed = (outcomes.count(each) for each in (StepOutcome.HELD, StepOutcome.FAILED))
    stands = standing(outcomes)
    if held and failed:
        again = stands is StepOutcome.UNDECIDED and min(held, failed) == 1
        most = bounds.repeats + 2  # as many as it takes to outvote one
    else:
        again = not held and not failed
        most = bounds.repeats - 1 if stands is StepOutcome.GENERATOR else bounds.repeats
    if not again or len(outcomes) >= most:
        return None
    undecided = outcomes.count(StepOutcome.UNDECIDED)
    return _search(bounds, rate, times=1 + undecided)


def _gaps(tried: Sequence[Tried], found: Interval) -> list[tuple[float, float]]:
    """From the rate that held to the next that was tried, and from the last one before the rate
    that did not hold to that one; what lies between stayed undecided."""
    low = found.held_per_s or 0.0
    high = math.inf if found.failed_per_s is None else found.failed_per_s
    between = [rate for rate in votes(tried) if low < rate < high]
    return [(low, between[0]), (between[-1], high)] if between else [(low, high)]


def _grown(bounds: Bounds, tried: Sequence[Tried], low: float) -> Try | Ending:
    """A higher rate than all that were tried."""
    by_rate = votes(tried)
    generator = [r for r, each in by_rate.items() if standing(each) is StepOutcome.GENERATOR]
    if any(rate >= low for rate in generator):
        return Ending.GENERATOR
    if low >= bounds.most_per_s:
        held = standing(by_rate[low]) is StepOutcome.HELD
        return Ending.CEILING if held else Ending.OPEN
    return _search(bounds, min(bounds.most_per_s, low * bounds.factor))


def _again(bounds: Bounds, tried: Sequence[Tried], rate: float | None, is_sure: bool) -> Try | None:
    """An edge once more, unless enough steps agree on it or it was tried too often."""
    if rate is None or is_sure or len(votes(tried)[rate]) >= bounds.repeats + 2:
        return None
    return Try(rate_per_s=rate, purpose=Purpose.CONFIRM)


def _search(bounds: Bounds, rate: float, times: int = 1) -> Try:
    rounded = min(bounds.most_per_s, float(f"{rate:.{DIGITS}g}"))
    return Try(rate_per_s=rounded, purpose=Purpose.SEARCH, times=times)
