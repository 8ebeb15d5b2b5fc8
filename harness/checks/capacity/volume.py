"""CAP-1: whether the declared daily volume lies below the knee."""

from __future__ import annotations

from typing import Any, Final

from harness.checks.capacity.knee import SURE, StepOutcome
from harness.checks.capacity.searched import Searched, searches
from harness.checks.check import Evidence, Finding, failed, inconclusive, passed
from harness.checks.slo.telling import sure

DAY_S: Final = 86_400.0
BURST: Final = 12.0  # an hour of a day in five minutes, against the day's mean
INTERRUPTED: Final = "the search was interrupted"


def volume_is_carried(evidence: Evidence) -> Finding:
    """'10,000 workflows/day initially, scaling to 100,000 workflows/day'.

    The knee is an interval: the highest rate at which all service levels held and the backlog did
    not grow, and the lowest at which they did not. The declared volume (`workflows_per_day`), at
    its peak (`peak_factor` times its mean), lies at or below the one that held: pass. At or above
    the one that did not: fail. Between, or where a single step says so: inconclusive, as is a rate
    that did not hold while others than the platform filled the machine (`cpu_full_share`). The
    later volume and the burst (an hour of a day in five minutes) are shown. The fewest worker
    processes that were tried are judged.
    """
    found = searches(evidence)
    if not found:
        return inconclusive("no step of a search has samples")
    searched = found[0]
    knee = searched.interval
    rates = _rates(evidence)
    declared = rates["declared_peak_per_s"]
    figures: dict[str, Any] = {
        "minimum": declared,
        "held_per_s": knee.held_per_s,
        "failed_per_s": knee.failed_per_s,
        **rates,
        "headroom": _times(knee.held_per_s, declared),
        "headroom_below": _times(knee.failed_per_s, declared),
        **{
            f"{n}_carried": _carried(searched, rates[f"{n}_per_s"]) for n in ("later_peak", "burst")
        },
        "workers": searched.workers,
        "ended": searched.ended or INTERRUPTED,
        "full_first": _full(searched),
        "undecided_rates": [f"{rate:g}/s" for rate in knee.open_rates],
        "judged_anew": sum(s.step.outcome != s.outcome for s in searched.steps),
        "steps": [s.row() for s in searched.steps],
    }
    at_peak = f"the declared volume at its peak is {declared:.4g}/s"
    seen = f"the knee lies in {knee}; {at_peak}"
    confidence = sure(float(evidence.parameters["confidence"]))
    later = (
        f"; the later volume's peak of {rates['later_peak_per_s']:.4g}/s "
        f"{figures['later_peak_carried']}"
    )
    full = f"; full first: {figures['full_first']}"
    if knee.held_per_s is not None and _held(searched, declared):
        head = knee.held_per_s / declared
        reason = f"{seen}, so that {head:.3g} times as much is carried (each step {confidence})"
        return passed(f"{reason}{later}{full}", **figures)
    if _failed(searched, declared):
        bound = searched.bound
        if bound is not None and bound.foreign:
            return inconclusive(f"{seen}, but {bound.shown_by}", **figures)
        broken = [
            s.witness()
            for s in searched.steps
            if s.outcome is StepOutcome.FAILED and s.step.rate_per_s <= declared
        ]
        return failed(f"{seen}, which is not carried{full}", broken, **figures)
    return inconclusive(f"{seen}: {_doubt(searched, declared)}", **figures)


def _rates(evidence: Evidence) -> dict[str, float]:
    """The declared volumes as rates."""
    factor = float(evidence.parameters["peak_factor"])
    mean = float(evidence.parameters["workflows_per_day"]) / DAY_S
    later = float(evidence.parameters["workflows_per_day_later"]) / DAY_S
    return {
        "mean_per_s": mean,
        "declared_peak_per_s": mean * factor,
        "burst_per_s": mean * BURST,
        "later_mean_per_s": later,
        "later_peak_per_s": later * factor,
    }


def _times(rate: float | None, declared: float) -> float | None:
    return None if rate is None else round(rate / declared, 3)


def _held(searched: Searched, rate: float) -> bool:
    """Whether the knee lies at or above a rate, by steps enough that held there or higher up."""
    high = searched.interval.held_per_s
    return high is not None and _agreeing(searched, StepOutcome.HELD, rate, high) >= SURE


def _failed(searched: Searched, rate: float) -> bool:
    """Whether the knee lies below a rate, by steps enough that failed there or lower down."""
    low = searched.interval.failed_per_s
    return low is not None and _agreeing(searched, StepOutcome.FAILED, low, rate) >= SURE


def _agreeing(searched: Searched, outcome: StepOutcome, low: float, high: float) -> int:
    rates = [s.step.rate_per_s for s in searched.steps if s.outcome is outcome]
    return sum(low <= rate <= high for rate in rates)


def _carried(searched: Searched, rate: float) -> str:
    """Whether a rate that is not judged is carried, in words."""
    if _held(searched, rate):
        return "is carried"
    return "is not carried" if _failed(searched, rate) else "is not decided"


def _full(searched: Searched) -> str:
    bound = searched.bound
    return "not known: no rate failed" if bound is None else f"{bound.what}: {bound.shown_by}"


def _doubt(searched: Searched, declared: float) -> str:
    """Why it cannot be said."""
    knee = searched.interval
    ended = searched.ended or INTERRUPTED
    if knee.held_per_s is not None and knee.held_per_s >= declared:
        return f"{knee.held_per_s:g}/s held in one step alone, and two are asked ({ended})"
    if knee.failed_per_s is not None and knee.failed_per_s <= declared:
        return f"{knee.failed_per_s:g}/s failed in one step alone, and two are asked ({ended})"
    if knee.failed_per_s is None and knee.generator_per_s is not None:
        return f"the generator did not keep up with {knee.generator_per_s:g}/s"
    if knee.held_per_s is None and knee.failed_per_s is None:
        last = searched.steps[-1]
        return f"no step decided anything ({ended}); the last one: {last.judged.reason}"
    return f"it lies in between ({ended})"
