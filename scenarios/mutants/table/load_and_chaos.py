"""Mutants that only load or chaos brings out."""

from __future__ import annotations

from typing import Any, Final

from harness.mutant import Mutant
from scenarios.mutants.table.broken import broken_worker

# a limit of a start that leaves the generator room to be late, beside two other mutants
_ROOM: Final[dict[str, Any]] = {"start_p95_limit_ms": 800}
_SHORT_LOAD: Final = ("--rate", "4", "--duration", "20")

MUTANTS: Final[tuple[Mutant, ...]] = (
    Mutant(
        name="first-task-slow",
        expected=("SLO-START-1",),
        defect="The worker thinks for 1.5 s in the first workflow task of each saga.",
        breakage=broken_worker("first-task-slow"),
        parameters={"workflow_start_sli": "first_task_completed", **_ROOM},
        arm="load",
        profile="load",
        options=_SHORT_LOAD,
    ),
    Mutant(
        name="one-in-five-lost",
        expected=("SLO-REL-1",),
        defect="The worker gives one saga in five up, for no reason of the business.",
        breakage=broken_worker("one-in-five-lost"),
        parameters=_ROOM,
        arm="load",
        profile="load",
        options=_SHORT_LOAD,
    ),
    Mutant(
        name="dies-with-the-link",
        expected=("DUR-2",),
        defect="The worker ends when it loses its link to the engine, and nobody starts it again.",
        breakage=broken_worker("dies-with-the-link"),
        parameters={"horizon_s": 20},
        arm="chaos",
        profile="chaos",
    ),
)
