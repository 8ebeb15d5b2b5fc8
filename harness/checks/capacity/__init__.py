"""How much the platform carries: the knee against the declared volume, and with more workers."""

from __future__ import annotations

from typing import Final

from harness.checks.capacity.scaling import throughput_grows
from harness.checks.capacity.volume import volume_is_carried
from harness.checks.check import Check
from harness.journal.records import Gauge, LoadRun, Search, Step, Subject

CHECKS: Final[tuple[Check, ...]] = (
    Check(
        id="CAP-1",
        subject=Subject.DEPLOYMENT,
        needs={Step: 1, LoadRun: 1, Search: 0, Gauge: 0},
        judge=volume_is_carried,
    ),
    Check(
        id="DUR-10",
        subject=Subject.DEPLOYMENT,
        needs={Step: 1, LoadRun: 1, Search: 0, Gauge: 0},
        judge=throughput_grows,
    ),
)
