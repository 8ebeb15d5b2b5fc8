"""What a workflow costs: bytes between workers and engine, bytes of history that are kept,
CPU time of workers."""

from __future__ import annotations

from typing import Final

from harness.checks.check import Check
from harness.checks.cost.storage import storage_suffices
from harness.checks.cost.traffic import traffic_as_estimated
from harness.checks.cost.worker import workers_are_efficient
from harness.journal.records import Gauge, LoadRun, Stored, Subject, Traffic

CHECKS: Final[tuple[Check, ...]] = (
    Check(
        id="CAP-3",
        subject=Subject.DEPLOYMENT,
        needs={Stored: 1},
        judge=storage_suffices,
    ),
    Check(
        id="CAP-5",
        subject=Subject.DEPLOYMENT,
        needs={Traffic: 2, LoadRun: 1, Gauge: 1},
        judge=traffic_as_estimated,
    ),
    Check(
        id="CAP-7",
        subject=Subject.WORKER,
        needs={LoadRun: 1, Gauge: 1},
        judge=workers_are_efficient,
    ),
)
