"""Mutants of the deployment as a whole."""

from __future__ import annotations

from typing import Final

from harness.mutant import Mutant
from harness.platform.breakage import Breakage
from scenarios.mutants.table.broken import STUCK, broken_worker

MUTANTS: Final[tuple[Mutant, ...]] = (
    Mutant(
        name="retention-of-a-week",
        expected=("CAP-2",),
        clause="retention is not as promised",
        defect="One tenant's namespace keeps closed runs for a week.",
        breakage=Breakage(drive=("retention-too-short",)),
    ),
    Mutant(
        name="closed-runs-kept",
        expected=("CAP-2",),
        clause="closed run outlives its retention",
        defect="The engine spreads the deletion of closed runs over days.",
        breakage=Breakage(engine={"history.retentionTimerJitterDuration": "240h"}),
        parameters=STUCK,
    ),
    Mutant(
        name="health-not-served",
        expected=("ASM-1",),
        clause="engine is not serving",
        defect="The health check of the deployment asks for a service that is not there.",
        breakage=Breakage(drive=("health-asked-elsewhere",)),
    ),
    Mutant(
        name="engine-too-old",
        expected=("ASM-1",),
        clause="engine is too old",
        defect="The platform needs a newer engine than it runs on.",
        parameters={"engine_version_min": "99.0.0"},
    ),
    Mutant(
        name="sdk-of-another-name",
        expected=("IFC-1",),
        clause="SDK that the decision record does not name",
        defect="The worker is written with an SDK that the decision record does not name.",
        breakage=broken_worker("sdk-of-another-name"),
    ),
)
