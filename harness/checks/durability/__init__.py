"""Durability: sagas are all or compensated, retries back off, partitions lose nothing."""

from __future__ import annotations

from typing import Final

from harness.checks.check import Check
from harness.checks.durability.backoff import retries_back_off
from harness.checks.durability.endings import cancel_undoes_and_terminate_leaves
from harness.checks.durability.limits import limits_hold
from harness.checks.durability.messages import acknowledged_messages_are_kept
from harness.checks.durability.partition import partitions_lose_nothing
from harness.checks.durability.restarts import restarts_leave_the_course
from harness.checks.durability.saga import all_or_compensated
from harness.checks.durability.sleep import sleepers_wake_when_due
from harness.journal.records import (
    Balance,
    Decision,
    Effect,
    Fault,
    Gauge,
    History,
    Operation,
    Process,
    Program,
    Record,
    Subject,
    Tapped,
)

_LEDGER: Final[dict[type[Record], int]] = {Effect: 1, Program: 1, History: 1}

CHECKS: Final[tuple[Check, ...]] = (
    Check(
        id="DUR-1",
        subject=Subject.WORKER,
        needs={**_LEDGER, Process: 1},
        judge=restarts_leave_the_course,
    ),
    Check(
        id="DUR-2",
        subject=Subject.DEPLOYMENT,
        needs={**_LEDGER, Fault: 1, Operation: 1, Gauge: 1},
        judge=partitions_lose_nothing,
    ),
    Check(
        id="DUR-4",
        subject=Subject.WORKER,
        needs={**_LEDGER, Operation: 1, Process: 1},
        judge=sleepers_wake_when_due,
    ),
    Check(
        id="DUR-5",
        subject=Subject.WORKER,
        needs={**_LEDGER, Decision: 0, Balance: 0},
        judge=all_or_compensated,
    ),
    Check(
        id="DUR-6",
        subject=Subject.WORKER,
        needs={**_LEDGER, Decision: 0, Operation: 1},
        judge=cancel_undoes_and_terminate_leaves,
    ),
    Check(id="DUR-7", subject=Subject.WORKER, needs=_LEDGER, judge=retries_back_off),
    Check(
        id="DUR-8",
        subject=Subject.WORKER,
        needs={Program: 1, History: 1, Operation: 0, Decision: 0, Effect: 0},
        judge=limits_hold,
    ),
    Check(
        id="DUR-9",
        subject=Subject.WORKER,
        needs={Program: 1, History: 1, Operation: 1, Process: 0, Tapped: 0},
        judge=acknowledged_messages_are_kept,
    ),
)
