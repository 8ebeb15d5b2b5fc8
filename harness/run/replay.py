"""`harness replay`: recorded histories against a build of the workflow code, without a cluster.

Two ways to the same verdicts: the worker's own command, in any language, over the wire
(`harness.run.replay_wire`); Python modules in process (`harness.run.replay_python`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from harness.replay.corpus import Entry
from harness.run.request import Progress, silent

MODES = ("warm", "cold")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to be replayed: `entries` of `histories`, by a worker's `command` or by a module.

    `namespace` is that of histories which do not know theirs; `cwd` where the worker or the module
    lies. Times are in seconds. For a module: `setup` is the one in which the worker is set up,
    `replayer` names further arguments of the SDK's replayer, `passthrough` modules pass through
    its sandbox, `reviewed` are modules and packages that somebody has looked at, and so many
    histories are `perturbed` (0: all).
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
    setup: str = ""
    replayer: str = ""
    passthrough: tuple[str, ...] = ()
    reviewed: tuple[str, ...] = ()
    perturbed: int = 24
    progress: Progress = silent
