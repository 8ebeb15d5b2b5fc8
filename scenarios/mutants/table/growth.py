"""Mutants of growth: what histories and payloads weigh."""

from __future__ import annotations

from typing import Final

from harness.mutant import Mutant
from scenarios.mutants.table.broken import broken_worker

_A_RECORD: Final = {"IMP-3": "what is beyond the engine's bound is a large payload, too"}

MUTANTS: Final[tuple[Mutant, ...]] = (
    Mutant(
        name="notes-at-every-step",
        expected=("CAP-6",),
        clause="events",
        defect="A saga keeps a diary in its history, fifty events at every step.",
        breakage=broken_worker("notes-at-every-step"),
        cases=("cut-in-two",),
        parameters={"history_events_most": 40},
    ),
    Mutant(
        name="records-add-up",
        expected=("CAP-6",),
        clause="bytes",
        defect="Each activity answers with the whole business record, and they add up.",
        breakage=broken_worker("record-kept"),
        cases=("cut-in-two",),
        parameters={"history_bytes_most": 50_000},
        collateral=_A_RECORD,
    ),
    Mutant(
        name="record-too-large",
        expected=("CAP-6",),
        clause="blob",
        defect="An activity answers with more than the engine takes without a warning.",
        breakage=broken_worker("large-record-kept"),
        cases=("cut-in-two",),
        collateral=_A_RECORD,
    ),
    Mutant(
        name="children-all-at-once",
        expected=("CAP-6",),
        clause="pending",
        defect="A saga starts children before each step, all of them at once.",
        breakage=broken_worker("children-all-at-once"),
        cases=("cut-in-two",),
        parameters={"pending_most": 3},
    ),
    Mutant(
        name="record-kept",
        expected=("IMP-3",),
        clause="large payload",
        defect="Each activity answers with the whole business record beside its result.",
        breakage=broken_worker("record-kept"),
        cases=("cut-in-two",),
    ),
    Mutant(
        name="child-for-each-step",
        expected=("IMP-4",),
        clause="workflow for a request",
        defect="Each call of a service is wrapped in a workflow of its own.",
        breakage=broken_worker("child-for-each-step"),
        cases=("long",),
        parameters={"short_run_ms": 60_000},
        collateral={"INV-IDEM-8": "a child's result names its own step alone"},
    ),
)
