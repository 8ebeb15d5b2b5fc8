"""How a step of the search ended, of its raw samples alone.

It held if all of this is so: the upper bound of the p95 of its starts keeps the limit, completions
are not proven too low, nothing remained unsent, at least `LEAST_ACHIEVED` of its arrivals ended
well, and the backlog does not grow. It failed if one of these is proven to be otherwise. Else it
decided nothing. One whose generator was late, stalled or out of CPU says nothing of the platform.

**The backlog** is what is sent and not ended (the gauge `load.open`, here from the raw times: its
mean in each of ten blocks of the measured time). A straight line is laid through them. It grows if
the line rises for certain (one-sided, at the declared confidence) and by more than `GROWS` of the
rate; it is steady if the line for certain rises by less than `STEADY` of the rate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from harness.checks.capacity.knee import StepOutcome
from harness.checks.check import Finding
from harness.checks.slo.completions import judge_completion
from harness.checks.slo.load import RUNS, STARTS, Load, Unfit, complete, generator, punctual
from harness.checks.slo.starts import judge_starts
from harness.checks.slo.telling import sure
from harness.errors import EvidenceError
from harness.journal.records import LoadRun
from harness.load.samples import CAPACITY, HORIZON, INTERRUPTED, SampleOutcome
from harness.load.whole import whole_run
from harness.means import line_of, mean_of
from harness.outcome import Outcome

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Column = NDArray[Any]

LEAST_ACHIEVED: Final = 0.99  # of the arrivals of the measured time
GROWS: Final = 0.01  # of the rate: a backlog that grows by less is none
STEADY: Final = 0.05  # of the rate: a backlog that may grow by so much is not proven steady
BLOCKS: Final = 10
LEAST_BLOCK_S: Final = 0.5
Raw = Callable[[LoadRun], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A step's outcome, why, and what was measured in `span_ns`. `left_open` did not end while
    they were waited for. It is `saturated` if its backlog grew for certain."""

    outcome: StepOutcome
    reason: str
    figures: Mapping[str, Any]
    left_open: int = 0
    saturated: bool = False
    span_ns: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class _Part:
    """What one of the conditions says."""

    outcome: Outcome
    reason: str


def judge_step(parts: Sequence[LoadRun], raw: Raw, parameters: Mapping[str, Any]) -> Judged:
    """Judge one step by the records of its generator's processes."""
    try:
        whole = whole_run(parts, raw)
        load = Load(run=whole.run, samples=complete(whole), figures=generator(whole.run))
    except (Unfit, EvidenceError) as error:
        return Judged(outcome=StepOutcome.UNDECIDED, reason=str(error), figures=generator(parts[0]))
    if whole.lost:
        outcome, reason = StepOutcome.GENERATOR, "a process of the generator was lost"
    elif load.caused(INTERRUPTED).any():
        outcome, reason = StepOutcome.UNDECIDED, "it was cut short"
    elif late := _late(load, parameters):
        outcome, reason = StepOutcome.GENERATOR, late
    else:
        outcome, reason = StepOutcome.HELD, ""
    figures = {**load.figures, **_measured(load, float(parameters["confidence"]))}
    try:
        judged, why, more = _conditions(load, parameters)
    except Unfit as error:
        judged, why, more = StepOutcome.UNDECIDED, str(error), {}
    return Judged(
        outcome=outcome if reason else judged,
        reason=reason or why,
        figures=figures | more,
        left_open=int(load.caused(HORIZON).sum()),
        saturated=bool(more.get("backlog_grows")),
        span_ns=_span(load),
    )


def _late(load: Load, parameters: Mapping[str, Any]) -> str:
    """What is wrong with the generator."""
    try:
        punctual(load, parameters)
    except Unfit as reason:
        return str(reason)
    return ""


def _conditions(
    load: Load, parameters: Mapping[str, Any]
) -> tuple[StepOutcome, str, dict[str, Any]]:
    """All that must be so for a rate to hold."""
    confidence = float(parameters["confidence"])
    starts = judge_starts(replace(load, samples=load.samples.of(STARTS)), parameters)
    runs = replace(load, samples=load.samples.of(RUNS))
    backlog, slope = _backlog(load, confidence)
    found = [_Part(starts.outcome, starts.reason), _sent(load), _achieved(load), backlog]
    if len(runs.samples):
        found.append(_not_too_low(judge_completion(runs, parameters)))
    figures = {
        "p95_ms": starts.figures["p95_ms"],
        "p95_upper_ms": starts.figures["p95_upper_ms"],
        "p95_lower_ms": starts.figures["p95_lower_ms"],
        "limit_ms": starts.figures["limit_ms"],
        **slope,
    }
    for outcome, step in (
        (Outcome.FAIL, StepOutcome.FAILED),
        (Outcome.INCONCLUSIVE, StepOutcome.UNDECIDED),
    ):
        told = [each.reason for each in found if each.outcome is outcome]
        if told:
            return step, "; ".join(told), figures
    upper = f"p95 of starts at most {figures['p95_upper_ms']:.1f} ms, {sure(confidence)}"
    return StepOutcome.HELD, f"{upper}; {backlog.reason}", figures


def _not_too_low(completions: Finding) -> _Part:
    """A share that is not proven, as a step is too short for that, is not held against it."""
    too_low = completions.outcome is Outcome.FAIL
    return _Part(Outcome.FAIL if too_low else Outcome.PASS, completions.reason)


def _sent(load: Load) -> _Part:
    unsent = load.ended(SampleOutcome.NOT_SENT)
    many = int((unsent & load.caused(CAPACITY)).sum())
    if many:
        reason = f"{many} arrivals were not sent, as too many others had not ended"
        return _Part(Outcome.FAIL, reason)
    if unsent.any():
        return _Part(Outcome.INCONCLUSIVE, f"{int(unsent.sum())} arrivals were not sent")
    return _Part(Outcome.PASS, "")


def _achieved(load: Load) -> _Part:
    """The share of what arrived in the measured time that ended well, however late."""
    judged = load.after_warmup & load.due
    count = int(judged.sum())
    well = int((judged & load.ended(SampleOutcome.OK)).sum())
    if count and well >= LEAST_ACHIEVED * count:
        return _Part(Outcome.PASS, "")
    return _Part(
        Outcome.INCONCLUSIVE,
        f"{well} of {count} arrivals ended well, {LEAST_ACHIEVED:.0%} are asked",
    )


def _measured(load: Load, confidence: float) -> dict[str, Any]:
    """Offered and achieved, a second of the measured time; achieved with bounds, by blocks."""
    import numpy

    edges = _edges(load)
    seconds = max((edges[-1] - edges[0]) / 1e9, 1e-9)
    completed = load.column("completed_ns")[load.ended(SampleOutcome.OK)]
    counts = numpy.diff(numpy.searchsorted(numpy.sort(completed), edges))
    mean = mean_of([float(count) * BLOCKS / seconds for count in counts], confidence)
    return {
        "measured_s": round(seconds, 3),
        "offered_per_s": round(int(load.after_warmup.sum()) / seconds, 4),
        "achieved_per_s": round(mean.value, 4),
        "achieved_lower_per_s": round(mean.lower, 4),
        "achieved_upper_per_s": round(mean.upper, 4),
    }


def _edges(load: Load) -> list[int]:
    """The moments that divide the measured time into blocks."""
    begin_ns, end_ns = _span(load)
    return [begin_ns + (end_ns - begin_ns) * number // BLOCKS for number in range(BLOCKS + 1)]


def _span(load: Load) -> tuple[int, int]:
    """The measured time: from the end of the warm-up to the end of the plan."""
    begin_ns = load.samples.origin.begin_ns
    return (
        begin_ns + round(load.run.warmup_s * 1e9),
        begin_ns + round(load.run.duration_s * 1e9),
    )


def _backlog(load: Load, confidence: float) -> tuple[_Part, dict[str, Any]]:
    begin_ns, end_ns = _span(load)
    block_s = (end_ns - begin_ns) / 1e9 / BLOCKS
    if block_s < LEAST_BLOCK_S:
        short = f"{block_s * BLOCKS:.3g} s are too short to see the backlog grow"
        return _Part(Outcome.INCONCLUSIVE, short), {}
    means = _mean_open(load, _edges(load))
    points = [((number + 0.5) * block_s, mean) for number, mean in enumerate(means)]
    line = line_of(points, 2 * confidence - 1)
    assert line is not None
    rate = int(load.after_warmup.sum()) / (block_s * BLOCKS)
    figures = {
        "open_first": round(means[0], 2),
        "open_last": round(means[-1], 2),
        "backlog_slope_per_s": round(line.slope, 4),
        "backlog_slope_lower_per_s": round(line.slope_lower, 4),
        "backlog_slope_upper_per_s": round(line.slope_upper, 4),
        "backlog_grows": line.slope_lower > 0 and line.slope > GROWS * rate,
    }
    seen = f"the backlog went from {means[0]:.1f} to {means[-1]:.1f} open"
    if figures["backlog_grows"]:
        least = f"{sure(confidence)} by at least {line.slope_lower:.3g} a second"
        return _Part(Outcome.FAIL, f"{seen}, and grows {least}"), figures
    if line.slope_upper <= STEADY * rate:
        return _Part(Outcome.PASS, f"{seen}, and does not grow"), figures
    most = f"it may grow by {line.slope_upper:.3g} a second"
    return _Part(Outcome.INCONCLUSIVE, f"{seen}: {most}"), figures


def _mean_open(load: Load, edges_ns: Sequence[int]) -> list[float]:
    """How many arrivals were sent and not ended, in the mean between neighbouring moments."""
    import numpy

    sent, ended = load.column("sent_ns"), _ended_ns(load)
    was_sent = sent > 0
    sent, ended = sent[was_sent], ended[was_sent]
    spent = [float(numpy.clip(numpy.minimum(ended, t) - sent, 0, None).sum()) for t in edges_ns]
    return [
        (spent[n + 1] - spent[n]) / (edges_ns[n + 1] - edges_ns[n]) for n in range(len(spent) - 1)
    ]


def _ended_ns(load: Load) -> Column:
    """When each arrival ended: never where it was waited for in vain, at once if it was refused."""
    import numpy

    completed = load.column("completed_ns")
    never = load.caused(HORIZON)
    return numpy.where(
        completed > 0,
        completed,
        numpy.where(never, numpy.iinfo(numpy.int64).max, load.column("sent_ns")),
    )
