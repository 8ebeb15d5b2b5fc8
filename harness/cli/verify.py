"""`harness verify`."""

from __future__ import annotations

import argparse

from harness.cli.finish import finish
from harness.cli.mutants import broken_as
from harness.cli.settle import settled
from harness.run.verify import verify


def run(options: argparse.Namespace) -> int:
    """Drive, judge, show, report."""
    request = settled(options, "verify", options.profile, options.ids)
    ended = verify(broken_as(options.mutant, request) if options.mutant else request)
    return finish(ended.folder, options.format, show=not options.no_show)
