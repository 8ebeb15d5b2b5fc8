"""SLO-REL-1: the share of sagas that complete.

An exact one-sided bound at the declared confidence: pass where it keeps the limit, fail where the
bound from the other side breaks it, inconclusive between, with the number of sagas that would do.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness.autocorrelation import share_of
from harness.checks.check import Evidence, Finding, failed, inconclusive, passed
from harness.checks.slo.load import RUNS, Load, Unfit, worst_of_runs
from harness.checks.slo.telling import bursts, in_bursts, inflated, more, rows, sure, worth
from harness.load.samples import FAILURE, HORIZON, SampleOutcome
from harness.statistics import samples_needed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Column = NDArray[Any]

_SHOWN = 5


def completion(evidence: Evidence) -> Finding:
    """'Workflow Reliability: ≥ 99.9% workflow completion rate (excluding business logic failures)'.

    Of all planned starts, those of the warm-up as well: one that was refused, lost, timed out, not
    sent, or unfinished `horizon_s` after its intended start is not completed. Runs that failed of
    `business_failure_types` are left out.
    """
    return worst_of_runs(evidence, RUNS, judge_completion)


def judge_completion(load: Load, parameters: Mapping[str, Any]) -> Finding:
    """Judge the share of a load's sagas that completed; `Unfit` if none is left."""
    minimum, confidence = parameters["completion_min"], parameters["confidence"]
    business = _business_failures(load, parameters["business_failure_types"])
    judged = load.due & ~business
    completed = _in_time(load, parameters["horizon_s"]) & judged
    unknown = (load.cut | _given_up_early(load, parameters["horizon_s"])) & judged
    broken = judged & ~completed & ~unknown
    count, good = int(judged.sum()), int(completed.sum())
    if not count:
        raise Unfit("no start is left to judge: all are business failures or were not due")
    numbers = load.in_time(judged)
    lost = share_of(~completed[numbers])
    lower = 1 - lost.at_most(confidence)
    upper = 1 - share_of(broken[numbers]).at_least(confidence)
    causes = Counter(load.samples.causes[n] or "too late" for n in load.column("cause")[broken])
    figures = {
        **load.figures,
        "minimum": minimum,
        "confidence": confidence,
        "horizon_s": parameters["horizon_s"],
        "judged": count,
        "completed": good,
        "not_completed": dict(sorted(causes.items())),
        "unknown": int(unknown.sum()),
        "business_failures": int(business.sum()),
        "share": good / count,
        "share_lower": lower,
        "share_upper": upper,
        **worth(lost),
    }
    seen = f"{good} of {count} sagas completed"
    promise = f"{minimum:.6g} is promised"
    if lower >= minimum:
        caveat = bursts(lost, "failed", load.span_s(numbers), confidence)
        reason = f"{seen}, {sure(confidence)} a share of at least {lower:.6g}; {promise}{caveat}"
        return passed(reason, **figures)
    if upper < minimum:
        reason = f"{seen}, {sure(confidence)} a share of at most {upper:.6g}; {promise}"
        witnesses = [load.witness(row, "not completed") for row in rows(broken)[:_SHOWN]]
        reason = f"{reason}{in_bursts(lost)}; causes: {_commonest(causes)}"
        return failed(reason, witnesses, **figures)
    failures = math.ceil(lost.hits / lost.inflation)
    needed = inflated(samples_needed(minimum, confidence, failures), lost)
    wanted = more(needed, len(load.samples), load.run)
    seen = f"{seen}{in_bursts(lost)}"
    reason = f"{seen}, which proves no share of {minimum:.6g}: {wanted} if no other one fails"
    return inconclusive(reason, **figures, samples_needed=needed)


def _business_failures(load: Load, types: list[str]) -> Column:
    return load.ended(SampleOutcome.FAIL) & load.caused(*(f"{FAILURE}{name}" for name in types))


def _in_time(load: Load, horizon_s: float) -> Column:
    took_ns = load.column("completed_ns") - load.column("intended_ns")
    return load.ended(SampleOutcome.OK) & (took_ns <= round(horizon_s * 1e9))


def _given_up_early(load: Load, horizon_s: float) -> Column:
    """Rows that the run stopped waiting for before the declared horizon."""
    return load.caused(HORIZON) & (load.samples.origin.horizon_s < horizon_s)


def _commonest(causes: Counter[str]) -> str:
    return ", ".join(f"{cause} ({count})" for cause, count in causes.most_common(3))
