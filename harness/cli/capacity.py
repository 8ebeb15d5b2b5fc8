"""`harness capacity`."""

from __future__ import annotations

import argparse
from dataclasses import replace

from harness.cli.finish import finish
from harness.cli.mutants import broken_as
from harness.cli.settle import settled
from harness.errors import UsageError
from harness.run.capacity import Capacity, capacity


def run(options: argparse.Namespace) -> int:
    """Search the knee, judge, show, report."""
    asked = searched(options)
    request = settled(options, "capacity", "load")
    shown = "DUR-10" if len(asked.workers) > 1 else "CAP-1"
    request = replace(request, asked=(shown,))
    if options.mutant:
        request = broken_as(options.mutant, request)
    ended = capacity(request, asked)
    return finish(ended.folder, options.format, show=not options.no_show)


def searched(options: argparse.Namespace) -> Capacity:
    """What the options say is to be searched."""
    return Capacity(
        workload=options.workload,
        start_per_s=options.start,
        most_per_s=options.max_rate,
        budget_s=options.budget,
        resolution=options.resolution / 100,
        repeats=options.repeats,
        workers=_numbers(options.workers),
    )


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"--workers {text!r}: give whole numbers, as 1,2,4") from None
