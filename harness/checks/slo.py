"""SLO-START-1 and SLO-REL-1: latency of starts and share of completions, from raw samples.

Both judge with a one-sided bound at the declared confidence: pass where the bound keeps the limit,
fail where the bound from the other side breaks it, inconclusive between, with the number of samples
that would do. Samples that come in bursts count as the fewer independent ones that they are worth
(`harness.autocorrelation`). What nobody knows (how a saga in flight would have ended
when the run was told to stop) speaks against a pass and against a fail. Several load runs in one
trial are judged each on its own; the worst counts.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from harness.autocorrelation import (
    Share,
    lower_quantile,
    share_of,
    unseen_every,
    upper_quantile,
)
from harness.checks.check import Check, Evidence, Finding, Witness, failed, inconclusive, passed
from harness.errors import EvidenceError
from harness.journal.records import LoadRun, Subject
from harness.load.samples import (
    FAILURE,
    GENERATOR,
    HORIZON,
    INTERRUPTED,
    SampleOutcome,
    Samples,
)
from harness.load.whole import WholeRun, sessions, whole_run
from harness.outcome import worst
from harness.statistics import (
    PERCENTILE_METHOD,
    percentile_rank,
    samples_needed,
    samples_needed_at,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Column = NDArray[Any]

PERCENTILE: Final = 0.95
MOST_LATE: Final = 0.1  # of the limit of a start: how late the generator itself may be, at p99
FIRST_TASK: Final = "first_task_completed"
COLUMN_OF: Final = {
    "start_rpc_first_attempt": "first_attempt_ns",
    "user_perceived": "answered_ns",
    FIRST_TASK: "first_task_ns",
}
STARTS: Final = ("RUN", "START")  # the kinds of operations that start a workflow
RUNS: Final = ("RUN",)  # and those of which the end is awaited
_NEVER: Final = 2**63 - 1
_SHOWN: Final = 5
_MATTERS: Final = 1.1  # an inflation that is worth a word


def start_latency(evidence: Evidence) -> Finding:
    """'Workflow Execution Latency p95: ≤ 100ms for workflow start'.

    From the intended time of each start, so that a platform that stalls cannot hide; a start that
    was never acknowledged, or could not be sent, took for ever. Which acknowledgement is meant is
    the parameter `workflow_start_sli`. The warm-up is cut.
    """
    return _worst_of_runs(evidence, STARTS, _start_latency)


def completion(evidence: Evidence) -> Finding:
    """'Workflow Reliability: ≥ 99.9% workflow completion rate (excluding business logic failures)'.

    Of all planned starts, those of the warm-up as well: one that was refused, lost, timed out, not
    sent, or unfinished `horizon_s` after its intended start is not completed. Runs that failed of
    `business_failure_types` are left out.
    """
    return _worst_of_runs(evidence, RUNS, _completion)


CHECKS: Final = (
    Check(id="SLO-START-1", subject=Subject.DEPLOYMENT, needs={LoadRun: 1}, judge=start_latency),
    Check(id="SLO-REL-1", subject=Subject.DEPLOYMENT, needs={LoadRun: 1}, judge=completion),
)


class _Unfit(Exception):
    """A load run that cannot be judged; its text is the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Load:
    """One load run, its samples, and figures about its generator."""

    run: LoadRun
    samples: Samples
    figures: Mapping[str, Any]

    def column(self, name: str) -> Column:
        """A column of the samples."""
        import numpy

        values = getattr(self.samples, name)
        return numpy.frombuffer(values, dtype=numpy.dtype(values.typecode))

    def ended(self, outcome: SampleOutcome) -> Column:
        """The rows with this outcome, as a mask."""
        rows: Column = self.column("outcome") == outcome
        return rows

    def caused(self, *causes: str) -> Column:
        """The rows with one of these causes, as a mask."""
        import numpy

        numbers = [n for n, name in enumerate(self.samples.causes) if name in causes]
        return numpy.isin(self.column("cause"), numbers)

    def latencies(self, name: str) -> Column:
        """ns from the intended time to the moment in a column; `_NEVER` where it did not come."""
        import numpy

        moments = self.column(name)
        return numpy.where(moments > 0, moments - self.column("intended_ns"), _NEVER)

    @property
    def after_warmup(self) -> Column:
        """The rows that were meant for after the warm-up, as a mask."""
        begin_ns = self.samples.origin.begin_ns + round(self.run.warmup_s * 1e9)
        rows: Column = self.column("intended_ns") >= begin_ns
        return rows

    @property
    def due(self) -> Column:
        """The rows that came to be due before the run was told to stop, as a mask."""
        return ~(self.ended(SampleOutcome.NOT_SENT) & self.caused(INTERRUPTED))

    @property
    def cut(self) -> Column:
        """The rows of which nobody knows how they would have ended, as a mask."""
        return self.due & self.caused(INTERRUPTED, GENERATOR)

    def in_time(self, rows: Column) -> Column:
        """The numbers of the rows of a mask, in the order of their intended times."""
        numbers = rows.nonzero()[0]
        ordered: Column = numbers[self.column("intended_ns")[numbers].argsort(kind="stable")]
        return ordered

    def span_s(self, numbers: Column) -> float:
        """From the first to the last intended time of some rows, seconds."""
        intended = self.column("intended_ns")[numbers]
        return float(intended.max() - intended.min()) / 1e9

    def witness(self, row: int, text: str) -> Witness:
        """A row as evidence."""
        cause = self.samples.causes[self.samples.cause[row]]
        workflow_id = self.samples.origin.workflow_id(self.samples.index[row])
        return Witness(text=f"{workflow_id}: {text} {cause}".rstrip(), path=self.run.samples)


def _worst_of_runs(
    evidence: Evidence,
    kinds: Collection[str],
    judge: Callable[[_Load, Mapping[str, Any]], Finding],
) -> Finding:
    """The worst finding over the load runs that have operations of these kinds."""
    findings = []
    for parts in sessions(evidence.of(LoadRun)):
        run = parts[0]
        try:
            whole = whole_run(parts, lambda each: evidence.raw(each.samples, each.sha256))
            run = whole.run
            load = _Load(run=run, samples=_complete(whole), figures=_generator(run))
            punctual = _punctual(load, evidence.parameters)
            chosen = replace(punctual, samples=load.samples.of(kinds))
            if len(chosen.samples):
                findings.append(judge(chosen, evidence.parameters))
        except (_Unfit, EvidenceError) as reason:
            findings.append(inconclusive(str(reason), **_generator(run)))
    if not findings:
        return inconclusive("no load run had an operation that this speaks of")
    outcome = worst(finding.outcome for finding in findings)
    return next(finding for finding in findings if finding.outcome is outcome)


def _complete(whole: WholeRun) -> Samples:
    """The samples of a planned run, one for each arrival; else `_Unfit`."""
    import numpy

    run, samples = whole.run, whole.samples
    if run.mode != "planned":
        raise _Unfit(f"the load was {run.mode}: only a planned run can be judged")
    if not len(samples):
        raise _Unfit("the load run has no samples")
    if not numpy.array_equal(numpy.sort(samples.index), numpy.arange(run.planned)):
        raise _Unfit(
            f"{len(samples)} samples of {run.planned} planned arrivals: the generator lost or "
            "doubled some"
        )
    return samples


def _punctual(load: _Load, parameters: Mapping[str, Any]) -> _Load:
    """The load with the generator's lateness among its figures; `_Unfit` if it was too late."""
    sent = load.column("sent_ns")
    lateness = _ordered((sent - load.column("intended_ns"))[load.after_warmup & (sent > 0)])
    if not len(lateness):
        raise _Unfit("the generator sent nothing after the warm-up")
    late_ms = float(lateness[percentile_rank(len(lateness), 0.99) - 1]) / 1e6
    bound_ms = MOST_LATE * parameters["start_p95_limit_ms"]
    if late_ms > bound_ms:
        raise _Unfit(
            f"the generator was late: {late_ms:.1f} ms at p99, its bound is {bound_ms:g} ms "
            f"({MOST_LATE:.0%} of the limit of a start); give it more CPU or a lower rate"
        )
    figures = {**load.figures, "lateness_p99_ms": late_ms, "lateness_limit_ms": bound_ms}
    return replace(load, figures=figures)


def _generator(run: LoadRun) -> dict[str, Any]:
    return {
        "shape": run.shape,
        "rate_per_s": run.rate_per_s,
        "duration_s": run.duration_s,
        "planned": run.planned,
        "sent": run.sent,
        "not_sent": run.not_sent,
        "generator_cpu_share": run.cpu_share,
    }


# SLO-START-1


def _start_latency(load: _Load, parameters: Mapping[str, Any]) -> Finding:
    sli, limit_ms = parameters["workflow_start_sli"], parameters["start_p95_limit_ms"]
    confidence = parameters["confidence"]
    if sli == FIRST_TASK and not load.samples.origin.follows_first_task:
        raise _Unfit("the first workflow tasks were not followed in this run")
    judged = load.after_warmup & load.due
    rows = load.in_time(judged)
    latencies = load.latencies(COLUMN_OF[sli])
    limit_ns = round(limit_ms * 1e6)
    upper = upper_quantile(latencies[rows], PERCENTILE, confidence, limit_ns)
    at_best = _if_cut_were_instant(load, latencies)[rows]
    lower = lower_quantile(at_best, PERCENTILE, confidence, limit_ns)
    over = share_of(latencies[rows] > limit_ns)
    at_worst = _ordered(latencies[rows])
    figures = {
        **load.figures,
        "sli": sli,
        "limit_ms": limit_ms,
        "confidence": confidence,
        "warmup_s": load.run.warmup_s,
        "warmup_samples": int((~load.after_warmup).sum()),
        "over_limit": over.hits,
        **_spread(at_worst),
        **_worth(over),
        "p95_upper_ms": _ms(upper),
        "p95_lower_ms": _ms(lower),
        **_other_slis(load, judged, sli),
    }
    p95 = at_worst[percentile_rank(len(at_worst), PERCENTILE) - 1]
    seen = f"p95 of starts ({sli}) is {_said(p95)} in {len(at_worst)} samples"
    limit = f"the limit is {limit_ms:g} ms"
    if upper is not None and upper <= limit_ns:
        caveat = _bursts(over, "was over the limit", load.span_s(rows), confidence)
        reason = f"{seen}, {_sure(confidence)} at most {_said(upper)}; {limit}{caveat}"
        return passed(reason, **figures)
    if lower is not None and lower > limit_ns:
        slowest = sorted(_rows(judged), key=lambda row: -int(latencies[row]))[:_SHOWN]
        witnesses = [load.witness(row, _said(latencies[row])) for row in slowest]
        reason = f"{seen}, {_sure(confidence)} at least {_said(lower)}; {limit}"
        return failed(f"{reason}{_in_bursts(over)}", witnesses, **figures)
    needed = samples_needed_at(PERCENTILE, confidence, Fraction(over.hits, over.samples))
    needed = _inflated(needed, over)
    reason = f"{seen}, {over.hits} of them over the limit of {limit_ms:g} ms{_in_bursts(over)}"
    more = _more(needed, load, cut=True)
    return inconclusive(f"{reason}: {more}", **figures, samples_needed=needed)


def _if_cut_were_instant(load: _Load, latencies: Column) -> Column:
    import numpy

    return numpy.where(load.cut & (latencies == _NEVER), 0, latencies)


def _spread(ordered: Column) -> dict[str, Any]:
    """Percentiles of ordered latencies; null where so many starts were never acknowledged."""
    ranks = {f"p{share * 100:g}_ms": share for share in (0.5, PERCENTILE, 0.99, 0.999)}
    return {
        "samples": len(ordered),
        "unanswered": int((ordered == _NEVER).sum()),
        "percentile_method": PERCENTILE_METHOD,
        **{
            name: _ms(_at(ordered, percentile_rank(len(ordered), share)))
            for name, share in ranks.items()
        },
        "max_ms": _ms(ordered[-1]),
    }


def _other_slis(load: _Load, judged: Column, sli: str) -> dict[str, float | None]:
    """The p95 of the other meanings of a start, as far as they were measured."""
    p95 = {}
    for name, column in COLUMN_OF.items():
        if name == sli or (name == FIRST_TASK and not load.samples.origin.follows_first_task):
            continue
        ordered = _ordered(load.latencies(column)[judged])
        p95[f"{name}_p95_ms"] = _ms(_at(ordered, percentile_rank(len(ordered), PERCENTILE)))
    return p95


# SLO-REL-1


def _completion(load: _Load, parameters: Mapping[str, Any]) -> Finding:
    minimum, confidence = parameters["completion_min"], parameters["confidence"]
    business = _business_failures(load, parameters["business_failure_types"])
    judged = load.due & ~business
    completed = _in_time(load, parameters["horizon_s"]) & judged
    unknown = (load.cut | _given_up_early(load, parameters["horizon_s"])) & judged
    broken = judged & ~completed & ~unknown
    count, good = int(judged.sum()), int(completed.sum())
    if not count:
        raise _Unfit("no start is left to judge: all are business failures or were not due")
    rows = load.in_time(judged)
    lost = share_of(~completed[rows])
    lower = 1 - lost.at_most(confidence)
    upper = 1 - share_of(broken[rows]).at_least(confidence)
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
        **_worth(lost),
    }
    seen = f"{good} of {count} sagas completed"
    promise = f"{minimum:.6g} is promised"
    if lower >= minimum:
        caveat = _bursts(lost, "failed", load.span_s(rows), confidence)
        reason = f"{seen}, {_sure(confidence)} a share of at least {lower:.6g}; {promise}{caveat}"
        return passed(reason, **figures)
    if upper < minimum:
        reason = f"{seen}, {_sure(confidence)} a share of at most {upper:.6g}; {promise}"
        witnesses = [load.witness(row, "not completed") for row in _rows(broken)[:_SHOWN]]
        reason = f"{reason}{_in_bursts(lost)}; causes: {_commonest(causes)}"
        return failed(reason, witnesses, **figures)
    failures = math.ceil(lost.hits / lost.inflation)
    needed = _inflated(samples_needed(minimum, confidence, failures), lost)
    more = _more(needed, load, cut=False)
    seen = f"{seen}{_in_bursts(lost)}"
    reason = f"{seen}, which proves no share of {minimum:.6g}: {more} if no other one fails"
    return inconclusive(reason, **figures, samples_needed=needed)


def _business_failures(load: _Load, types: list[str]) -> Column:
    return load.ended(SampleOutcome.FAIL) & load.caused(*(f"{FAILURE}{name}" for name in types))


def _in_time(load: _Load, horizon_s: float) -> Column:
    took_ns = load.column("completed_ns") - load.column("intended_ns")
    return load.ended(SampleOutcome.OK) & (took_ns <= round(horizon_s * 1e9))


def _given_up_early(load: _Load, horizon_s: float) -> Column:
    """Rows that the run stopped waiting for before the declared horizon."""
    return load.caused(HORIZON) & (load.samples.origin.horizon_s < horizon_s)


def _commonest(causes: Counter[str]) -> str:
    return ", ".join(f"{cause} ({count})" for cause, count in causes.most_common(3))


# both


def _worth(share: Share) -> dict[str, float]:
    return {
        "inflation": round(share.inflation, 3),
        "effective_samples": share.effective_samples,
    }


def _in_bursts(share: Share) -> str:
    """That samples are worth less than their number, where they are."""
    if share.inflation < _MATTERS:
        return ""
    return f" (in bursts: they weigh as {share.effective_samples:,} independent samples)"


def _bursts(share: Share, what: str, span_s: float, confidence: float) -> str:
    """What a pass says of bursts: how they weighed, or which ones it cannot have seen."""
    if share.hits:
        return _in_bursts(share)
    every_s = unseen_every(span_s, confidence)
    return f"; none {what}: a burst less often than every {every_s:.3g} s may have been missed"


def _inflated(needed: int | None, share: Share) -> int | None:
    return None if needed is None else math.ceil(needed * share.inflation)


def _more(needed: int | None, load: _Load, *, cut: bool) -> str:
    """How many samples would do, and how long a run takes for them, warm-up cut or not.

    A run of the same shape and mix, drawn out: the same share of its arrivals counts as of this
    one's.
    """
    if needed is None:
        return "no number of samples would do"
    run = load.run
    used = int(load.after_warmup.sum()) if cut else len(load.samples)
    lasts_s = math.ceil(Fraction(needed, used) * Fraction(run.duration_s))
    return f"{needed:,} samples would do ({lasts_s:,} s {_at_rate(run)})"


def _at_rate(run: LoadRun) -> str:
    if run.shape == "constant":
        return f"at {run.rate_per_s:g}/s"
    return f"of {run.shape} at {run.planned / run.duration_s:.4g}/s in the mean"


def _sure(confidence: float) -> str:
    return f"at {confidence * 100:g} % confidence"


def _ordered(values: Column) -> Column:
    import numpy

    return numpy.sort(values)


def _rows(mask: Column) -> list[int]:
    rows: list[int] = mask.nonzero()[0].tolist()
    return rows


def _at(ordered: Column, rank: int | None) -> int | None:
    return None if rank is None else int(ordered[rank - 1])


def _ms(nanoseconds: int | None) -> float | None:
    never = nanoseconds is None or nanoseconds == _NEVER
    return None if never else float(nanoseconds or 0) / 1e6


def _said(nanoseconds: int) -> str:
    return "for ever" if nanoseconds == _NEVER else f"{nanoseconds / 1e6:.1f} ms"
