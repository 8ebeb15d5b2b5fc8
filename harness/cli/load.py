"""`harness load`."""

from __future__ import annotations

import argparse

from harness.cli.finish import finish
from harness.cli.settle import settled
from harness.run.load import load


def run(options: argparse.Namespace) -> int:
    """Load the platform at a constant rate, judge, show, report."""
    ended = load(settled(options, "load", "load"), options.rate, options.duration)
    return finish(ended.folder, options.format)
