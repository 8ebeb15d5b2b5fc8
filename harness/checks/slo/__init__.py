"""Service levels, judged from raw samples of planned load runs."""

from __future__ import annotations

from typing import Final

from harness.checks.check import Check
from harness.checks.slo.completions import completion
from harness.checks.slo.probes import availability
from harness.checks.slo.reads import read_latency
from harness.checks.slo.starts import start_latency
from harness.journal.records import LoadRun, Subject

CHECKS: Final[tuple[Check, ...]] = (
    Check(id="SLO-START-1", subject=Subject.DEPLOYMENT, needs={LoadRun: 1}, judge=start_latency),
    Check(id="SLO-VIS-1", subject=Subject.DEPLOYMENT, needs={LoadRun: 1}, judge=read_latency),
    Check(id="SLO-AVL-1", subject=Subject.DEPLOYMENT, needs={LoadRun: 1}, judge=availability),
    Check(id="SLO-REL-1", subject=Subject.DEPLOYMENT, needs={LoadRun: 1}, judge=completion),
)
