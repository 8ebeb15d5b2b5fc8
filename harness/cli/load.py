"""`harness load`."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

from harness.cli.finish import finish
from harness.cli.mutants import broken_as
from harness.cli.settle import settled
from harness.errors import UsageError
from harness.load.blocks import parse_floods
from harness.load.workload import NEIGHBOURS, WORKLOADS, parse_mix
from harness.run.load import Arrivals, load
from harness.run.neighbours import Noise, neighbours


def run(options: argparse.Namespace) -> int:
    """Load the platform, judge, show, report."""
    request = settled(options, "load", "load")
    shown = WORKLOADS.get(options.workload, ())
    request = replace(request, asked=tuple(each for each in request.asked if each in shown))
    if options.mutant:
        request = broken_as(options.mutant, request)
    if options.workload == NEIGHBOURS:
        ended = neighbours(request, arrivals(options), _noise(options))
    else:
        _require_no_noise(options)
        ended = load(request, arrivals(options))
    return finish(ended.folder, options.format, show=not options.no_show)


def _noise(options: argparse.Namespace) -> Noise:
    """What the options say of the flood."""
    given: dict[str, Any] = {"rate_per_s": options.flood_rate}
    if options.flood is not None:
        given["floods"] = parse_floods(options.flood)
    if options.pairs is not None:
        given["pairs"] = options.pairs
    return Noise(**given)


def _require_no_noise(options: argparse.Namespace) -> None:
    given = [
        f"--{name.replace('_', '-')}"
        for name in ("flood", "flood_rate", "pairs")
        if getattr(options, name) is not None
    ]
    if given:
        raise UsageError(f"{', '.join(given)}: only with --workload {NEIGHBOURS}")


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
