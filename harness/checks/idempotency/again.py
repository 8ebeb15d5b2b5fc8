"""INV-IDEM-5: the same business effect asked for by another run, for each cause of one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from harness.checks.check import Evidence, Finding
from harness.checks.histories import Coverage, Place, Run, coverage, runs
from harness.checks.histories.clauses import Broken, conclude
from harness.checks.histories.ledger import applied, named, requests

RESET: Final = "reset"
RETRIED: Final = "workflow retry"
CONTINUED: Final = "continue-as-new"
CRON: Final = "cron"
SCHEDULED: Final = "schedule"
REDELIVERED: Final = "redelivery"
CAUSES: Final = (RESET, RETRIED, CONTINUED, CRON, SCHEDULED, REDELIVERED)
_INITIATORS: Final = {"RETRY": RETRIED, "CRON_SCHEDULE": CRON, "WORKFLOW": CONTINUED}
PARAMETER: Final = "same_effect_after_reset"
SagaKey = tuple[str, str]


def effects_are_as_declared(evidence: Evidence) -> Finding:
    """ADR, Invariants: "use Temporal's built-in idempotency keys".

    A saga's step runs again in another run: after a reset, a workflow retry or continue-as-new, by
    cron, by a schedule whose runs overlap, or because the saga was delivered under another workflow
    id. Its effect is suppressed, or repeated once for each run, as `same_effect_after_reset`
    declares.
    """
    repeated = evidence.parameters.get(PARAMETER) == "repeat"
    driven = coverage(evidence, "INV-IDEM-5")
    ledger = requests(evidence)
    counts = dict.fromkeys(CAUSES, 0)
    broken: list[Broken] = []
    for saga, ours in _runs_of_sagas(evidence, driven).items():
        asked = _asked(ours)
        for cause in _causes(ours):
            again = [place for place, by in asked.items() if len(by) > 1 or cause == CONTINUED]
            counts[cause] += len(again)
            for place in again:
                done = applied(ledger.get(place, []))
                if len(done) != (len(asked[place]) if repeated else 1):
                    shown = "; ".join(map(named, done[:3])) or f"{saga[0]} saga {saga[1]}: none"
                    text = f"{len(done)} times over {len(asked[place])} runs: {shown}"
                    broken.append(Broken(cause, text))
    lacks = [driven.lacks, *_missing(driven, counts)]
    meaning = "repeated" if repeated else "suppressed"
    kept = (
        f"{sum(counts.values())} effects whose step came again after {', '.join(CAUSES)} were "
        f"{meaning}, as declared"
    )
    figures = {"declared": "repeat" if repeated else "suppress", "asked_again": counts}
    return conclude(CAUSES, broken, lacks, kept, figures)


def _missing(driven: Coverage, counts: dict[str, int]) -> Iterator[str]:
    """A cause that nothing came of; continue-as-new only if a saga was to do it."""
    continuing = any(
        node.get("kind") == "continue_as_new" for saga in driven.fed for node in saga.nodes
    )
    for cause, count in counts.items():
        if not count and (cause != CONTINUED or continuing):
            yield f"no effect was asked for again by {cause}"


def _runs_of_sagas(evidence: Evidence, driven: Coverage) -> dict[SagaKey, list[Run]]:
    fed = {(saga.tenant, saga.saga_id) for saga in driven.fed}
    found: dict[SagaKey, list[Run]] = {}
    for run in runs(evidence).values():
        if (run.tenant, run.saga_id) in fed:
            found.setdefault((run.tenant, run.saga_id), []).append(run)
    return {saga: ours for saga, ours in found.items() if len(ours) > 1}


def _asked(ours: list[Run]) -> dict[Place, set[str]]:
    """The runs in which each effect's activity completed."""
    found: dict[Place, set[str]] = {}
    for run in ours:
        for activity in run.activities.values():
            if activity.ended == "completed":
                place = (run.tenant, activity.saga_id, activity.step, activity.direction)
                found.setdefault(place, set()).add(run.history.run_id)
    return found


def _causes(ours: list[Run]) -> set[str]:
    """Why a saga has more than one run."""
    found = {_INITIATORS.get(run.initiator, "") for run in ours}
    found |= {RESET for run in ours if run.reset_ns}
    if len({run.history.workflow_id for run in ours}) > 1:
        found.add(SCHEDULED if any(run.scheduled_by for run in ours) else REDELIVERED)
    return found & {*CAUSES}
