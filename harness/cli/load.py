"""`harness load`."""

from __future__ import annotations

import argparse

from harness.cli.finish import finish
from harness.cli.mutants import broken_as
from harness.cli.settle import settled
from harness.run.load import load


def run(options: argparse.Namespace) -> int:
    """Load the platform at a constant rate, judge, show, report."""
    request = settled(options, "load", "load")
    if options.mutant:
        request = broken_as(options.mutant, request)
    ended = load(request, options.rate, options.duration)
    return finish(ended.folder, options.format, show=not options.no_show)
