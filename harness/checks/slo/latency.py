"""A 95th percentile against its limit, by a one-sided bound from raw samples.

Pass where the bound keeps the limit, fail where the bound from the other side breaks it,
inconclusive between, with the number of samples that would do. Samples that come in bursts count as
the fewer independent ones that they are worth (`harness.autocorrelation`). What nobody knows (how
a call in flight would have ended when the run was told to stop) speaks against a pass and against a
fail.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from harness.autocorrelation import lower_quantile, share_of, upper_quantile
from harness.checks.check import Finding, Witness, failed, inconclusive, passed
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Latencies in the order of time, ns; `NEVER` for what never came, or may not have.

    `at_best` are the same where what nobody knows took no time. `span_s` is from the first to the
    last. `slowest` gives the evidence of so many of the slowest, `wanted` says in words how so many
    samples can be had.
    """

    at_worst: Column
    at_best: Column
    span_s: float
    slowest: Callable[[int], list[Witness]]
    wanted: Callable[[int | None], str]


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

    def slowest(count: int) -> list[Witness]:
        found = sorted(rows(judged), key=lambda row: -int(latencies[row]))[:count]
        return [load.witness(row, said(latencies[row])) for row in found]

    measured = Measured(
        at_worst=latencies[numbers],
        at_best=_if_cut_were_instant(load, latencies)[numbers],
        span_s=load.span_s(numbers),
        slowest=slowest,
        wanted=lambda needed: more(needed, int(load.after_warmup.sum()), load.run),
    )
    warmup = {
        "warmup_s": load.run.warmup_s,
        "warmup_samples": int((~load.after_warmup).sum()),
    }
    return judge_measured(measured, limit, {**load.figures, **warmup}, more_figures or {})


def judge_measured(
    measured: Measured, limit: Limit, before: Mapping[str, Any], after: Mapping[str, Any]
) -> Finding:
    """Judge the p95 of at least one latency; `before` and `after` are figures beside its own."""
    limit_ns = round(limit.limit_ms * 1e6)
    upper = upper_quantile(measured.at_worst, PERCENTILE, limit.confidence, limit_ns)
    lower = lower_quantile(measured.at_best, PERCENTILE, limit.confidence, limit_ns)
    over = share_of(measured.at_worst > limit_ns)
    at_worst = ordered(measured.at_worst)
    figures = {
        **before,
        "limit_ms": limit.limit_ms,
        "confidence": limit.confidence,
        "over_limit": over.hits,
        **spread(at_worst),
        **worth(over),
        "p95_upper_ms": ms(upper),
        "p95_lower_ms": ms(lower),
        **after,
    }
    p95 = at_worst[percentile_rank(len(at_worst), PERCENTILE) - 1]
    seen = f"p95 of {limit.what} is {said(p95)} in {len(at_worst)} samples"
    its_limit = f"the limit is {limit.limit_ms:g} ms"
    sure_of = sure(limit.confidence)
    if upper is not None and upper <= limit_ns:
        caveat = bursts(over, "was over the limit", measured.span_s, limit.confidence)
        return passed(f"{seen}, {sure_of} at most {said(upper)}; {its_limit}{caveat}", **figures)
    if lower is not None and lower > limit_ns:
        reason = f"{seen}, {sure_of} at least {said(lower)}; {its_limit}"
        return failed(f"{reason}{in_bursts(over)}", measured.slowest(_SHOWN), **figures)
    needed = samples_needed_at(PERCENTILE, limit.confidence, Fraction(over.hits, over.samples))
    needed = inflated(needed, over)
    reason = f"{seen}, {over.hits} of them over the limit of {limit.limit_ms:g} ms{in_bursts(over)}"
    return inconclusive(f"{reason}: {measured.wanted(needed)}", **figures, samples_needed=needed)


def _if_cut_were_instant(load: Load, latencies: Column) -> Column:
    import numpy

    return numpy.where(load.cut & (latencies == NEVER), 0, latencies)
