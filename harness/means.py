"""Means of a few measured values with bounds, and a straight line through them.

The bounds are one-sided and by Student's t: they hold for values that are independent and not
wildly skewed. Where all values are alike they are as narrow as it gets, so whoever judges by them
must ask for a least number of values himself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

_BISECTIONS: Final = 80
_LARGEST_T: Final = 1e7


class Mean(NamedTuple):
    """A mean and its bounds, each of which holds alone at the confidence asked for."""

    value: float
    lower: float
    upper: float
    deviation: float  # of the values, not of the mean

    @property
    def half(self) -> float:
        """The distance of a bound from the mean."""
        return self.upper - self.value


class Line(NamedTuple):
    """y = `base` + `slope` * x by least squares, with the slope's own two-sided bounds."""

    base: float
    slope: float
    slope_lower: float
    slope_upper: float


def mean_of(values: Sequence[float], confidence: float) -> Mean:
    """The mean of at least two values; raises `ValueError` for fewer."""
    count = len(values)
    if count < 2:
        raise ValueError(f"{count} values have no mean with bounds")
    mean = math.fsum(values) / count
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (count - 1))
    half = t_quantile(count - 1, confidence) * deviation / math.sqrt(count)
    return Mean(mean, mean - half, mean + half, deviation)


def values_needed(mean: Mean, limit: float, confidence: float) -> int | None:
    """How many values with this deviation bring the bound to the limit; None if no number does."""
    room = abs(limit - mean.value)
    if not room:
        return None
    return max(2, math.ceil((t_quantile(200, confidence) * mean.deviation / room) ** 2) + 1)


def line_of(points: Sequence[tuple[float, float]], confidence: float) -> Line | None:
    """The line through (x, y); None without three points, or where all x are the same."""
    count = len(points)
    if count < 3:
        return None
    middle_x = math.fsum(x for x, _ in points) / count
    middle_y = math.fsum(y for _, y in points) / count
    spread = math.fsum((x - middle_x) ** 2 for x, _ in points)
    if not spread:
        return None
    slope = math.fsum((x - middle_x) * (y - middle_y) for x, y in points) / spread
    base = middle_y - slope * middle_x
    left = math.fsum((y - base - slope * x) ** 2 for x, y in points)
    error = math.sqrt(left / (count - 2) / spread)
    half = t_quantile(count - 2, (1 + confidence) / 2) * error
    return Line(base, slope, slope - half, slope + half)


def t_quantile(freedom: int, share: float) -> float:
    """The `share`-quantile (over 0.5) of Student's t with so many degrees of freedom."""
    if freedom < 1 or not 0.5 < share < 1:
        raise ValueError(f"no quantile {share} of {freedom} degrees of freedom")
    low, high = 0.0, _LARGEST_T
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if _within(freedom, middle) < 2 * share - 1:
            low = middle
        else:
            high = middle
    return high


def _within(freedom: int, t: float) -> float:
    """P(|T| < t), by the finite sums that there are for whole degrees of freedom.

    Abramowitz and Stegun, "Handbook of Mathematical Functions", 26.7.3 and 26.7.4.
    """
    angle = math.atan(t / math.sqrt(freedom))
    square = math.cos(angle) ** 2
    odd = freedom % 2
    if freedom == 1:
        return 2 * angle / math.pi
    term = math.cos(angle) if odd else 1.0
    total = term
    for k in range(2 + odd, freedom - 1, 2):
        term *= square * (k - 1) / k
        total += term
    if odd:
        return 2 / math.pi * (angle + math.sin(angle) * total)
    return math.sin(angle) * total
