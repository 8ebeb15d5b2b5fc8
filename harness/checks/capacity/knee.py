"""Where the knee lies, of steps at several rates: an interval, never a point.

A step's outcome is a vote. A rate stands as its votes say that decide, if none contradicts the
others or is outvoted by far; one vote alone is a hint, and two make a rate *sure*. A rate whose
votes contradict each other lies where chance decides: it is no edge, the interval reaches beyond
it. So does one where a higher rate held than one that failed.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

SURE: Final = 2  # votes that agree
OUTVOTED: Final = 3  # so many more votes of the other kind make one a hiccup


class StepOutcome(enum.StrEnum):
    """What a step says of its rate."""

    HELD = "held"
    FAILED = "failed"
    UNDECIDED = "undecided"
    GENERATOR = "generator"  # it was the generator that did not keep up: no word on the platform


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One step: at which rate, and how it ended."""

    rate_per_s: float
    outcome: StepOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """The knee lies between the highest rate that held and the lowest that did not.

    None where no rate is known that did so. Either edge is sure if enough steps agree on it.
    `open_rates` are those between that were tried and decided nothing, `generator_per_s` is the
    lowest rate that the generator did not keep up with.
    """

    held_per_s: float | None
    failed_per_s: float | None
    held_sure: bool
    failed_sure: bool
    open_rates: tuple[float, ...] = ()
    generator_per_s: float | None = None
    contradicted: bool = False

    def __str__(self) -> str:
        low = "0" if self.held_per_s is None else f"{self.held_per_s:.4g}"
        high = "?" if self.failed_per_s is None else f"{self.failed_per_s:.4g}"
        return f"[{low}, {high}]/s"


def votes(tried: Iterable[Tried]) -> dict[float, list[StepOutcome]]:
    """The outcomes of each rate, ascending."""
    found: dict[float, list[StepOutcome]] = {}
    for each in tried:
        found.setdefault(each.rate_per_s, []).append(each.outcome)
    return dict(sorted(found.items()))


def standing(outcomes: Sequence[StepOutcome]) -> StepOutcome:
    """What a rate stands as: what its deciding votes say, if none contradicts or it is outvoted."""
    held, failed = (outcomes.count(each) for each in (StepOutcome.HELD, StepOutcome.FAILED))
    if held and failed and abs(held - failed) < OUTVOTED:
        return StepOutcome.UNDECIDED
    if held != failed:
        return StepOutcome.HELD if held > failed else StepOutcome.FAILED
    generator = StepOutcome.GENERATOR in outcomes
    return StepOutcome.GENERATOR if generator else StepOutcome.UNDECIDED


def sure(outcomes: Sequence[StepOutcome]) -> bool:
    """Whether enough outcomes agree that another step would not be asked."""
    stands = standing(outcomes)
    decided = stands in (StepOutcome.HELD, StepOutcome.FAILED)
    return decided and outcomes.count(stands) >= SURE


def interval_of(tried: Iterable[Tried]) -> Interval:
    """The interval that all steps allow."""
    by_rate = votes(tried)
    stands = {rate: standing(outcomes) for rate, outcomes in by_rate.items()}
    held = _rates(stands, StepOutcome.HELD)
    failed = _rates(stands, StepOutcome.FAILED)
    lowest_failed = min(failed, default=float("inf"))
    highest_held = max(held, default=0.0)
    low = max((rate for rate in held if rate < lowest_failed), default=None)
    high = min((rate for rate in failed if rate > highest_held), default=None)
    below, above = low or 0.0, float("inf") if high is None else high
    return Interval(
        held_per_s=low,
        failed_per_s=high,
        held_sure=low is not None and sure(by_rate[low]),
        failed_sure=high is not None and sure(by_rate[high]),
        open_rates=tuple(
            rate for rate in _rates(stands, StepOutcome.UNDECIDED) if below < rate < above
        ),
        generator_per_s=min(_rates(stands, StepOutcome.GENERATOR), default=None),
        contradicted=lowest_failed < highest_held,
    )


def _rates(stands: Mapping[float, StepOutcome], outcome: StepOutcome) -> list[float]:
    return [rate for rate, each in stands.items() if each is outcome]
