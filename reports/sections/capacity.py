"""Capacity: the knee of each search, as it was judged, step by step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from harness.catalogue import Catalogue
from reports.knee import KneeStep, achieved_by_rate, latency_by_rate, rate
from reports.plot import Plot
from reports.trial import Trial, number_in

_ID: Final = "CAP-1"
_LIMIT: Final = "start_p95_limit_ms"


@dataclass(frozen=True, slots=True, kw_only=True)
class KneeView:
    """One search of one trial."""

    trial: str
    facts: tuple[tuple[str, str], ...]
    plots: tuple[Plot, ...]


def knees(trials: Sequence[Trial], catalogue: Catalogue) -> list[KneeView]:
    """The knees of all trials that searched one."""
    return [
        _view(trial, verdict.figures, number_in(trial, catalogue, _LIMIT))
        for trial in trials
        for verdict in trial.verdicts
        if verdict.id == _ID and verdict.figures.get("steps")
    ]


def _view(trial: Trial, figures: Mapping[str, Any], limit_ms: float) -> KneeView:
    steps = list(_steps(figures["steps"]))
    plots = (latency_by_rate(steps, limit_ms), achieved_by_rate(steps))
    return KneeView(
        trial=trial.id,
        facts=(
            ("highest rate that held", rate(figures["held_per_s"])),
            ("lowest rate that did not", rate(figures["failed_per_s"])),
            ("declared volume at its peak", rate(figures["minimum"])),
            ("later volume at its peak", rate(figures["later_peak_per_s"])),
            ("full first", str(figures["full_first"])),
            ("the search ended", str(figures["ended"])),
        ),
        plots=tuple(plot for plot in plots if plot is not None),
    )


def _steps(rows: Sequence[Mapping[str, Any]]) -> Iterator[KneeStep]:
    for row in rows:
        yield KneeStep(
            rate_per_s=row["rate_per_s"],
            outcome=row["outcome"],
            achieved_per_s=row["achieved_per_s"],
            p95_ms=row["p95_ms"],
            p95_upper_ms=row["p95_upper_ms"],
        )
