"""INV-IDEM-11: what histories alone make suspicious, and what the ledger says of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from harness.checks.check import Evidence, Finding
from harness.checks.histories import Activity, Place, Run, runs
from harness.checks.histories.clauses import Broken, conclude
from harness.checks.histories.ledger import applied, named, requests
from harness.journal.records import Disposition, Effect

DONE_TWICE: Final = "suspect applied twice"
UNKNOWN: Final = "suspect completed without a trace"
_TRACES: Final = frozenset({Disposition.APPLIED, Disposition.SUPPRESSED, Disposition.VOID})


def no_unexplained_duplicates(evidence: Evidence) -> Finding:
    """ADR, Invariants: "All workflow activities must be idempotent".

    From the histories: every activity that was attempted again or timed out may have had its effect
    more than once. The services' ledger explains each: applied at most once, and where the activity
    completed, known to its service.
    """
    ledger = requests(evidence)
    suspects = list(_suspects(evidence))
    broken = [
        each
        for run, activity in suspects
        for each in _broken(run, activity, ledger.get(_place(run, activity), []))
    ]
    kinds = Counter("timed out" if a.ended == "timed out" else "retried" for _, a in suspects)
    again = sum(len(ledger.get(_place(*each), [])) > 1 for each in suspects)
    figures = {
        "suspects": len(suspects),
        "retried": kinds["retried"],
        "timed_out": kinds["timed out"],
        "requested_again": again,
        "by_activity_type": dict(sorted(Counter(a.type for _, a in suspects).items())),
    }
    lacks = ["" if suspects else "no recorded activity was attempted again or timed out"]
    kept = (
        f"{len(suspects)} activities were attempted again or timed out, {again} of them reached "
        "their service again, and the ledger has none applied twice"
    )
    return conclude((DONE_TWICE, UNKNOWN), broken, lacks, kept, figures)


def _suspects(evidence: Evidence) -> Iterator[tuple[Run, Activity]]:
    for run in runs(evidence).values():
        for activity in run.activities.values():
            if activity.saga_id and (activity.attempt > 1 or activity.ended == "timed out"):
                yield run, activity


def _place(run: Run, activity: Activity) -> Place:
    return run.tenant, activity.saga_id, activity.step, activity.direction


def _broken(run: Run, activity: Activity, effects: list[Effect]) -> Iterator[Broken]:
    done = applied(effects)
    if len(done) > 1:
        yield Broken(DONE_TWICE, "; ".join(map(named, done)), run.history.path)
    if activity.ended == "completed" and not any(e.disposition in _TRACES for e in effects):
        text = f"{run.name} {activity.type}, step {activity.step}, attempt {activity.attempt}"
        yield Broken(UNKNOWN, text, run.history.path)
