"""The gate between two builds: which runs count, what they say, what a reader must know of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import msgspec

from harness.compare.comparison import (
    EXCLUDED,
    Change,
    Compared,
    Tolerance,
    compared,
    exit_code,
    runs_needed,
)
from harness.compare.runs import Run, judged_figures, require_comparable
from harness.errors import UsageError
from harness.outcome import EXIT_INCONCLUSIVE, EXIT_PASS


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """The trials of one side: those that count, and those that are left out, with the reason."""

    trials: list[str]
    left_out: dict[str, str] = {}


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """All figures of two sides. `plan` is what all runs have in common."""

    exit_code: int
    a: Side
    b: Side
    plan: dict[str, Any]
    tolerance_percent: float
    share_tolerance_points: float
    figures: list[Compared]
    notes: list[str] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is compared: figures by name (without any the usual ones), and the tolerance."""

    figures: Sequence[str] = ()
    tolerance: Tolerance = field(default_factory=Tolerance)


def compare(a: Sequence[Run], b: Sequence[Run], asked: Asked) -> Comparison:
    """Compare the runs of two sides.

    Runs that did not come to their end, or whose generator was late, are left out. Raises
    `UsageError` for runs that are not comparable, and for figures that they do not have.
    """
    require_comparable([a, b])
    fit_a, fit_b = fitting(a), fitting(b)
    figures: list[Compared] = []
    notes = []
    if fit_a and fit_b:
        judged = chosen_figures([*fit_a, *fit_b], asked.figures)
        figures = compared(_figures(fit_a), _figures(fit_b), judged, asked.tolerance)
        notes = _on_number(figures) + _on_noise(figures) + _on_order(fit_a, fit_b)
    changes = [each.change for each in figures if each.change is not Change.SHOWN]
    code = exit_code(changes)
    gone = [run for run in (*a, *b) if run.gone]
    if gone and code == EXIT_PASS:
        code = EXIT_INCONCLUSIVE
    return Comparison(
        exit_code=code,
        a=_side(a),
        b=_side(b),
        plan=_plan([*a, *b]),
        tolerance_percent=asked.tolerance.ratio * 100,
        share_tolerance_points=asked.tolerance.share * 100,
        figures=figures,
        notes=[*notes, *(f"{run.folder}: the platform went away; no pass" for run in gone)],
    )


def fitting(runs: Sequence[Run]) -> list[Run]:
    """Those that are observations."""
    return [run for run in runs if not run.unfit]


def chosen_figures(runs: Sequence[Run], asked: Sequence[str]) -> tuple[str, ...]:
    """The figures that are judged; raises `UsageError` for one that not every run has."""
    known = [name for name in runs[0].figures if all(name in run.figures for run in runs)]
    if unknown := [name for name in asked if name not in known]:
        raise UsageError(f"--figures: {unknown[0]!r} is none of these runs' {', '.join(known)}")
    return tuple(dict.fromkeys(asked)) or judged_figures(known)


def _figures(runs: Sequence[Run]) -> list[Mapping[str, float]]:
    return [run.figures for run in runs]


def _side(runs: Sequence[Run]) -> Side:
    return Side(
        trials=[str(run.folder) for run in runs if not run.unfit],
        left_out={str(run.folder): run.unfit for run in runs if run.unfit},
    )


def _plan(runs: Sequence[Run]) -> dict[str, Any]:
    return next((dict(run.plan) for run in runs if run.plan), {})


def _on_number(figures: Sequence[Compared]) -> list[str]:
    few = [each for each in figures if each.change is Change.FEW]
    if not few:
        return []
    what = "1 figure needs" if len(few) == 1 else f"{len(few)} figures need"
    return [f"{what} {runs_needed(len(few))} runs a side to show anything for certain"]


def _on_noise(figures: Sequence[Compared]) -> list[str]:
    noisy = [each.figure for each in figures if each.change is Change.NOISY]
    if not noisy:
        return []
    return [
        f"too noisy to exclude a change for the worse by {EXCLUDED} tolerances: "
        f"{', '.join(noisy)}; make the runs longer, make more, or raise the tolerance"
    ]


def _on_order(a: Sequence[Run], b: Sequence[Run]) -> list[str]:
    """What makes a difference look like one of the builds, and is none."""
    notes = []
    began = sorted(
        [(run.started_wall_ns, "A") for run in a] + [(r.started_wall_ns, "B") for r in b]
    )
    turns = [side for side, _ in groupby(side for _, side in began)]
    if len(turns) == 2 and len(began) > 2:
        notes.append(
            f"all runs of {turns[0]} came before those of {turns[1]}: whatever changed meanwhile "
            "on the machine counts as a change of the build; interleave them"
        )
    machines = {tuple(sorted(run.machine.items())) for run in (*a, *b)}
    if len(machines) > 1:
        told = " and ".join(
            sorted(", ".join(f"{name} {value}" for name, value in each) for each in machines)
        )
        notes.append(f"the runs are of several machines ({told})")
    return notes
