"""`harness compare`."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from harness.cli.load import arrivals
from harness.cli.mutants import broken_as
from harness.cli.settle import settled
from harness.compare.calibrate import Calibration, calibrated
from harness.compare.comparison import (
    Change,
    Compared,
    Tolerance,
    is_latency,
    is_share,
    runs_needed,
)
from harness.compare.gate import (
    Asked,
    Comparison,
    Side,
    chosen_figures,
    compare,
    fitting,
)
from harness.compare.runs import Run, read_run, require_comparable
from harness.errors import UsageError
from harness.outcome import EXIT_FAIL, EXIT_INCONCLUSIVE, EXIT_PASS
from harness.run.interleave import interleaved
from harness.run.request import Request
from harness.trial import new_trial_id

SAID = {
    EXIT_PASS: "NOTHING IS WORSE",
    EXIT_FAIL: "WORSE",
    EXIT_INCONCLUSIVE: "CANNOT TELL",
}
LEAST_CALIBRATED = 4
_OF_RUNS = ("target", "target_b", "out", "rate", "duration")


def run(options: argparse.Namespace) -> int:
    """Compare two groups of load trials, or one with itself; run them before, where asked to."""
    asked = Asked(figures=options.figures, tolerance=_tolerance(options))
    a, b = _trials(options)
    if options.calibrate:
        return _calibrate([read_run(folder) for folder in a], asked, options.format)
    comparison = compare(
        [read_run(folder) for folder in a], [read_run(folder) for folder in b], asked
    )
    print(_encoded(comparison) if options.format == "json" else shown(comparison))
    return comparison.exit_code


def _tolerance(options: argparse.Namespace) -> Tolerance:
    for name, value in (
        ("--tolerance", options.tolerance),
        ("--share-tolerance", options.share_tolerance),
    ):
        if not 0 < value < 100:
            raise UsageError(f"{name} {value:g}: give more than 0 and less than 100")
    return Tolerance(ratio=options.tolerance / 100, share=options.share_tolerance / 100)


def _trials(options: argparse.Namespace) -> tuple[list[Path], list[Path]]:
    """The folders of both sides, as given or as they are run now."""
    if options.interleave:
        if options.trials or options.others or options.calibrate:
            raise UsageError("--interleave runs both sides itself; give it no trials")
        return _interleaved(options)
    if unused := [name for name in _OF_RUNS if getattr(options, name) is not None]:
        option = unused[0].replace("_", "-")
        raise UsageError(f"--{option} is for runs that are still to be made: give --interleave N")
    if not options.trials:
        raise UsageError("give the trials of build A, or --interleave N to run them")
    if options.calibrate and options.others:
        raise UsageError("--calibrate takes runs of one build; leave out --with")
    if not options.calibrate and not options.others:
        raise UsageError("give the trials of build B: harness compare A... --with B...")
    return options.trials, options.others


def _interleaved(options: argparse.Namespace) -> tuple[list[Path], list[Path]]:
    folder = options.out or Path("out") / new_trial_id("compare")
    sides = [
        _request(options, options.target, options.mutant),
        _request(options, options.target_b or options.target, options.mutant_b),
    ]
    return interleaved(sides[0], sides[1], arrivals(options), options.interleave, folder)


def _request(options: argparse.Namespace, target: Path | None, mutant: str) -> Request:
    request = settled(argparse.Namespace(**{**vars(options), "target": target}), "load", "load")
    return replace(broken_as(mutant, request), cases=()) if mutant else request


# for people


def shown(comparison: Comparison) -> str:
    """The verdict, the plan, and a row for each figure."""
    lines = [
        f"{SAID[comparison.exit_code]}  {len(comparison.a.trials)} runs of A, "
        f"{len(comparison.b.trials)} of B; tolerance {comparison.tolerance_percent:g} %, of shares "
        f"{comparison.share_tolerance_points:g} points",
        f"  {_plan(comparison)}",
        *_left_out("A", comparison.a),
        *_left_out("B", comparison.b),
    ]
    if comparison.figures:
        lines += ["", *_table([_HEAD, *map(_row, comparison.figures)])]
        lines += ["", f"  {_explained(comparison)}"]
    else:
        lines.append("  no run is left on one side: nothing is compared")
    return "\n".join([*lines, *(f"  note: {note}" for note in comparison.notes)])


_HEAD = ("figure", "A median", "B median", "B over A", "interval", "")


def _plan(comparison: Comparison) -> str:
    plan = comparison.plan
    if not plan:
        return "no run has a plan"
    return (
        f"{plan['workload']}: {plan['rate_per_s']:g} arrivals per second for "
        f"{plan['duration_s']:g} s, {plan['shape']}, {plan['warmup_s']:g} s of warm-up cut"
    )


def _left_out(name: str, side: Side) -> list[str]:
    return [f"  left out of {name}: {folder}: {why}" for folder, why in side.left_out.items()]


def _explained(comparison: Comparison) -> str:
    judged = sum(each.change is not Change.SHOWN for each in comparison.figures)
    return (
        f"runs are compared, not requests: exact rank test, corrected for the {judged} judged; of "
        "one and the same build at most 5 of 100 comparisons say worse"
    )


def _row(each: Compared) -> tuple[str, ...]:
    name = each.figure
    interval = "none"
    if each.low is not None or each.high is not None:
        interval = f"{_moved(name, each.low)} to {_moved(name, each.high)}"
    return (
        name,
        _value(name, each.a_median),
        _value(name, each.b_median),
        _moved(name, each.shift),
        interval,
        each.change.upper() if each.change is Change.WORSE else each.change.value,
    )


def _value(name: str, value: float | None) -> str:
    if value is None:
        return "never"
    if is_share(name):
        return f"{value * 100:.2f} %"
    return f"{value:.1f} ms" if is_latency(name) else f"{value:.2f}/s"


def _moved(name: str, value: float | None) -> str:
    if value is None:
        return "?"
    return f"{value * 100:+.2f} points" if is_share(name) else f"x {value:.3f}"


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Columns of the width of their longest cell; all but the first and the last to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    last = len(widths) - 1
    return [
        "  "
        + "  ".join(
            cell if column == last else cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _encoded(result: Comparison | Calibration) -> str:
    return msgspec.json.format(msgspec.json.encode(result), indent=1).decode()


# of one build


def _calibrate(runs: Sequence[Run], asked: Asked, form: str) -> int:
    """Say how often the gate is wrong on these runs; 2 where they are too few to show it."""
    require_comparable([runs])
    fit = fitting(runs)
    if len(fit) < LEAST_CALIBRATED:
        raise UsageError(
            f"--calibrate: {len(fit)} runs that count of {len(runs)}; give it at least "
            f"{LEAST_CALIBRATED}, better twice as many as a side of your gate has"
        )
    judged = chosen_figures(fit, asked.figures)
    found = calibrated([run.figures for run in fit], judged, asked.tolerance)
    print(_encoded(found) if form == "json" else _calibration(found, runs))
    return EXIT_INCONCLUSIVE if found.runs < runs_needed(len(judged)) else EXIT_PASS


def _calibration(found: Calibration, runs: Sequence[Run]) -> str:
    left_out = [f"  left out: {run.folder}: {run.unfit}" for run in runs if run.unfit]
    lines = [
        f"{found.runs} runs of one build against {found.runs} others of it, {found.divisions} "
        "random divisions",
        *left_out,
        f"  false alarms (worse)    {_percent(found.false_alarms)}",
        f"  false praise (better)   {_percent(found.false_praise)}",
        f"  cannot tell             {_percent(found.undecided)}",
    ]
    for factor, share in found.power.items():
        slower = f"{(float(factor) - 1) * 100:+.0f} % seen as worse"
        lines.append(f"  {slower:22}  {_percent(share)}")
    needed = runs_needed(len(found.figures))
    if found.runs < needed:
        lines.append(
            f"  too few: {len(found.figures)} figures need {needed} runs a side to show anything; "
            f"give {2 * needed} runs, or fewer --figures"
        )
    return "\n".join(lines)


def _percent(share: float) -> str:
    return f"{math.floor(share * 1000 + 0.5) / 10:5.1f} %"
