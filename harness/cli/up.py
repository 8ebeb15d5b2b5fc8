"""`harness up`."""

from __future__ import annotations

import argparse

from harness.cli.settle import progress
from harness.run.up import up


def run(options: argparse.Namespace) -> int:
    """Start the reference platform, print where it is, wait for Ctrl-C."""
    return up(progress(), with_worker=not options.without_worker)
