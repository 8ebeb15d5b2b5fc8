"""`harness recheck`."""

from __future__ import annotations

import argparse

from harness.cli.finish import finish


def run(options: argparse.Namespace) -> int:
    """Judge a recorded trial again."""
    return finish(options.trial, options.format, salvage=options.salvage, show=False)
