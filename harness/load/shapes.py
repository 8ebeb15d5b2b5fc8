"""The shapes of a load: how the rate of arrivals goes over a run.

| text | arrivals per second | `--rate` | `--duration` |
|---|---|---|---|
| `constant` | the same throughout | the rate | the run's |
| `ramp:1-20` | from the first to the last in a straight line | follows: their mean | the ramp's |
| `steps:5x30,0x10,20x30` | each rate for so many seconds | follows: the mean | follows: the sum |
| `day:peak=3` | a day squeezed into the run | the day's mean | the day's |
| `burst:rate=50,every=20,for=2` | 50 in the last 2 of every 20 s | all other times' | the run's |

All are integrated and inverted exactly, to the precision of floating point. A rate may be zero for
a while: nothing arrives then, and what is due next comes when the rate rises again (a zero at the
very end is not waited for: a run ends with its last arrival). `str` gives a shape's text, which
`shape_text.shape_of` reads.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from harness.load.plan import MOST_ARRIVALS

LEAST_RATE_PER_S: Final = 0.01
MOST_RATE_PER_S: Final = 5_000.0
LEAST_DURATION_S: Final = 1.0
MOST_DURATION_S: Final = 7 * 86_400.0
LEAST_PIECE_S: Final = 0.01  # of a step, or of a burst
MOST_STEPS: Final = 1_000
MOST_PEAK: Final = 100.0
_TINY: Final = 1e-6  # of an arrival: a count so little below a piece's first belongs to that piece
_PER_S: Final = "arrivals per second"


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """The same rate throughout."""

    mean_per_s: float
    duration_s: float

    def __str__(self) -> str:
        return "constant"

    @property
    def nominal_per_s(self) -> float:
        """What `--rate` says of it."""
        return self.mean_per_s

    @property
    def peak_per_s(self) -> float:
        """The greatest rate."""
        return self.mean_per_s

    def rate_per_s(self, at_s: float) -> float:
        """The rate at a moment of the run."""
        return self.mean_per_s

    def expected(self, until_s: float) -> float:
        """How many arrivals are expected before `until_s`."""
        return self.mean_per_s * until_s

    def moment_s(self, count: float) -> float:
        """When `count` arrivals are expected to have happened."""
        return count / self.mean_per_s

    def problems(self) -> list[str]:
        """What is wrong with its values, each with its bounds."""
        return [
            *rate_problems("rate", self.mean_per_s, LEAST_RATE_PER_S),
            *duration_problems(self.duration_s),
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ramp:
    """From one rate to another in a straight line; either may be zero, not both."""

    first_per_s: float
    last_per_s: float
    duration_s: float

    def __str__(self) -> str:
        return f"ramp:{_text(self.first_per_s)}-{_text(self.last_per_s)}"

    @property
    def nominal_per_s(self) -> float:
        """The mean: the rate of the middle."""
        return (self.first_per_s + self.last_per_s) / 2

    @property
    def peak_per_s(self) -> float:
        """The greatest rate."""
        return max(self.first_per_s, self.last_per_s)

    def rate_per_s(self, at_s: float) -> float:
        """The rate at a moment of the run."""
        return self.first_per_s + self._slope * at_s

    def expected(self, until_s: float) -> float:
        """How many arrivals are expected before `until_s`."""
        return self.first_per_s * until_s + self._slope * until_s**2 / 2

    def moment_s(self, count: float) -> float:
        """When `count` arrivals are expected to have happened."""
        # the root of a quadratic equation, written so that it also holds for a slope of zero
        rate_then = math.sqrt(max(0.0, self.first_per_s**2 + 2 * self._slope * count))
        return min(2 * count / (self.first_per_s + rate_then), self.duration_s) if count else 0.0

    def problems(self) -> list[str]:
        """What is wrong with its values, each with its bounds."""
        problems = [
            *rate_problems("the ramp's first rate", self.first_per_s),
            *rate_problems("the ramp's last rate", self.last_per_s),
        ]
        return [*(problems or _mean(self.nominal_per_s)), *duration_problems(self.duration_s)]

    @property
    def _slope(self) -> float:
        return (self.last_per_s - self.first_per_s) / self.duration_s


@dataclass(frozen=True, slots=True)
class Step:
    """A rate for so many seconds."""

    rate_per_s: float
    lasts_s: float

    def __str__(self) -> str:
        return f"{_text(self.rate_per_s)}x{_text(self.lasts_s)}"


@dataclass(frozen=True, slots=True)
class Steps:
    """One rate after the other; some may be zero, not all."""

    steps: tuple[Step, ...]
    _begins_s: Sequence[float] = field(init=False, repr=False, compare=False)
    _counts: Sequence[float] = field(init=False, repr=False, compare=False)
    _busy: Sequence[int] = field(init=False, repr=False, compare=False)
    _busy_counts: Sequence[float] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        begins = [0.0, *itertools.accumulate(step.lasts_s for step in self.steps)]
        counts = [0.0, *itertools.accumulate(step.rate_per_s * step.lasts_s for step in self.steps)]
        busy = [i for i, step in enumerate(self.steps) if step.rate_per_s > 0]
        for name, value in (
            ("_begins_s", begins),
            ("_counts", counts),
            ("_busy", busy),
            ("_busy_counts", [counts[i] for i in busy]),
        ):
            object.__setattr__(self, name, value)  # derived once: the dataclass is frozen

    def __str__(self) -> str:
        return f"steps:{','.join(map(str, self.steps))}"

    @property
    def duration_s(self) -> float:
        """The sum of the steps' seconds."""
        return self._begins_s[-1]

    @property
    def nominal_per_s(self) -> float:
        """The mean."""
        return self.arrivals / self.duration_s if self.duration_s else 0.0

    @property
    def arrivals(self) -> float:
        """How many arrivals are expected in all."""
        return self._counts[-1]

    @property
    def peak_per_s(self) -> float:
        """The greatest rate."""
        return max(step.rate_per_s for step in self.steps)

    def rate_per_s(self, at_s: float) -> float:
        """The rate at a moment of the run; where two steps meet, the later one's."""
        return self.steps[self._step(at_s)].rate_per_s

    def expected(self, until_s: float) -> float:
        """How many arrivals are expected before `until_s`."""
        number = self._step(until_s)
        return self._counts[number] + self.steps[number].rate_per_s * (
            until_s - self._begins_s[number]
        )

    def moment_s(self, count: float) -> float:
        """When `count` arrivals are expected to have happened; never within a step of rate zero.

        A count that is reached as such a step begins comes after it.
        """
        place = max(0, bisect_right(self._busy_counts, count + _TINY) - 1)
        number = self._busy[place]
        more = max(0.0, count - self._busy_counts[place])
        into_s = more / self.steps[number].rate_per_s
        return min(self._begins_s[number] + into_s, self._begins_s[number + 1])

    def problems(self) -> list[str]:
        """What is wrong with its values, each with its bounds."""
        if not 1 <= len(self.steps) <= MOST_STEPS:
            return [f"{len(self.steps):,} steps: give 1 to {MOST_STEPS:,}"]
        problems = []
        for number, step in enumerate(self.steps, 1):
            what = f"step {number}'s"
            problems += rate_problems(f"{what} rate", step.rate_per_s)
            problems += _bounded(
                f"{what} length", step.lasts_s, LEAST_PIECE_S, MOST_DURATION_S, "seconds"
            )
        return problems or [*_mean(self.nominal_per_s), *duration_problems(self.duration_s)]

    def _step(self, at_s: float) -> int:
        return min(max(0, bisect_right(self._begins_s, at_s) - 1), len(self.steps) - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A day squeezed into the run: calm nights at both ends, a bell around noon.

    With the mean rate m and the peak-to-mean ratio p, the night's rate is m / p and noon's m × p.
    The bell is a raised cosine over the middle 2 / (p + 1) of the day, which makes the mean exactly
    m: with p = 3 it lasts from 06:00 to 18:00, with p = 1 the rate is constant.
    """

    mean_per_s: float
    peak: float
    duration_s: float

    def __str__(self) -> str:
        return f"day:peak={_text(self.peak)}"

    @property
    def nominal_per_s(self) -> float:
        """The mean over the day."""
        return self.mean_per_s

    @property
    def peak_per_s(self) -> float:
        """Noon's rate."""
        return self.mean_per_s * self.peak

    def rate_per_s(self, at_s: float) -> float:
        """The rate at a moment of the run."""
        share = (at_s - self._dawn_s) / self._bell_s
        return self._night_per_s + self._swing_per_s * (1 - math.cos(_turn(share)))

    def expected(self, until_s: float) -> float:
        """How many arrivals are expected before `until_s`."""
        share = (until_s - self._dawn_s) / self._bell_s
        if share <= 0:
            return self._night_per_s * until_s
        if share >= 1:
            return self._whole - self._night_per_s * (self.duration_s - until_s)
        wave = self._swing_per_s * self._bell_s / math.tau * math.sin(_turn(share))
        straight = (self._night_per_s + self._swing_per_s) * share * self._bell_s
        return self._night + straight - wave

    def moment_s(self, count: float) -> float:
        """When `count` arrivals are expected to have happened."""
        if count <= self._night:
            return count / self._night_per_s
        if count >= self._whole - self._night:
            left_s = (self._whole - count) / self._night_per_s
            return min(self.duration_s - left_s, self.duration_s)
        swing = self._swing_per_s / (self._night_per_s + self._swing_per_s)
        share = (count - self._night) / (self._whole - 2 * self._night)
        return self._dawn_s + _kepler(math.tau * share, swing) / math.tau * self._bell_s

    def problems(self) -> list[str]:
        """What is wrong with its values, each with its bounds."""
        problems = [
            *rate_problems("rate", self.mean_per_s, LEAST_RATE_PER_S),
            *_bounded("the day's peak", self.peak, 1.0, MOST_PEAK, "times the mean"),
        ]
        return [*(problems or rate_problems("the day's peak rate", self.peak_per_s)),
                *duration_problems(self.duration_s)]  # fmt: skip

    @property
    def _bell_s(self) -> float:
        return self.duration_s * 2 / (self.peak + 1)

    @property
    def _dawn_s(self) -> float:
        return (self.duration_s - self._bell_s) / 2

    @property
    def _night_per_s(self) -> float:
        return self.mean_per_s / self.peak

    @property
    def _swing_per_s(self) -> float:
        return (self.peak_per_s - self._night_per_s) / 2

    @property
    def _night(self) -> float:
        """How many arrivals are expected before dawn, and as many after dusk."""
        return self._night_per_s * self._dawn_s

    @property
    def _whole(self) -> float:
        return self.mean_per_s * self.duration_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """A base rate, which may be zero, and a higher one in the last seconds of every period."""

    base_per_s: float
    burst_per_s: float
    every_s: float
    for_s: float
    duration_s: float
    _period: Steps = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        quiet = Step(self.base_per_s, self.every_s - self.for_s)
        period = Steps((quiet, Step(self.burst_per_s, self.for_s)))
        object.__setattr__(self, "_period", period)  # derived once: the dataclass is frozen

    def __str__(self) -> str:
        return (
            f"burst:rate={_text(self.burst_per_s)},every={_text(self.every_s)},"
            f"for={_text(self.for_s)}"
        )

    @property
    def nominal_per_s(self) -> float:
        """The base rate."""
        return self.base_per_s

    @property
    def peak_per_s(self) -> float:
        """The rate of the bursts."""
        return max(self.base_per_s, self.burst_per_s)

    def rate_per_s(self, at_s: float) -> float:
        """The rate at a moment of the run."""
        return self._period.rate_per_s(at_s % self.every_s)

    def expected(self, until_s: float) -> float:
        """How many arrivals are expected before `until_s`."""
        periods, rest_s = divmod(until_s, self.every_s)
        return periods * self._period.arrivals + self._period.expected(rest_s)

    def moment_s(self, count: float) -> float:
        """When `count` arrivals are expected to have happened; never while the rate is zero."""
        periods = (count + _TINY) // self._period.arrivals
        rest = max(0.0, count - periods * self._period.arrivals)
        return min(periods * self.every_s + self._period.moment_s(rest), self.duration_s)

    def problems(self) -> list[str]:
        """What is wrong with its values, each with its bounds."""
        problems = [
            *rate_problems("rate", self.base_per_s),
            *rate_problems("the burst's rate", self.burst_per_s, LEAST_RATE_PER_S),
            *_bounded("the burst's every", self.every_s, LEAST_PIECE_S, MOST_DURATION_S, "seconds"),
            *_bounded("the burst's for", self.for_s, LEAST_PIECE_S, MOST_DURATION_S, "seconds"),
            *duration_problems(self.duration_s),
        ]
        if self.burst_per_s <= self.base_per_s:
            problems.append(
                f"the burst's rate {self.burst_per_s:g} is not above the base of "
                f"{self.base_per_s:g}"
            )
        if self.for_s >= self.every_s:
            problems.append(
                f"a burst of {self.for_s:g} s every {self.every_s:g} s leaves nothing between "
                "two bursts"
            )
        elif self.every_s > self.duration_s:
            problems.append(
                f"the first burst would end after {self.every_s:g} s, the run after "
                f"{self.duration_s:g} s"
            )
        return problems


AnyShape = Constant | Ramp | Steps | Day | Burst


def problems_of(shape: AnyShape) -> list[str]:
    """All that is wrong with a shape, each with its bounds; nothing if it can be planned."""
    if problems := shape.problems():
        return problems
    expected = shape.expected(shape.duration_s)
    if expected <= MOST_ARRIVALS:
        return []
    return [
        f"{shape} of {shape.duration_s:g} s is {expected:,.0f} arrivals, a plan holds "
        f"{MOST_ARRIVALS:,}"
    ]


def _bounded(what: str, value: float, low: float, high: float, unit: str) -> list[str]:
    """The problem of a value beyond its bounds, and of one that is no number."""
    if low <= value <= high:
        return []
    return [f"{what} {value:g}: give {low:g} to {high:g} {unit}"]


def rate_problems(what: str, value: float, low: float = 0.0) -> list[str]:
    """What is wrong with a rate that may be zero, or with one that may not."""
    return _bounded(what, value, low, MOST_RATE_PER_S, _PER_S)


def _mean(value: float) -> list[str]:
    return rate_problems("the mean rate", value, LEAST_RATE_PER_S)


def duration_problems(value: float) -> list[str]:
    """What is wrong with a duration."""
    return _bounded("duration", value, LEAST_DURATION_S, MOST_DURATION_S, "seconds")


def _turn(share: float) -> float:
    """The angle of a share of a turn; outside, its nearer end."""
    return math.tau * min(1.0, max(0.0, share))


def _kepler(mean: float, swing: float) -> float:
    """The x for which x - swing × sin x is `mean`, both angles from 0 to a turn; swing below 1.

    Newton's method from above, in the half turn where the function is convex: every step comes
    nearer, and the first that does not is at the limit of precision.
    """
    if mean > math.pi:
        return math.tau - _kepler(math.tau - mean, swing)
    x = min(math.pi, mean + swing, mean / (1 - swing))
    while True:
        nearer = x - (x - swing * math.sin(x) - mean) / (1 - swing * math.cos(x))
        if nearer >= x:
            return x
        x = nearer


def _text(value: float) -> str:
    """The shortest decimal that reads as the same number, without an exponent."""
    return format(Decimal(repr(value)), "f").removesuffix(".0")
