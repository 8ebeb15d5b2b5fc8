"""Durability: sagas are all or compensated, retries back off, partitions lose nothing."""

from __future__ import annotations

from typing import Final

from harness.checks.check import Check
from harness.checks.durability.backoff import retries_back_off
from harness.checks.durability.endings import cancel_undoes_and_terminate_leaves
from harness.checks.durability.limits import limits_hold
from harness.checks.durability.partition import partitions_lose_nothing
from harness.checks.durability.saga import all_or_compensated
from harness.journal.records import (
    Balance,
    Decision,
    Effect,
    Fault,
    Gauge,
    History,
    Operation,
    Program,
    Record,
    Subject,
)

_LEDGER: Final[dict[type[Record], int]] = {Effect: 1, Program: 1, History: 1}

CHECKS: Final[tuple[Check, ...]] = (
    Check(
        id="DUR-2",
        subject=Subject.DEPLOYMENT,
        needs={**_LEDGER, Fault: 1, Operation: 1, Gauge: 1},
        judge=partitions_lose_nothing,
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
        needs={Program: 1, History: 1, Operation: 0},
        judge=limits_hold,
    ),
)
