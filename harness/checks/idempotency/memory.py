"""INV-IDEM-12: how long keys are remembered, against how long anything can be repeated.

Expected of the drive: an Operation `namespace` for each tenant whose result has `retention_s`, and
a saga of this assertion that is started again, under another workflow id, when all else is over.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from harness.checks.check import Evidence, Finding
from harness.checks.histories import coverage, runs
from harness.checks.histories.clauses import Broken, conclude
from harness.checks.histories.ledger import applied, named, requests
from harness.journal.records import Disposition, Effect, Ending, Operation

FORGOTTEN: Final = "key forgotten"
SHORT_OF_RETRIES: Final = "memory shorter than the retries"
SHORT_OF_RETENTION: Final = "memory shorter than the retention"
_HOUR_S: Final = 3600
_NS: Final = 1e9


def keys_outlast_repetition(evidence: Evidence) -> Finding:
    """ADR, Invariants: "use Temporal's built-in idempotency keys"; Capacity: "retention policy: 90
    days".

    The declared memory of keys is no shorter than the longest time in which an activity may be
    retried, nor than the retention, within which a run can be reset. And a saga that is delivered
    again at the end of the drive has no second effect.
    """
    declared_h = float(evidence.parameters.get("key_memory_hours", 0))
    retries_s = max((run.longest_retry_s for run in runs(evidence).values()), default=0.0)
    retention_s = max(_retentions(evidence), default=0.0)
    probes = list(_probes(evidence))
    broken = [
        Broken(FORGOTTEN, f"applied again: {named(again)}")
        for effects in probes
        for again in applied(effects)[1:]
    ]
    broken += _too_short(declared_h * _HOUR_S, retries_s, retention_s)
    remembered_s = max(map(_remembered_s, probes), default=0.0)
    lacks = [
        coverage(evidence, "INV-IDEM-12").lacks,
        ""
        if declared_h
        else "how long the services remember keys is not declared (key_memory_hours)",
        "" if retention_s else "the namespaces' retention is not known",
        "" if retries_s else "no recorded activity says how long it may be retried",
        "" if remembered_s else "no effect was asked for again at the end",
    ]
    figures = {
        "declared_hours": declared_h,
        "retention_hours": round(retention_s / _HOUR_S, 2),
        "longest_retry_s": retries_s,
        "probed_effects": len(probes),
        "remembered_at_least_s": round(remembered_s, 1),
    }
    kept = (
        f"keys are declared to be remembered for {declared_h:g} h, no less than the retention of "
        f"{retention_s / _HOUR_S:g} h and than retries of {retries_s:g} s; probed over "
        f"{remembered_s:.1f} s with {len(probes)} effects"
    )
    clauses = (FORGOTTEN, SHORT_OF_RETRIES, SHORT_OF_RETENTION)
    return conclude(clauses, broken, lacks, kept, figures)


def _retentions(evidence: Evidence) -> Iterator[float]:
    for op in evidence.of(Operation):
        if op.name == "namespace" and op.ending is Ending.OK and op.result:
            yield float(op.result["retention_s"])


def _too_short(declared_s: float, retries_s: float, retention_s: float) -> Iterator[Broken]:
    if 0 < declared_s < retries_s:
        text = f"keys are remembered for {declared_s:g} s, an activity is retried for {retries_s:g}"
        yield Broken(SHORT_OF_RETRIES, text)
    if 0 < declared_s < retention_s:
        text = f"keys are remembered for {declared_s:g} s, a run can be reset for {retention_s:g}"
        yield Broken(SHORT_OF_RETENTION, text)


def _probes(evidence: Evidence) -> Iterator[list[Effect]]:
    """The effects of its own sagas that were asked for by more than one workflow."""
    fed = {(saga.tenant, saga.saga_id) for saga in coverage(evidence, "INV-IDEM-12").fed}
    for place, effects in requests(evidence).items():
        if place[:2] in fed and len({each.workflow_id for each in effects}) > 1:
            yield effects


def _remembered_s(effects: list[Effect]) -> float:
    """From the application of an effect to the last time that its key was still known."""
    since = [each.applied_ns for each in applied(effects)]
    until = [e.received_ns for e in effects if e.disposition is Disposition.SUPPRESSED]
    return (max(until) - min(since)) / _NS if since and until else 0.0
