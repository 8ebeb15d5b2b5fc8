"""A 95th percentile against its limit, by a one-sided bound from raw samples.

Pass where the bound keeps the limit, fail where the bound from the other side breaks it,
inconclusive between, with the number of samples that would do. Samples that come in bursts count as
the fewer independent ones that they are worth (`harness.autocorrelation`). What nobody knows (how
a call in flight would have ended when the run was told to stop) speaks against a pass and against a
fail.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from harness.autocorrelation import lower_quantile, share_of, upper_quantile
from harness.checks.check import Finding, failed, inconclusive, passed
from harness.checks.slo.load import NEVER, Load, Unfit
from harness.checks.slo.telling import (
    PERCENTILE,
    bursts,
    in_bursts,
    inflated,
    more,
    ms,
    ordered,
    rows,
    said,
    spread,
    sure,
    worth,
)
from harness.statistics import percentile_rank, samples_needed_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Column = NDArray[Any]

_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What is limited, in words (`starts (user_perceived)`), its p95 limit, and the confidence."""

    what: str
    limit_ms: float
    confidence: float


def judge_latency(
    load: Load, column: str, limit: Limit, more_figures: Mapping[str, Any] | None = None
) -> Finding:
    """Judge the p95 of the time from the intended time to the moment in a column.

    The warm-up is cut. Raises `Unfit` if nothing is left.
    """
    judged = load.after_warmup & load.due
    numbers = load.in_time(judged)
    if not len(numbers):
        raise Unfit(f"no {limit.what} came to be due after the warm-up")
    latencies = load.latencies(column)
    limit_ns = round(limit.limit_ms * 1e6)
    upper = upper_quantile(latencies[numbers], PERCENTILE, limit.confidence, limit_ns)
    at_best = _if_cut_were_instant(load, latencies)[numbers]
    lower = lower_quantile(at_best, PERCENTILE, limit.confidence, limit_ns)
    over = share_of(latencies[numbers] > limit_ns)
    at_worst = ordered(latencies[numbers])
    figures = {
        **load.figures,
        "limit_ms": limit.limit_ms,
        "confidence": limit.confidence,
        "warmup_s": load.run.warmup_s,
        "warmup_samples": int((~load.after_warmup).sum()),
        "over_limit": over.hits,
        **spread(at_worst),
        **worth(over),
        "p95_upper_ms": ms(upper),
        "p95_lower_ms": ms(lower),
        **(more_figures or {}),
    }
    p95 = at_worst[percentile_rank(len(at_worst), PERCENTILE) - 1]
    seen = f"p95 of {limit.what} is {said(p95)} in {len(at_worst)} samples"
    its_limit = f"the limit is {limit.limit_ms:g} ms"
    sure_of = sure(limit.confidence)
    if upper is not None and upper <= limit_ns:
        caveat = bursts(over, "was over the limit", load.span_s(numbers), limit.confidence)
        return passed(f"{seen}, {sure_of} at most {said(upper)}; {its_limit}{caveat}", **figures)
    if lower is not None and lower > limit_ns:
        slowest = sorted(rows(judged), key=lambda row: -int(latencies[row]))[:_SHOWN]
        witnesses = [load.witness(row, said(latencies[row])) for row in slowest]
        reason = f"{seen}, {sure_of} at least {said(lower)}; {its_limit}"
        return failed(f"{reason}{in_bursts(over)}", witnesses, **figures)
    needed = samples_needed_at(PERCENTILE, limit.confidence, Fraction(over.hits, over.samples))
    needed = inflated(needed, over)
    reason = f"{seen}, {over.hits} of them over the limit of {limit.limit_ms:g} ms{in_bursts(over)}"
    wanted = more(needed, int(load.after_warmup.sum()), load.run)
    return inconclusive(f"{reason}: {wanted}", **figures, samples_needed=needed)


def _if_cut_were_instant(load: Load, latencies: Column) -> Column:
    import numpy

    return numpy.where(load.cut & (latencies == NEVER), 0, latencies)
