"""Where the time of a trial went: by phase, and by suite."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from harness.journal.records import Operation, Program, Timing
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


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteTime:
    """A suite's share of the drive, in seconds since the first operation of all.

    `operations` are all calls on the platform that were made for it.
    """

    suite: str
    sagas: int
    operations: int
    began_s: float
    ended_s: float


@dataclass(frozen=True, slots=True)
class SuiteView:
    """A suite's time; `bar` lies where it ran within the drive."""

    time: SuiteTime
    took: str
    bar: Path


@dataclass(frozen=True, slots=True)
class TimeView:
    """One trial's phases, in the order in which they ended, and its suites, the last first."""

    trial: str
    phases: tuple[Phase, ...]
    suites: tuple[SuiteView, ...]


def timings(trials: Sequence[Trial]) -> list[TimeView]:
    """One for each trial that recorded where its time went; equal phases are added up."""
    return [
        TimeView(trial.id, _phases(trial), _suites(trial))
        for trial in trials
        if trial.journal.of(Timing)
    ]


def suite_times(trial: Trial) -> list[SuiteTime]:
    """From the first operation of each suite to the end of its last, the one that ended last first.

    Suites are driven side by side, so their times overlap and do not add up.
    """
    operations: defaultdict[str, list[Operation]] = defaultdict(list)
    for operation in trial.journal.of(Operation):
        if operation.suite:
            operations[operation.suite].append(operation)
    origin_ns = min((o.invoked_ns for found in operations.values() for o in found), default=0)
    sagas = Counter(program.suite for program in trial.journal.of(Program))
    times = [
        SuiteTime(
            suite=suite,
            sagas=sagas[suite],
            operations=len(found),
            began_s=(min(each.invoked_ns for each in found) - origin_ns) / 1e9,
            ended_s=(max(each.at_ns for each in found) - origin_ns) / 1e9,
        )
        for suite, found in operations.items()
    ]
    return sorted(times, key=lambda each: -each.ended_s)


def _suites(trial: Trial) -> tuple[SuiteView, ...]:
    times = suite_times(trial)
    scale = BAR_WIDTH / max((each.ended_s for each in times), default=1.0)
    return tuple(
        SuiteView(each, span(each.ended_s - each.began_s), _span_bar(each, scale)) for each in times
    )


def _span_bar(time: SuiteTime, scale: float) -> Path:
    left, right = time.began_s * scale, time.ended_s * scale
    return Path(bars([(left, max(left + 1.0, right), 0, BAR_HEIGHT)]), "time")


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
