"""Backward compatibility: old histories against new code, and the life of patches."""

from __future__ import annotations

from typing import Final

from harness.checks.check import Check
from harness.checks.compatibility.census import patches_live_as_they_should
from harness.checks.compatibility.precedents import new_code_replays_old_histories
from harness.journal.records import History, Part, Precedent, Replay, SourceScan, Subject

CHECKS: Final[tuple[Check, ...]] = (
    Check(
        id="INV-VER-2",
        subject=Subject.WORKER,
        needs={Precedent: 0, Replay: 0, Part: 1},
        judge=new_code_replays_old_histories,
    ),
    Check(
        id="INV-VER-3",
        subject=Subject.WORKER,
        needs={SourceScan: 0, Precedent: 0, History: 0, Part: 1},
        judge=patches_live_as_they_should,
    ),
)
