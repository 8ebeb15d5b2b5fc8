"""The table of checks: one row for each assertion that the harness judges."""

from __future__ import annotations

from typing import Final

from harness.checks import (
    audit,
    authorization,
    capacity,
    compatibility,
    cost,
    deployment,
    determinism,
    durability,
    growth,
    idempotency,
    isolation,
    rollout,
    slo,
    validation,
)
from harness.checks.check import Check

TABLE: Final[tuple[Check, ...]] = (
    *isolation.CHECKS,
    *authorization.CHECKS,
    *idempotency.CHECKS,
    *determinism.CHECKS,
    *compatibility.CHECKS,
    *audit.CHECKS,
    *durability.CHECKS,
    *growth.CHECKS,
    *validation.CHECKS,
    *rollout.CHECKS,
    *deployment.CHECKS,
    *slo.CHECKS,
    *cost.CHECKS,
    *capacity.CHECKS,
)
CHECKED: Final = frozenset(check.id for check in TABLE)
# Which assertions a profile asks; what is in none of those asked is out of profile.
LOAD: Final = (
    "SLO-START-1",
    "SLO-ACT-1",
    "SLO-VIS-1",
    "SLO-AVL-1",
    "SLO-REL-1",
    "CAP-1",
    "CAP-3",
    "CAP-5",
    "CAP-7",
    "DUR-10",
    "INV-ISO-14",
    "THR-D",
)
CHAOS: Final = ("DUR-2",)
PROFILES: Final = {
    "core": tuple(check.id for check in TABLE if check.id not in {*LOAD, *CHAOS}),
    "load": LOAD,
    "chaos": CHAOS,
}
