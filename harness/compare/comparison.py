"""Two groups of runs compared, figure by figure.

A figure got **worse** where both hold: the runs of B lie so far above (or, for what should be high,
below) those of A as chance would have it in at most 5 of 100 comparisons, by the exact rank test
over runs and after Holm's correction for the number of figures; and the estimated shift is beyond
the tolerance. So at most 5 of 100 comparisons of one and the same build call any figure worse. For
**better** the same holds in the other direction.

Where neither is so, a figure has passed (**no evidence of change**, or **changed within the
tolerance**) only if the interval of its shift excludes a change for the worse by twice the
tolerance: a build that is so much worse passes in at most 5 of 100 comparisons. Else the runs
differ too much among themselves to tell (**too noisy**), or are **too few** for the test to ever
show anything. A gate that could not have seen a regression has not passed.

Latencies and rates shift by a ratio, shares by a difference. Each end of an interval is wrong in at
most 5 of 100 comparisons.

Simulated (`tests/unit/test_compare.py`: runs whose speed varies by 3 %, stalls in them), of 100
comparisons of five runs a side, five figures, 5 % of tolerance:

    requests a run     600               3,000
                       1    2    0       1    2    0     exit code
    the same build     2   62   36       2    4   94
    5 % slower        38   50   12      43   24   33
    10 % slower       90    9    1      92    8    0
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

import msgspec

from harness.compare.ranks import chance_of_higher, holm, least_chance, shift
from harness.outcome import EXIT_FAIL, EXIT_INCONCLUSIVE, EXIT_PASS

RISK: Final = 0.05
EXCLUDED: Final = 2  # how many tolerances the worst change must be excluded by
DEFAULT_TOLERANCE: Final = 0.05
DEFAULT_SHARE_TOLERANCE: Final = 0.001

Figures = Mapping[str, float]


class Change(enum.StrEnum):
    """What the runs say of one figure."""

    WORSE = "worse"
    BETTER = "better"
    WITHIN = "changed within the tolerance"
    NONE = "no evidence of change"
    NOISY = "too noisy to tell"
    FEW = "too few runs"
    SHOWN = "not judged"


UNDECIDED: Final = frozenset({Change.NOISY, Change.FEW})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How much worse is no regression: latencies and rates by a ratio, shares by a difference."""

    ratio: float = DEFAULT_TOLERANCE
    share: float = DEFAULT_SHARE_TOLERANCE

    def of(self, name: str) -> float:
        """In the measure in which this figure shifts."""
        return self.share if is_share(name) else math.log1p(self.ratio)


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of both groups.

    `shift` is B's over A's, a ratio, or a difference where the figure is a share; `low` and `high`
    are its interval. None stands for what is not finite. `chance` is that of the rank test in the
    direction of the shift, corrected for the number of figures.
    """

    figure: str
    a: list[float | None]
    b: list[float | None]
    a_median: float | None
    b_median: float | None
    shift: float | None
    low: float | None
    high: float | None
    chance: float
    change: Change


def is_share(name: str) -> bool:
    """Whether a figure is a part of a whole."""
    return name.endswith("_share")


def is_latency(name: str) -> bool:
    """Whether a figure is a time that should be short; all others should be high."""
    return name.endswith("_ms")


def compared(
    a: Sequence[Figures], b: Sequence[Figures], judged: Sequence[str], tolerance: Tolerance
) -> list[Compared]:
    """All figures that every run has: those to be judged first, then those that are shown."""
    others = [name for name in a[0] if name not in judged]
    changes = changed(a, b, judged, tolerance)
    found = []
    for name in (*judged, *others):
        values_a, values_b = [run[name] for run in a], [run[name] for run in b]
        moved = shift(_measured(name, values_b), _measured(name, values_a), RISK)
        change, chance = changes.get(name, (Change.SHOWN, 1.0))
        found.append(
            Compared(
                figure=name,
                a=[finite(value) for value in values_a],
                b=[finite(value) for value in values_b],
                a_median=finite(median(values_a)),
                b_median=finite(median(values_b)),
                shift=finite(_shown(name, moved.estimate)),
                low=finite(_shown(name, moved.low)),
                high=finite(_shown(name, moved.high)),
                chance=chance,
                change=change,
            )
        )
    return found


def changed(
    a: Sequence[Figures], b: Sequence[Figures], names: Sequence[str], tolerance: Tolerance
) -> dict[str, tuple[Change, float]]:
    """What the runs say of each figure, and how likely chance would have it so."""
    bad_a = {name: _badness(name, [run[name] for run in a]) for name in names}
    bad_b = {name: _badness(name, [run[name] for run in b]) for name in names}
    worse = holm([chance_of_higher(bad_b[name], bad_a[name]) for name in names])
    better = holm([chance_of_higher(bad_a[name], bad_b[name]) for name in names])
    few = least_chance((len(a), len(b))) > RISK / len(names)
    found = {}
    for number, name in enumerate(names):
        moved = shift(bad_b[name], bad_a[name], RISK)
        margin = tolerance.of(name)
        if few:
            change = Change.FEW
        elif worse[number] <= RISK and moved.estimate > margin:
            change = Change.WORSE
        elif better[number] <= RISK and moved.estimate < -margin:
            change = Change.BETTER
        elif moved.high > EXCLUDED * margin:
            change = Change.NOISY
        elif min(worse[number], better[number]) <= RISK:
            change = Change.WITHIN
        else:
            change = Change.NONE
        found[name] = (change, worse[number] if moved.estimate > 0 else better[number])
    return found


def exit_code(changes: Sequence[Change]) -> int:
    """1 if anything is worse, 2 if anything cannot be told, 0 otherwise."""
    if Change.WORSE in changes:
        return EXIT_FAIL
    if not changes or UNDECIDED.intersection(changes):
        return EXIT_INCONCLUSIVE
    return EXIT_PASS


def runs_needed(figures: int) -> int:
    """The fewest runs a side with which the test of so many figures can show anything."""
    runs = 1
    while least_chance((runs, runs)) > RISK / figures:
        runs += 1
    return runs


def finite(value: float) -> float | None:
    """The value, as far as JSON can hold it."""
    return value if math.isfinite(value) else None


def _measured(name: str, values: Sequence[float]) -> list[float]:
    """The values in the measure in which they shift: logarithms, or shares as they are."""
    if is_share(name):
        return list(values)
    return [math.log(value) if value > 0 else -math.inf for value in values]


def _badness(name: str, values: Sequence[float]) -> list[float]:
    """The same, such that more is worse."""
    measured = _measured(name, values)
    return measured if is_latency(name) else [-value for value in measured]


def _shown(name: str, moved: float) -> float:
    """A shift as people read it: a ratio, or a difference of shares."""
    return moved if is_share(name) or math.isinf(moved) else math.exp(moved)
