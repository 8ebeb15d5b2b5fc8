"""SLO-AVL-1: the availability that a canary saga a second shows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from harness.autocorrelation import share_of
from harness.checks.check import Evidence, Finding, failed, inconclusive
from harness.checks.slo.load import Load, Unfit, worst_of_runs
from harness.checks.slo.telling import in_bursts, inflated, more, rows, sure, worth
from harness.load.samples import SampleOutcome
from harness.statistics import samples_needed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Column = NDArray[Any]

PROBE: Final = "probe"
MOST_APART_S: Final = 1.01  # a probe a second, evenly planned
DAY_S: Final = 86_400.0
_SHOWN: Final = 5


def availability(evidence: Evidence) -> Finding:
    """'Cluster Availability: ≥ 99.95% uptime'.

    A probe succeeds if its saga was started and completed within `horizon_s`. A share that is
    proven to be too low fails. One that is proven for the time of the run is said, and no pass: the
    promise is of `availability_window_days`, of which minutes say nothing.
    """
    return worst_of_runs(evidence, (PROBE,), _judged)


def _judged(load: Load, parameters: Mapping[str, Any]) -> Finding:
    minimum, confidence = parameters["availability_min"], parameters["confidence"]
    judged = load.due & ~load.cut
    numbers = load.in_time(judged)
    if not len(numbers):
        raise Unfit("no probe came to be due")
    took_ns = load.column("completed_ns") - load.column("intended_ns")
    well = load.ended(SampleOutcome.OK) & (took_ns <= round(parameters["horizon_s"] * 1e9))
    failures = share_of(~well[numbers])
    count, span_s = len(numbers), load.span_s(numbers)
    share = 1 - failures.hits / count
    lower, upper = 1 - failures.at_most(confidence), 1 - failures.at_least(confidence)
    window_days = float(parameters["availability_window_days"])
    budget_s = window_days * DAY_S * (1 - minimum)
    apart_s = span_s / max(1, count - 1)
    figures = {
        **load.figures,
        "minimum": minimum,
        "confidence": confidence,
        "probes": count,
        "failed": failures.hits,
        "share": share,
        "share_lower": lower,
        "share_upper": upper,
        "seconds_apart": round(apart_s, 3),
        "burn_rate": round((1 - share) / (1 - minimum), 3),
        "worst_five_minutes_burn_rate": round(_worst_burn(~well[numbers], apart_s, minimum), 3),
        "budget_s": round(budget_s, 1),
        "budget_used": round(failures.hits * apart_s / budget_s, 6),
        **worth(failures),
    }
    seen = f"{count - failures.hits} of {count} probes succeeded"
    if upper < minimum:
        broken = rows(judged & ~well)[:_SHOWN]
        reason = f"{seen}, {sure(confidence)} a share of at most {upper:.6g}{in_bursts(failures)}"
        return failed(
            f"{reason}; {minimum:.6g} is promised",
            [load.witness(row, "did not succeed") for row in broken],
            **figures,
        )
    if apart_s > MOST_APART_S and count > 1:
        reason = f"{seen}, one every {apart_s:.3g} s: one a second is asked"
        return inconclusive(reason, **figures)
    if lower < minimum:
        needed = samples_needed(minimum, confidence, math.ceil(failures.hits / failures.inflation))
        needed = inflated(needed, failures)
        wanted = more(needed, len(load.samples), load.run)
        reason = f"{seen}, which proves no share of {minimum:.6g}: {wanted} if no other one fails"
        return inconclusive(reason, **figures, samples_needed=needed)
    reason = (
        f"{seen}, {sure(confidence)} a share of at least {lower:.6g} in these "
        f"{span_s / 60:.3g} minutes; the promise is of {window_days:g} days, which they do not show"
    )
    return inconclusive(reason, **figures)


def _worst_burn(failed_ones: Column, apart_s: float, minimum: float) -> float:
    """How many times faster than allowed the budget went in the worst five minutes."""
    import numpy

    width = max(1, min(len(failed_ones), round(300 / max(apart_s, 1e-9))))
    summed = numpy.concatenate([[0], numpy.cumsum(failed_ones)])
    most = int((summed[width:] - summed[:-width]).max())
    return most / width / (1 - minimum)
