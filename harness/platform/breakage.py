"""What of the reference platform is broken on purpose: what a mutant says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakage:
    """Parts that replace the platform's own; an empty one changes nothing.

    `worker`, `rolled_out` (the build that is rolled out beside it) and `exporter` are commands,
    `build_ids` those of these two workers, `doubles` names of the doubles' defects, `engine`
    dynamic config, `drive` names of defects of the starter that the drive plays, `tenants` what the
    deployment gives a tenant instead of its own: namespace, task_queue. `workflows` is the module
    that is read and replayed, `setup` the one in which the worker's set-up is read. `next_worker`
    is the command of a new build, which replays what the driven one recorded.
    """

    worker: tuple[str, ...] = ()
    rolled_out: tuple[str, ...] = ()
    build_ids: tuple[str, ...] = ()
    exporter: tuple[str, ...] = ()
    doubles: tuple[str, ...] = ()
    engine: Mapping[str, Any] = field(default_factory=dict)
    drive: tuple[str, ...] = ()
    next_worker: tuple[str, ...] = ()
    workflows: str = ""
    setup: str = ""
    detectors: tuple[str, ...] = ()
    tenants: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def after_drive(self) -> bool:
        """Whether all that is broken is used only once the drive is over: to read and to replay."""
        driven = replace(self, next_worker=(), workflows="", setup="", detectors=())
        return driven == NOTHING != self


NOTHING = Breakage()
