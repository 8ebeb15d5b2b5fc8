"""`harness verify`."""

from __future__ import annotations

import argparse

from harness.cli.finish import finish
from harness.cli.mutants import broken_as
from harness.cli.settle import settled, with_programs
from harness.cli.shrink import failed, shrink_trial
from harness.outcome import EXIT_FAIL
from harness.run.verify import verify


def run(options: argparse.Namespace) -> int:
    """Drive, judge, show, report."""
    request = settled(options, "verify", options.profile, options.ids)
    if options.mutant:
        request = broken_as(options.mutant, request)
    request = with_programs(request, options.program, options.ids)
    ended = verify(request)
    code = finish(ended.folder, options.format, show=not options.no_show)
    if _shrinks(options) and code == EXIT_FAIL and failed(ended.folder):
        shrink_trial(ended.folder, request, options)
    return code


def _shrinks(options: argparse.Namespace) -> bool:
    """Not where only the verdict is wanted, as with mutants, or where others read the output."""
    wanted = not (options.no_shrink or options.no_show or options.program)
    return wanted and options.format == "text"
