"""What holds of the deployment as a whole: retention, the engine's state, who works on it."""

from __future__ import annotations

from harness.checks.check import Check
from harness.checks.deployment.census import workers_are_of_named_sdks
from harness.checks.deployment.retention import closed_runs_are_kept_as_long_as_promised
from harness.checks.deployment.smoke import engine_can_be_operated
from harness.journal.records import History, Operation, Subject

__all__ = ["CHECKS"]

CHECKS: tuple[Check, ...] = (
    Check(
        id="CAP-2",
        subject=Subject.DEPLOYMENT,
        needs={Operation: 1},
        judge=closed_runs_are_kept_as_long_as_promised,
    ),
    Check(id="ASM-1", subject=Subject.ENGINE, needs={Operation: 1}, judge=engine_can_be_operated),
    Check(
        id="IFC-1",
        subject=Subject.WORKER,
        needs={History: 1, Operation: 0},
        judge=workers_are_of_named_sdks,
    ),
)
