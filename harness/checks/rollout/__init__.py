"""Versions of workflow code, and how they are rolled out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from harness.checks.check import Check, Evidence, Finding
from harness.checks.rollout.beside import drained_before_removed, versions_work_side_by_side
from harness.checks.rollout.compatible import (
    builds_are_semantic,
    deprecated_versions_get_no_runs,
    old_runs_keep_their_version,
)
from harness.checks.rollout.routing import (
    new_runs_use_the_new_version,
    ramp_keeps_its_share,
    rollback_reverts,
)
from harness.checks.rollout.versioned import every_run_has_a_version
from harness.journal.records import History, Operation, Part, Subject

__all__ = ["CHECKS"]

_VERSIONED: Final = frozenset({"versioning"})


def _rolled(assertion_id: str, subject: Subject, judge: Callable[[Evidence], Finding]) -> Check:
    return Check(
        id=assertion_id,
        subject=subject,
        needs={Operation: 1, History: 1, Part: 0},
        judge=judge,
        capabilities=_VERSIONED,
    )


CHECKS: tuple[Check, ...] = (
    Check(
        id="INV-VER-1",
        subject=Subject.WORKER,
        needs={History: 1, Part: 0},
        judge=every_run_has_a_version,
        capabilities=_VERSIONED,
    ),
    _rolled("CMP-1", Subject.WORKER, old_runs_keep_their_version),
    _rolled("CMP-2", Subject.WORKER, builds_are_semantic),
    _rolled("CMP-3", Subject.ENGINE, deprecated_versions_get_no_runs),
    _rolled("ROL-1", Subject.WORKER, versions_work_side_by_side),
    _rolled("ROL-2", Subject.DEPLOYMENT, new_runs_use_the_new_version),
    _rolled("ROL-3", Subject.ENGINE, ramp_keeps_its_share),
    _rolled("ROL-4", Subject.DEPLOYMENT, rollback_reverts),
    _rolled("ROL-7", Subject.DEPLOYMENT, drained_before_removed),
)
