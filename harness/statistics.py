"""Exact statistics of raw samples: percentiles, and bounds that hold at a stated confidence.

Everything rests on the binomial distribution of independent samples, computed by Loader's
saddle-point expansion ("Fast and Accurate Computation of Binomial Probabilities", 2000): no
normal approximation, relative error below 1e-12 up to ten million samples. All bounds are
one-sided and conservative, for every distribution, with or without ties.

Shares and confidences lie strictly between 0 and 1 unless said otherwise; a confidence of 0.95
means that the statement is wrong in at most 5 of 100 repetitions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Final, TypeVar

T = TypeVar("T")

PERCENTILE_METHOD: Final = "nearest rank"
MOST_SAMPLES: Final = 10_000_000
_TWO_PI: Final = 2 * math.pi
_BISECTIONS: Final = 60


def percentile(ordered: Sequence[T], share: float) -> T:
    """The nearest-rank percentile: the smallest value with at least `share` at or below it.

    `ordered` ascends; nothing is interpolated, so the answer is one of the samples. Raises
    `ValueError` without samples.
    """
    return ordered[percentile_rank(len(ordered), share) - 1]


def percentile_rank(samples: int, share: float) -> int:
    """The rank (from 1) of the nearest-rank percentile in an ordered sample.

    `share` is read as the decimal that it prints as: 0.07 of 100 samples are 7. Raises
    `ValueError` without samples.
    """
    if samples < 1:
        raise ValueError("no samples, so no percentile")
    return max(1, math.ceil(Fraction(repr(share)) * samples))


def upper_rank(samples: int, share: float, confidence: float) -> int | None:
    """The rank (from 1) of the ordered sample that bounds the `share`-quantile from above.

    None where there are too few samples for any bound.
    """
    risk = 1 - confidence
    rank = _first(1, samples + 1, lambda k: at_least(k, samples, share) <= risk)
    return rank if rank <= samples else None


def lower_rank(samples: int, share: float, confidence: float) -> int | None:
    """The rank (from 1) of the ordered sample that bounds the `share`-quantile from below.

    None where there are too few samples for any bound.
    """
    risk = 1 - confidence
    beyond = _first(1, samples + 1, lambda k: at_most(k - 1, samples, share) > risk)
    return beyond - 1 or None


def lower_share(successes: int, samples: int, confidence: float) -> float:
    """The exact (Clopper-Pearson) lower bound of a share, seen `successes` times in `samples`."""
    if successes == 0:
        return 0.0
    return _crossing(lambda share: at_least(successes, samples, share), 1 - confidence)[0]


def upper_share(successes: int, samples: int, confidence: float) -> float:
    """The exact (Clopper-Pearson) upper bound of a share, seen `successes` times in `samples`."""
    if successes == samples:
        return 1.0
    return _crossing(lambda share: -at_most(successes, samples, share), confidence - 1)[1]


def samples_needed(minimum: float, confidence: float, failures: int = 0) -> int | None:
    """The fewest samples with which `failures` of them still prove a share of `minimum`.

    None where no number up to ten million does, as for a minimum of 1.
    """
    risk = 1 - confidence

    def proven(samples: int) -> bool:
        return at_most(failures, samples, 1 - minimum) <= risk

    if minimum >= 1 or not proven(MOST_SAMPLES):
        return None
    enough = failures + 1
    while not proven(enough):
        enough *= 2
    return _first(failures + 1, enough, proven)


def samples_needed_at(minimum: float, confidence: float, failing: Fraction) -> int | None:
    """How many samples prove `minimum` if the share `failing` of them goes on failing.

    The fewest, give or take one per cent. None where that share, or one as near to the limit as
    to need a hundred million samples, can prove nothing.
    """

    def borne(failures: int) -> bool:
        samples = samples_needed(minimum, confidence, failures)
        return samples is None or failing * samples <= failures

    if failing >= 1 - Fraction(repr(minimum)):
        return None
    most = int(MOST_SAMPLES * (1 - minimum)) + 1
    return samples_needed(minimum, confidence, _first(0, most, borne))


def at_least(successes: int, samples: int, share: float) -> float:
    """The probability of `successes` or more in `samples` trials of probability `share`."""
    if successes <= 0:
        return 1.0
    if successes > samples:
        return 0.0
    if successes > samples * share:
        return _outwards(samples - successes, samples, 1 - share, share)
    return 1.0 - _outwards(successes - 1, samples, share, 1 - share)


def at_most(successes: int, samples: int, share: float) -> float:
    """The probability of `successes` or fewer in `samples` trials of probability `share`."""
    return at_least(samples - successes, samples, 1 - share)


def exactly(successes: int, samples: int, share: float, rest: float) -> float:
    """The probability of just `successes`; `rest` is 1 - `share`, given apart for its digits."""
    if share <= 0 or rest <= 0:
        return float(successes == (0 if share <= 0 else samples))
    if successes == 0:
        return math.exp(samples * math.log(rest))
    if successes == samples:
        return math.exp(samples * math.log(share))
    failures = samples - successes
    exponent = (
        _stirling_error(samples)
        - _stirling_error(successes)
        - _stirling_error(failures)
        - _deviance(successes, samples * share)
        - _deviance(failures, samples * rest)
    )
    return math.exp(exponent) * math.sqrt(samples / (_TWO_PI * successes * failures))


def _outwards(successes: int, samples: int, share: float, rest: float) -> float:
    """P(at most `successes`), for `successes` on the thin side: terms fall from the first one."""
    if share <= 0:
        return 1.0
    term = exactly(successes, samples, share, rest)
    terms = [term]
    for k in range(successes, 0, -1):
        term *= k / (samples - k + 1) * (rest / share)
        if term <= 1e-18 * terms[0]:
            break
        terms.append(term)
    return min(1.0, math.fsum(terms))


def _stirling_error(n: int) -> float:
    """log(n!) less Stirling's formula for it."""
    if n < 16:
        return math.lgamma(n + 1) - (n + 0.5) * math.log(n) + n - 0.5 * math.log(_TWO_PI)
    square = float(n) * n
    series = 1 / 1260 - (1 / 1680 - 1 / (1188 * square)) / square
    return (1 / 12 - (1 / 360 - series / square) / square) / n


def _deviance(seen: float, expected: float) -> float:
    """seen * log(seen / expected) + expected - seen, without cancellation near equality."""
    if abs(seen - expected) >= 0.1 * (seen + expected):
        return seen * math.log(seen / expected) + expected - seen
    v = (seen - expected) / (seen + expected)
    total = (seen - expected) * v
    power = 2 * seen * v
    for odd in range(3, 1000, 2):
        power *= v * v
        grown = total + power / odd
        if grown == total:
            break
        total = grown
    return total


def _first(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """The first number from `low` for which a rising condition holds; `high` where none does."""
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low


def _crossing(rising: Callable[[float], float], level: float) -> tuple[float, float]:
    """Neighbouring shares below and above the one at which a rising function reaches `level`."""
    low, high = 0.0, 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if rising(middle) <= level:
            low = middle
        else:
            high = middle
    return low, high
