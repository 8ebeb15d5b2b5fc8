"""A load run as the SLO checks see it, and the worst finding over the runs of a trial.

Several load runs in one trial are judged each on its own; the worst counts. One that was not
planned, whose generator was late, stalled or out of CPU, or whose samples are not all there, cannot
be judged.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from harness.checks.check import Evidence, Finding, Witness, inconclusive
from harness.checks.histories.remember import remembered
from harness.checks.slo.telling import ordered
from harness.errors import EvidenceError
from harness.journal.records import LoadRun
from harness.load.samples import GENERATOR, INTERRUPTED, SampleOutcome, Samples
from harness.load.whole import WholeRun, sessions, whole_run
from harness.outcome import worst
from harness.statistics import percentile_rank

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Column = NDArray[Any]

MOST_LATE: Final = 0.1  # of the limit of a start: how late the generator itself may be, at p99
MOST_CPU: Final = 0.9  # of one core, which is all that the generator's loop can use
STARTS: Final = ("RUN", "START")  # the kinds of operations that start a workflow
RUNS: Final = ("RUN",)  # and those of which the end is awaited
NEVER: Final = 2**63 - 1
BESIDE_A_FLOOD: Final = "neighbours"  # a workload of which INV-ISO-14 and THR-D speak alone


class Unfit(Exception):
    """A load run that cannot be judged; its text is the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
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
        """ns from the intended time to the moment in a column; `NEVER` where it did not come."""
        import numpy

        moments = self.column(name)
        return numpy.where(moments > 0, moments - self.column("intended_ns"), NEVER)

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


def worst_of_runs(
    evidence: Evidence,
    choose: Collection[str],
    judge: Callable[[Load, Mapping[str, Any]], Finding],
) -> Finding:
    """The worst finding over the load runs that have operations of these kinds or names."""
    findings = []
    for parts in sessions(evidence.of(LoadRun)):
        run = parts[0]
        if run.workload == BESIDE_A_FLOOD:
            continue
        try:
            checked = fit_load(parts, evidence)
            run = checked.run
            chosen = replace(checked, samples=checked.samples.of(choose))
            if len(chosen.samples):
                findings.append(judge(chosen, evidence.parameters))
        except (Unfit, EvidenceError) as reason:
            findings.append(inconclusive(str(reason), **generator(run)))
    if not findings:
        return inconclusive("no load run had an operation that this speaks of")
    outcome = worst(finding.outcome for finding in findings)
    return next(finding for finding in findings if finding.outcome is outcome)


def fit_load(parts: Sequence[LoadRun], evidence: Evidence) -> Load:
    """A load run of its parts' records; `Unfit` for one that cannot be judged."""
    whole = _whole(evidence, parts[0].session)
    load = Load(run=whole.run, samples=complete(whole), figures=generator(whole.run))
    return punctual(load, evidence.parameters)


@remembered(LoadRun)
def _whole(evidence: Evidence, session: int) -> WholeRun:
    """The run of this number, its samples decoded once for all checks."""
    runs = {parts[0].session: parts for parts in sessions(evidence.of(LoadRun))}
    return whole_run(runs[session], lambda each: evidence.raw(each.samples, each.sha256))


def complete(whole: WholeRun) -> Samples:
    """The samples of a planned run, one for each arrival; else `Unfit`."""
    import numpy

    run, samples = whole.run, whole.samples
    if run.mode != "planned":
        raise Unfit(f"the load was {run.mode}: only a planned run can be judged")
    if not len(samples):
        raise Unfit("the load run has no samples")
    if not numpy.array_equal(numpy.sort(samples.index), numpy.arange(run.planned)):
        raise Unfit(
            f"{len(samples)} samples of {run.planned} planned arrivals: the generator lost or "
            "doubled some"
        )
    return samples


def punctual(load: Load, parameters: Mapping[str, Any]) -> Load:
    """The load with the generator's health among its figures.

    `Unfit` if it was late, its loop stalled, or it was out of CPU: then its figures are wrong.
    """
    sent = load.column("sent_ns")
    lateness = ordered((sent - load.column("intended_ns"))[load.after_warmup & (sent > 0)])
    if not len(lateness):
        raise Unfit("the generator sent nothing after the warm-up")
    late_ms = float(lateness[percentile_rank(len(lateness), 0.99) - 1]) / 1e6
    bound_ms = MOST_LATE * parameters["start_p95_limit_ms"]
    if late_ms > bound_ms:
        raise Unfit(
            f"the generator was late: {late_ms:.1f} ms at p99, its bound is {bound_ms:g} ms "
            f"({MOST_LATE:.0%} of the limit of a start); give it more CPU or a lower rate"
        )
    if load.run.stall_p99_ns / 1e6 > bound_ms:
        raise Unfit(
            f"the generator's loop stalled: {load.run.stall_p99_ns / 1e6:.1f} ms at p99, its bound "
            f"is {bound_ms:g} ms ({MOST_LATE:.0%} of the limit of a start); give it more CPU"
        )
    if load.run.cpu_share > MOST_CPU:
        raise Unfit(
            f"the generator was out of CPU: {load.run.cpu_share:.0%} of a core, its bound is "
            f"{MOST_CPU:.0%}; spread the load over more --processes, or lower the rate"
        )
    figures = {
        **load.figures,
        "lateness_p99_ms": late_ms,
        "lateness_limit_ms": bound_ms,
        "stall_p99_ms": load.run.stall_p99_ns / 1e6,
        "gc_pause_max_ms": load.run.gc_pause_max_ns / 1e6,
    }
    return replace(load, figures=figures)


def generator(run: LoadRun) -> dict[str, Any]:
    return {
        "shape": run.shape,
        "rate_per_s": run.rate_per_s,
        "duration_s": run.duration_s,
        "planned": run.planned,
        "sent": run.sent,
        "not_sent": run.not_sent,
        "generator_cpu_share": run.cpu_share,
    }
