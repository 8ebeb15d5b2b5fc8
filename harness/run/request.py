"""What a run is asked to do, settled and checked before anything starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.platform.breakage import NOTHING, Breakage
from harness.program_file import ProgramFile
from harness.target.model import Target

Progress = Callable[[str], None]


def silent(_: str) -> None:
    """No progress is shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A run of one arm against one target.

    `asked` are the catalogue IDs, `suites` the modules that may feed them, `parameters` the
    declared meanings. `ours` says that the target is the reference platform. `cases` are patterns
    of the names of those cases that suffice; without any, all that feed the asked IDs are driven.
    `given` are program files to drive. A `seed` of 0 is the trial's own.
    `environment` is kept in the manifest. Where `recorded` is a trial's folder, its drive is taken
    over instead of driving.
    """

    arm: str
    profile: str
    target: Target
    ours: bool
    asked: tuple[str, ...]
    parameters: Mapping[str, Any]
    suites: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    given: tuple[ProgramFile, ...] = ()
    breakage: Breakage = NOTHING
    out: Path | None = None
    recorded: Path | None = None
    seed: int = 0
    environment: Mapping[str, str] = field(default_factory=dict)
    waivers: tuple[dict[str, str], ...] = ()
    progress: Progress = field(default=silent)
    quiet: bool = False
