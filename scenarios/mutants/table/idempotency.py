"""Mutants of idempotency."""

from __future__ import annotations

from typing import Final

from harness.mutant import Mutant
from harness.platform.breakage import Breakage
from scenarios.mutants.table.broken import APPLIED_TWICE, broken_worker

SEED: Final = ("--seed", "19")  # whose sagas bring all of these defects out
MUTANTS: Final[tuple[Mutant, ...]] = (
    Mutant(
        name="random-key",
        expected=("INV-IDEM-1",),
        clause="applied more than once",
        defect="The idempotency key is random, so a retry after a crash applies again.",
        breakage=broken_worker("random-key"),
        cases=("crash-after-*", "lost-answer-back-*"),
        collateral={
            **APPLIED_TWICE,
            "INV-IDEM-4": "the key of an effect changes with each attempt",
        },
    ),
    Mutant(
        name="services-no-dedupe",
        expected=("INV-IDEM-1",),
        clause="applied more than once",
        defect="The services apply every request, whatever its key.",
        breakage=Breakage(doubles=("services-no-dedupe",)),
        cases=("lost-answer-*",),
        collateral=APPLIED_TWICE,
    ),
    Mutant(
        name="retry-taken-for-done",
        expected=("INV-IDEM-1",),
        clause="completed without its effect",
        defect="A retry takes for granted that the attempt before it had its effect.",
        breakage=broken_worker("retry-taken-for-done"),
        cases=("retry-*",),
        collateral={
            "INV-PDP-1": "the attempt that completes the activity asks nobody",
            "DUR-5": "a completed saga has a step that was not applied",
        },
    ),
    Mutant(
        name="attempt-in-key",
        expected=("INV-IDEM-4",),
        clause="key changes",
        defect="The idempotency key carries the attempt.",
        breakage=broken_worker("attempt-in-key"),
        cases=("lost-answer-*", "retry-*"),
        collateral={**APPLIED_TWICE, "INV-IDEM-1": "a retry under another key is applied again"},
    ),
    Mutant(
        name="run-in-key",
        expected=("INV-IDEM-4",),
        clause="key is not the contract's",
        defect="The idempotency key carries the run id, which continue-as-new changes.",
        breakage=broken_worker("run-in-key"),
        cases=("continued",),
    ),
    Mutant(
        name="one-key-for-all-steps",
        expected=("INV-IDEM-4",),
        clause="key is shared",
        defect="All steps of a saga share one idempotency key.",
        breakage=broken_worker("one-key-for-all-steps"),
        cases=("continued",),
        collateral={
            "DUR-5": "the services take a compensation for its step's duplicate and do nothing"
        },
    ),
    Mutant(
        name="fresh-id-on-conflict",
        expected=("INV-IDEM-6",),
        defect="The starter takes a fresh workflow id when the id is in use.",
        breakage=Breakage(drive=("fresh-workflow-id-on-conflict",)),
    ),
    Mutant(
        name="attempt-in-result",
        expected=("INV-IDEM-8",),
        clause="result differs from the service's",
        defect="The activity's result carries the attempt that made it.",
        breakage=broken_worker("attempt-in-result"),
        cases=("lost-answer-*",),
    ),
    Mutant(
        name="services-fresh-result",
        expected=("INV-IDEM-8",),
        clause="duplicate answered differently",
        defect="The services answer a repeated key with another result.",
        breakage=Breakage(doubles=("services-fresh-result",)),
        cases=("lost-answer-*",),
    ),
    Mutant(
        name="drawn-random-key",
        expected=("INV-IDEM-10",),
        clause="applied more than once",
        defect="The idempotency key is random, and only generated sagas are driven.",
        breakage=broken_worker("random-key"),
        options=SEED,
        collateral={
            **APPLIED_TWICE,
            "INV-IDEM-1": "a retry under another key is applied again",
            "INV-IDEM-4": "the key of an effect changes with each attempt",
        },
    ),
    Mutant(
        name="drawn-taken-for-done",
        expected=("INV-IDEM-10",),
        clause="completed, and not each step once",
        defect="A retry of a generated saga takes for granted that it had its effect.",
        breakage=broken_worker("retry-taken-for-done"),
        options=SEED,
        collateral={
            "INV-IDEM-1": "a completed saga has a step without its effect",
            "INV-PDP-1": "the attempt that completes the activity asks nobody",
            "INV-IDEM-8": "the result is not the service's",
            "DUR-5": "a completed saga has a step that was not applied",
        },
    ),
    Mutant(
        name="doubtful-forgotten-once-continued",
        expected=("INV-IDEM-10",),
        clause="ended otherwise, and not undone",
        defect="After continue-as-new a step of unknown outcome is taken for one without effect.",
        breakage=broken_worker("doubtful-forgotten-once-continued"),
        options=SEED,
        collateral={"DUR-5": "the step is still applied though its saga failed"},
    ),
    Mutant(
        name="drawn-attempt-in-key",
        expected=("INV-IDEM-10",),
        clause="key changes",
        defect="The idempotency key carries the attempt, and only generated sagas are driven.",
        breakage=broken_worker("attempt-in-key"),
        options=SEED,
        collateral={
            **APPLIED_TWICE,
            "INV-IDEM-1": "a retry under another key is applied again",
            "INV-IDEM-4": "the key of an effect changes with each attempt",
        },
    ),
    Mutant(
        name="drawn-attempt-in-result",
        expected=("INV-IDEM-10",),
        clause="results differ",
        defect="The result carries the attempt, and only generated sagas are driven.",
        breakage=broken_worker("attempt-in-result"),
        options=SEED,
        collateral={"INV-IDEM-8": "the history has another result than the service's"},
    ),
)
