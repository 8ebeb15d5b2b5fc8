"""`harness verify`."""

from __future__ import annotations

import argparse

from harness.cli.finish import finish
from harness.cli.settle import settled
from harness.run.verify import verify


def run(options: argparse.Namespace) -> int:
    """Drive, judge, show, report."""
    ended = verify(settled(options, "verify", options.profile, options.ids))
    return finish(ended.folder, options.format, show=not options.no_show)
