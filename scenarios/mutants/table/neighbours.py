"""Mutants that only a flooding tenant brings out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from harness.mutant import Mutant
from harness.platform.breakage import NOTHING, Breakage
from scenarios.mutants.table.broken import broken_worker

# a limit of a start that leaves the generator room to be late, beside two other mutants
_ROOM: Final[dict[str, Any]] = {"start_p95_limit_ms": 800}


def _beside_a_flood(
    name: str,
    expected: tuple[str, ...],
    defect: str,
    *options: str,
    breakage: Breakage = NOTHING,
    parameters: Mapping[str, Any] | None = None,
    equivalent: bool = False,
) -> Mutant:
    """One tenant works, another floods, in short blocks."""
    return Mutant(
        name=name,
        expected=expected,
        defect=defect,
        breakage=breakage,
        parameters={**_ROOM, **(parameters or {})},
        arm="load",
        profile="load",
        options=("--workload", "neighbours", "--pairs", "6", *options),
        equivalent=equivalent,
        never_red_suffices=equivalent,
    )


MUTANTS: Final[tuple[Mutant, ...]] = (
    _beside_a_flood(
        "one-allowance-for-all",
        ("INV-ISO-14", "THR-D"),
        "All tenants share one allowance of calls, so who floods takes that of the others.",
        *("--flood", "signals", "--rate", "3", "--flood-rate", "400", "--duration", "40"),
        breakage=Breakage(engine={"frontend.rps": 40}),
        parameters={"tenant_calls_per_s": 40, "horizon_s": 3},
    ),
    _beside_a_flood(
        "one-worker-for-all",
        ("INV-ISO-14",),
        "One worker serves all tenants, gives up sagas and answers late when many signals come.",
        *("--flood", "signals", "--rate", "3", "--flood-rate", "20", "--duration", "45"),
        breakage=replace(broken_worker("overwhelmed"), drive=("one-worker-for-all",)),
        parameters={"completion_min": 0.7, "visibility_p95_limit_ms": 500},
    ),
    _beside_a_flood(
        "one-workers-hands-full",
        ("INV-ISO-14",),
        "One worker serves all tenants, and has few hands left when many signals come.",
        *("--flood", "signals", "--rate", "3", "--flood-rate", "20", "--duration", "45"),
        breakage=replace(broken_worker("hands-full"), drive=("one-worker-for-all",)),
        parameters={"completion_min": 0.5, "activity_p95_limit_ms": 500},
    ),
    _beside_a_flood(
        "flood-let-through",
        ("THR-D",),
        "No tenant is refused anything, whatever is declared.",
        *("--flood", "signals,lists", "--rate", "2", "--flood-rate", "30", "--duration", "20"),
        parameters={"tenant_calls_per_s": 10},
    ),
    _beside_a_flood(
        "queue-without-limit",
        ("THR-D",),
        "The declared rate of a task queue is not set anywhere.",
        *("--flood", "activities", "--rate", "1", "--flood-rate", "6", "--duration", "20"),
        breakage=Breakage(drive=("queue-limit-unset",)),
        parameters={"queue_activities_per_s": 5},
    ),
)
EQUIVALENTS: Final[tuple[Mutant, ...]] = (
    _beside_a_flood(
        "an-allowance-for-each",
        ("INV-ISO-14", "THR-D"),
        "Each tenant has an allowance of calls of its own.",
        *("--flood", "signals", "--rate", "2", "--flood-rate", "150", "--duration", "40"),
        breakage=Breakage(
            engine={"frontend.namespaceRPS": 60, "frontend.namespaceBurstRatio": 1.0}
        ),
        parameters={"tenant_calls_per_s": 60, "completion_min": 0.5},
        equivalent=True,
    ),
    _beside_a_flood(
        "queue-at-its-rate",
        ("THR-D",),
        "The flooding tenant's queue dispatches no more than is declared.",
        *("--flood", "activities", "--rate", "1", "--flood-rate", "6", "--duration", "30"),
        parameters={"queue_activities_per_s": 5},
        equivalent=True,
    ),
)
