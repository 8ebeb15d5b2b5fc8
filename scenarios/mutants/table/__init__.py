"""The table of mutants: what is broken on purpose, and which check must notice.

One module for each area. `cases` of a row names those cases of the suites that bring the defect
out; where it is missing, all cases that feed the expected IDs are driven.
"""

from __future__ import annotations

from typing import Final

from harness.mutant import Mutant
from scenarios.mutants.table import (
    audit,
    authorization,
    deployment,
    determinism,
    durability,
    equivalents,
    growth,
    idempotency,
    isolation,
    load_and_chaos,
    neighbours,
    next_builds,
    replayed,
    rollout,
    validation,
)
from scenarios.mutants.table.unkilled import UNKILLED

__all__ = ["EQUIVALENTS", "MUTANTS", "UNKILLED"]

EQUIVALENTS: Final[tuple[Mutant, ...]] = (
    *equivalents.EQUIVALENTS,
    *replayed.EQUIVALENTS,
    *next_builds.EQUIVALENTS,
    *neighbours.EQUIVALENTS,
)
MUTANTS: Final[tuple[Mutant, ...]] = (
    *isolation.MUTANTS,
    *authorization.MUTANTS,
    *idempotency.MUTANTS,
    *replayed.MUTANTS,
    *determinism.MUTANTS,
    *next_builds.MUTANTS,
    *audit.MUTANTS,
    *durability.MUTANTS,
    *growth.MUTANTS,
    *validation.MUTANTS,
    *rollout.MUTANTS,
    *deployment.MUTANTS,
    *load_and_chaos.MUTANTS,
    *neighbours.MUTANTS,
)
