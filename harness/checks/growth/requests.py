"""IMP-4: runs that are a request and its answer, and nothing that needs a workflow."""

from __future__ import annotations

from collections.abc import Container
from typing import Any, Final

from harness.checks.check import Evidence, Finding
from harness.checks.growth.weight import LEAST_HISTORIES, Weight, table_of, weights
from harness.checks.histories import groups
from harness.checks.histories.clauses import Broken, conclude

REQUEST: Final = "workflow for a request"
CLAUSES: Final = (REQUEST,)


def no_workflow_for_a_request(evidence: Evidence) -> Finding:
    """ADR, Out of Scope: "Short-lived request/response patterns".

    Counts the runs that end within a declared time with a single activity. Those that the harness
    started, or a driven program asked for, are its own; a child that no program asked for is the
    platform's way to call a service, and out of the ADR's scope. Informs only.
    """
    found = weights(evidence)
    short_ms = float(evidence.parameters["short_run_ms"])
    asked = groups(evidence)
    short = [w for w in found if w.activities == 1 and 0 < w.lasted_ms < short_ms]
    broken = [
        Broken(
            REQUEST,
            f"{weight.name}: {weight.lasted_ms:.0f} ms with a single activity, "
            "and no program asked for it",
            weight.history.path,
        )
        for weight in short
        if not _asked_for(weight, asked)
    ]
    lasted = [weight.lasted_ms for weight in found if weight.lasted_ms]
    lacks = (
        ""
        if len(lasted) >= LEAST_HISTORIES
        else f"{len(lasted)} runs came to a recorded end, {LEAST_HISTORIES} are the least"
    )
    figures: dict[str, Any] = {
        "runs_ended": len(lasted),
        "short_runs_with_one_activity": len(short),
        "lasted_ms": table_of(lasted),
    }
    kept = (
        f"{len(short)} of {len(lasted)} runs ended within {short_ms:g} ms with a single activity, "
        "and the harness's programs asked for each of them"
    )
    return conclude(CLAUSES, broken, [lacks], kept, figures)


def _asked_for(weight: Weight, asked: Container[tuple[str, str]]) -> bool:
    return not weight.child or (weight.history.tenant, weight.history.workflow_id) in asked
