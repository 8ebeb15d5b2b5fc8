"""SLO-VIS-1: how long each kind of read takes, over namespaces that are as full as declared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from harness.checks.check import Clause, Evidence, Finding, inconclusive
from harness.checks.histories.clauses import COVERAGE
from harness.checks.slo.latency import Limit, judge_latency
from harness.checks.slo.load import Load, Unfit, worst_of_runs
from harness.outcome import Outcome, worst

CLAUSES: Final[Mapping[str, str]] = {
    "DESCRIBE": "describe",
    "HISTORY": "first page of a history",
    "QUERY": "query",
    "LIST": "list",
    "COUNT": "count",
}


def read_latency(evidence: Evidence) -> Finding:
    """'Visibility API Latency p95: ≤ 200ms for workflow state queries'.

    Each kind of read on its own, from its intended time; one that was never answered took for
    ever. A namespace that holds fewer runs than `visibility_volume` proves no limit kept, as an
    answer over ten rows is fast anywhere; a limit that is broken there is broken.
    """
    return worst_of_runs(evidence, CLAUSES, _judged)


def _judged(load: Load, parameters: Mapping[str, Any]) -> Finding:
    found = {clause: _of_kind(load, kind, parameters) for kind, clause in CLAUSES.items()}
    declared = int(parameters["visibility_volume"])
    volume = min(load.samples.origin.volumes, default=0)
    thin = ""
    if volume < declared:
        thin = f"the namespaces held {volume:,} runs, {declared:,} are declared: a pass needs these"
    outcome = worst(each.outcome for each in found.values())
    told = [f for f in found.values() if f.outcome is outcome]
    if outcome is Outcome.PASS and thin:
        outcome = Outcome.INCONCLUSIVE
        reason = thin
    else:
        reason = "; ".join(f.reason for f in told)
    return Finding(
        outcome=outcome,
        reason=reason,
        figures={
            **load.figures,
            "volume": volume,
            "declared_volume": declared,
            "reads": {clause: _own(load, f) for clause, f in found.items()},
        },
        witnesses=[witness for f in told for witness in f.witnesses],
        clauses=[
            *(Clause(name=c, outcome=f.outcome, reason=f.reason) for c, f in found.items()),
            Clause(
                name=COVERAGE,
                outcome=Outcome.INCONCLUSIVE if thin else Outcome.PASS,
                reason=thin,
            ),
        ],
    )


def _of_kind(load: Load, kind: str, parameters: Mapping[str, Any]) -> Finding:
    chosen = replace(load, samples=load.samples.of((kind,)))
    limit = Limit(
        what=f"reads ({CLAUSES[kind]})",
        limit_ms=parameters["visibility_p95_limit_ms"],
        confidence=parameters["confidence"],
    )
    try:
        return judge_latency(chosen, "answered_ns", limit)
    except Unfit as reason:
        return inconclusive(str(reason))


def _own(load: Load, finding: Finding) -> dict[str, Any]:
    """The figures of one kind of read, without those of the run."""
    return {name: each for name, each in finding.figures.items() if name not in load.figures}
