"""`harness load`."""

from __future__ import annotations

import argparse
from dataclasses import replace

from harness.cli.finish import finish
from harness.cli.mutants import broken_as
from harness.cli.settle import settled
from harness.load.workload import WORKLOADS, parse_mix
from harness.run.load import Arrivals, load


def run(options: argparse.Namespace) -> int:
    """Load the platform, judge, show, report."""
    request = settled(options, "load", "load")
    shown = WORKLOADS.get(options.workload, ())
    request = replace(request, asked=tuple(each for each in request.asked if each in shown))
    if options.mutant:
        request = broken_as(options.mutant, request)
    ended = load(request, arrivals(options))
    return finish(ended.folder, options.format, show=not options.no_show)


def arrivals(options: argparse.Namespace) -> Arrivals:
    """What the options say of what arrives."""
    return Arrivals(
        shape=options.shape,
        rate_per_s=options.rate,
        duration_s=options.duration,
        workload=options.workload,
        processes=options.processes,
        volume=options.volume,
        mix=parse_mix(options.mix),
        counted=not options.uncounted,
        idle_s=options.idle,
    )
