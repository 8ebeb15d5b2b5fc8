"""Where the time of a trial went."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from harness.journal.records import Timing
from reports.figures import span
from reports.plot import Path, bars
from reports.trial import Trial

BAR_WIDTH = 400.0
BAR_HEIGHT = 8.0


@dataclass(frozen=True, slots=True)
class Phase:
    """What took how long; `bar` is drawn against the longest."""

    what: str
    took: str
    bar: Path


@dataclass(frozen=True, slots=True)
class TimeView:
    """One trial's phases, in the order in which they ended."""

    trial: str
    phases: tuple[Phase, ...]


def timings(trials: Sequence[Trial]) -> list[TimeView]:
    """One for each trial that recorded where its time went; equal phases are added up."""
    return [TimeView(trial.id, _phases(trial)) for trial in trials if trial.journal.of(Timing)]


def _phases(trial: Trial) -> tuple[Phase, ...]:
    total: defaultdict[str, float] = defaultdict(float)
    for timing in trial.journal.of(Timing):
        total[timing.what] += timing.seconds
    longest = max(total.values()) or 1.0
    return tuple(
        Phase(what, span(seconds), _bar(seconds / longest)) for what, seconds in total.items()
    )


def _bar(share: float) -> Path:
    return Path(bars([(0, max(1.0, share * BAR_WIDTH), 0, BAR_HEIGHT)]), "time")
