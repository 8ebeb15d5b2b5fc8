"""Determinism: what was replayed, what was read, what was seen in the field."""

from __future__ import annotations

from typing import Final

from harness.checks.check import Check
from harness.checks.determinism.code import code_passes_the_rules, sandbox_is_on
from harness.checks.determinism.detectors import detectors_are_proven
from harness.checks.determinism.field import no_nondeterminism_in_the_field
from harness.checks.determinism.replays import (
    restarts_change_nothing,
    stock_replay_agrees,
    strict_replay_agrees,
)
from harness.checks.determinism.surroundings import surroundings_change_nothing
from harness.checks.determinism.wire import worker_answers_as_recorded
from harness.journal.records import (
    History,
    Operation,
    Part,
    Process,
    Record,
    Replay,
    Seed,
    SourceScan,
    Subject,
    Surroundings,
)

_REPLAYED: Final[dict[type[Record], int]] = {Replay: 1, History: 1}
_READ: Final[dict[type[Record], int]] = {SourceScan: 0, Part: 1}

CHECKS: Final[tuple[Check, ...]] = (
    Check(id="INV-DET-1", subject=Subject.WORKER, needs=_REPLAYED, judge=stock_replay_agrees),
    Check(id="INV-DET-2", subject=Subject.WORKER, needs=_REPLAYED, judge=strict_replay_agrees),
    Check(
        id="INV-DET-3",
        subject=Subject.WORKER,
        needs={Replay: 0, Surroundings: 0, History: 0, Part: 1},
        judge=surroundings_change_nothing,
    ),
    Check(
        id="INV-DET-4",
        subject=Subject.WORKER,
        needs={Replay: 1, History: 1, Process: 1, Operation: 1},
        judge=restarts_change_nothing,
    ),
    Check(id="INV-DET-5", subject=Subject.WORKER, needs=_READ, judge=code_passes_the_rules),
    Check(id="INV-DET-6", subject=Subject.WORKER, needs=_READ, judge=sandbox_is_on),
    Check(
        id="INV-DET-7",
        subject=Subject.WORKER,
        needs={History: 1, Operation: 1},
        judge=no_nondeterminism_in_the_field,
    ),
    Check(
        id="INV-DET-8",
        subject=Subject.WORKER,
        needs={Seed: 0, Replay: 0, Part: 1},
        judge=detectors_are_proven,
    ),
    Check(
        id="INV-DET-9",
        subject=Subject.WORKER,
        needs=_REPLAYED,
        judge=worker_answers_as_recorded,
    ),
)
