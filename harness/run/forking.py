"""Starting the fork server: what the processes of a platform import, they import once."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from harness.platform.child import Children
from harness.platform.forks import Forks

READY_WITHIN_S: Final = 30.0
# the doubles start beside the fork server, and not from it
REFERENCE: Final = (
    "harness.drive.cases",
    "harness.drive.evidence",
    "harness.tap.forward",
    "scenarios.reference.worker",
    "scenarios.reference.exporter",
)
MUTANTS: Final = (
    *REFERENCE,
    "harness.doubles.instruments",
    "harness.replay.capture",
    "harness.replay.compare",
    "scenarios.mutants.worker",
    "scenarios.mutants.exporter",
    "uvloop",
)


async def start_forks(children: Children, folder: Path, modules: Sequence[str]) -> Forks:
    """Start a process in `folder` that has imported these modules, and forks for whoever asks."""
    path = folder / "forks"
    server = await children.start(
        "fork-server", [sys.executable, "-m", "harness.platform.fork_server", str(path), *modules]
    )
    await server.ready(READY_WITHIN_S, "the platform's Python processes are started by it")
    return Forks(path)
