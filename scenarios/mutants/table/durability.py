"""Mutants of durability."""

from __future__ import annotations

from typing import Final

from harness.mutant import Mutant
from harness.platform.breakage import Breakage
from scenarios.mutants.table.broken import STUCK, broken_worker

MUTANTS: Final[tuple[Mutant, ...]] = (
    Mutant(
        name="forward-order",
        expected=("DUR-5",),
        clause="wrong order",
        defect="A failed saga is compensated in the order in which it went.",
        breakage=broken_worker("forward-order"),
        cases=("fails-at-*",),
    ),
    Mutant(
        name="one-forgotten",
        expected=("DUR-5",),
        clause="not compensated",
        defect="A failed saga forgets to compensate its first step.",
        breakage=broken_worker("one-forgotten"),
        cases=("fails-at-*",),
    ),
    Mutant(
        name="doubtful-forgotten",
        expected=("DUR-5",),
        clause="not compensated",
        defect="A step whose outcome is unknown is taken for one that had no effect.",
        breakage=broken_worker("doubtful-forgotten"),
        cases=("doubtful",),
    ),
    Mutant(
        name="completed-undone",
        expected=("DUR-5",),
        clause="compensated though completed",
        defect="A saga that completed is undone all the same.",
        breakage=broken_worker("completed-undone"),
        cases=("all-applied",),
    ),
    Mutant(
        name="one-step-more",
        expected=("DUR-5",),
        clause="effect of no step",
        defect="Each activity works on a step that the program does not have, too.",
        breakage=broken_worker("one-step-more"),
        cases=("all-applied",),
        collateral={
            "INV-ISO-8": "an effect of no step is of no saga that was driven",
            "INV-PDP-6": "nobody knows what such a step may ask",
        },
    ),
    Mutant(
        name="step-left-out",
        expected=("DUR-5",),
        clause="not applied",
        defect="A saga leaves its second step out.",
        breakage=broken_worker("step-left-out"),
        cases=("all-applied",),
        collateral={"INV-IDEM-1": "a completed saga has a step without its effect"},
    ),
    Mutant(
        name="half-refunded",
        expected=("DUR-5",),
        clause="not conserved",
        defect="A compensation gives half of the amount back.",
        breakage=broken_worker("half-refunded"),
        cases=("fails-at-*",),
    ),
    Mutant(
        name="cancel-not-undone",
        expected=("DUR-6",),
        clause="cancelled, not compensated",
        defect="A cancelled saga ends at once, and what it had applied stays.",
        breakage=broken_worker("cancel-not-undone"),
        cases=("cancelled-after-*",),
        collateral={"DUR-5": "a cancelled saga that is not undone is not undone there either"},
    ),
    Mutant(
        name="cancel-is-a-failure",
        expected=("DUR-6",),
        clause="cancel not honoured",
        defect="A cancelled saga is undone, and ends as failed.",
        breakage=broken_worker("cancel-is-a-failure"),
        cases=("cancelled-after-*",),
    ),
    Mutant(
        name="terminate-cancels",
        expected=("DUR-6",),
        clause="terminate not honoured",
        defect="Who asks to terminate a saga has it cancelled, and undone.",
        breakage=Breakage(drive=("terminate-cancels",)),
        cases=("cancelled-after-0",),
    ),
    Mutant(
        name="terminated-started-again",
        expected=("DUR-6",),
        clause="goes on after terminate",
        defect="A terminated saga is started again by who finds it missing.",
        breakage=Breakage(drive=("terminated-started-again",)),
        cases=("cancelled-after-0",),
        parameters=STUCK,
    ),
    Mutant(
        name="constant-interval",
        expected=("DUR-7",),
        clause="no growth",
        defect="Retries come at a constant interval.",
        breakage=broken_worker("constant-interval"),
        cases=("retried-*",),
    ),
    Mutant(
        name="long-interval",
        expected=("DUR-7",),
        clause="too late",
        defect="Retries wait seconds where their policy says milliseconds.",
        breakage=broken_worker("long-interval"),
        cases=("retried-*",),
    ),
    Mutant(
        name="one-attempt-more",
        expected=("DUR-7",),
        clause="wrong number of attempts",
        defect="Activities are tried once more than their policy allows.",
        breakage=broken_worker("one-attempt-more"),
        cases=("attempts-run-out",),
    ),
    Mutant(
        name="one-attempt-less",
        expected=("DUR-7",),
        clause="wrong number of attempts",
        defect="Activities are tried once less than their policy allows.",
        breakage=broken_worker("one-attempt-less"),
        cases=("attempts-run-out",),
    ),
)
