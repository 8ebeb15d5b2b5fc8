"""`harness chaos`."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from harness.cli.finish import ROOT, finish
from harness.cli.mutants import broken_as
from harness.cli.settle import settled
from harness.errors import UsageError
from harness.faults.chaos_file import read_chaos
from harness.run.chaos import chaos, links_of

SCHEDULES = ROOT / "scenarios" / "chaos"


def run(options: argparse.Namespace) -> int:
    """Run a schedule, judge, show, report."""
    request = settled(options, "chaos", "chaos")
    if options.mutant:
        request = broken_as(options.mutant, request)
    scenario = read_chaos(_schedule(options.schedule), links_of(request))
    parameters = {**request.parameters, "recover_within_s": scenario.recover_within_s}
    ended = chaos(replace(request, parameters=parameters), scenario)
    return finish(ended.folder, options.format, show=not options.no_show)


def _schedule(given: str) -> Path:
    """A file as named, or a schedule of ours by its name."""
    named = SCHEDULES / f"{given}.yaml"
    if named.exists():
        return named
    if Path(given).suffix in (".yaml", ".yml") or "/" in given:
        return Path(given)
    known = sorted(path.stem for path in SCHEDULES.glob("*.yaml"))
    raise UsageError(f"unknown schedule {given!r}; schedules: {', '.join(known)}, or a YAML file")
