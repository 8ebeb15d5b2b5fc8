"""What recorded histories weigh: their growth, their payloads, runs too small for a workflow."""

from __future__ import annotations

from typing import Final

from harness.checks.check import Check
from harness.checks.growth.bounds import histories_stay_within_bounds
from harness.checks.growth.payloads import payloads_are_small
from harness.checks.growth.requests import no_workflow_for_a_request
from harness.journal.records import History, Program, Subject

CHECKS: Final[tuple[Check, ...]] = (
    Check(
        id="CAP-6",
        subject=Subject.WORKER,
        needs={History: 1},
        judge=histories_stay_within_bounds,
    ),
    Check(id="IMP-3", subject=Subject.WORKER, needs={History: 1}, judge=payloads_are_small),
    Check(
        id="IMP-4",
        subject=Subject.WORKER,
        needs={History: 1, Program: 1},
        judge=no_workflow_for_a_request,
    ),
)
