"""Mutants of input validation."""

from __future__ import annotations

from typing import Final

from harness.mutant import Mutant
from scenarios.mutants.table.broken import STUCK, broken_worker

MUTANTS: Final[tuple[Mutant, ...]] = (
    Mutant(
        name="misfit-taken",
        expected=("MIT-4",),
        clause="misfit taken",
        defect="A saga whose argument does not fit completes with nothing done.",
        breakage=broken_worker("misfit-taken"),
    ),
    Mutant(
        name="misfit-fails-the-task",
        expected=("MIT-4",),
        clause="refused, but not for good",
        defect="An argument that does not fit fails the workflow task, which is tried for ever.",
        breakage=broken_worker("misfit-fails-the-task"),
        parameters=STUCK,
        collateral={"INV-DET-4": "a workflow task that fails is taken for one that cannot replay"},
    ),
    Mutant(
        name="misfit-refused-again",
        expected=("MIT-4",),
        clause="refused, but not for good",
        defect="A run whose argument does not fit fails so that it is tried again.",
        breakage=broken_worker("misfit-refused-again"),
    ),
    Mutant(
        name="works-until-the-misfit",
        expected=("MIT-4",),
        clause="worked before it refused",
        defect="A saga carries out its first node before it looks at the others.",
        breakage=broken_worker("works-until-the-misfit"),
        collateral={"INV-ISO-8": "the effects are of no saga that was driven"},
    ),
    Mutant(
        name="unknown-members-refused",
        expected=("MIT-4",),
        clause="fitting input refused",
        defect="An argument with a member that the worker does not know is refused.",
        breakage=broken_worker("unknown-members-refused"),
        parameters=STUCK,
    ),
)
