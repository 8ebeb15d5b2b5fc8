"""`harness verify`."""

from __future__ import annotations

import argparse

from harness.cli.finish import finish
from harness.cli.mutants import broken_as
from harness.cli.settle import settled, with_programs
from harness.run.verify import verify


def run(options: argparse.Namespace) -> int:
    """Drive, judge, show, report."""
    request = settled(options, "verify", options.profile, options.ids)
    if options.mutant:
        request = broken_as(options.mutant, request)
    request = with_programs(request, options.program, options.ids)
    ended = verify(request)
    return finish(ended.folder, options.format, show=not options.no_show)
