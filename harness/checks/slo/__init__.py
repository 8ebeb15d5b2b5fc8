"""Service levels, judged from raw samples of planned load runs."""

from __future__ import annotations

from typing import Final

from harness.checks.check import Check
from harness.checks.slo.activities import activity_latency
from harness.checks.slo.completions import completion
from harness.checks.slo.flooding import flood_is_refused
from harness.checks.slo.neighbours import no_noise_is_felt
from harness.checks.slo.probes import availability
from harness.checks.slo.reads import read_latency
from harness.checks.slo.starts import start_latency
from harness.contract.noop import CAPABILITY
from harness.journal.records import (
    Block,
    Effect,
    Executed,
    Flood,
    Gauge,
    LoadRun,
    Stored,
    Subject,
)

CHECKS: Final[tuple[Check, ...]] = (
    Check(id="SLO-START-1", subject=Subject.DEPLOYMENT, needs={LoadRun: 1}, judge=start_latency),
    Check(
        id="SLO-ACT-1",
        subject=Subject.DEPLOYMENT,
        needs={LoadRun: 1, Gauge: 1, Stored: 1, Executed: 0},
        judge=activity_latency,
        capabilities=frozenset({CAPABILITY}),
    ),
    Check(id="SLO-VIS-1", subject=Subject.DEPLOYMENT, needs={LoadRun: 1}, judge=read_latency),
    Check(id="SLO-AVL-1", subject=Subject.DEPLOYMENT, needs={LoadRun: 1}, judge=availability),
    Check(id="SLO-REL-1", subject=Subject.DEPLOYMENT, needs={LoadRun: 1}, judge=completion),
    Check(
        id="INV-ISO-14",
        subject=Subject.DEPLOYMENT,
        needs={LoadRun: 1, Block: 2, Flood: 1, Executed: 0, Stored: 0, Gauge: 0},
        judge=no_noise_is_felt,
    ),
    Check(
        id="THR-D",
        subject=Subject.DEPLOYMENT,
        needs={LoadRun: 1, Block: 2, Flood: 1, Effect: 0, Gauge: 0},
        judge=flood_is_refused,
    ),
)
