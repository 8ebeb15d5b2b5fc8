"""`harness replay`: recorded histories against a build of the workflow code, without a cluster.

Two ways to the same verdicts: the worker's own command, in any language, over the wire
(`replay_worker`); Python modules in process (`replay_workflows`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import UsageError
from harness.replay.corpus import Entry
from harness.replay.verdicts import HistoryVerdict
from harness.run.request import Progress, silent

MODES = ("warm", "cold")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to be replayed: `entries` of `histories`, by a worker's `command` or by a module.

    `namespace` is that of histories which do not know theirs; `cwd` where the worker or the module
    lies. Times are in seconds.
    """

    histories: Path
    entries: tuple[Entry, ...]
    command: tuple[str, ...] = ()
    workflows: str = ""
    namespace: str = "default"
    cwd: Path = field(default_factory=Path)
    modes: tuple[str, ...] = MODES
    at_once: int = 32
    ready_within_s: float = 30.0
    task_within_s: float = 10.0
    logs: Path | None = None
    progress: Progress = silent


def replay_workflows(asked: Asked) -> list[HistoryVerdict]:
    """Replay by a Python module; raises `UnavailableError` if it does not import."""
    raise UsageError(f"--workflows {asked.workflows}: not there yet")
