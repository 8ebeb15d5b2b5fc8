"""SLO-ACT-1: how long the platform takes for an activity that does nothing.

All times are from histories, so of the engine's clock: no other clock is part of a latency. What
the load knows of each run is its warm-up, its order, and how the client's clock differs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from harness.checks.check import Evidence, Finding, Witness
from harness.checks.slo.latency import Limit, Measured, judge_measured
from harness.checks.slo.load import NEVER, Load, Unfit, worst_of_runs
from harness.checks.slo.telling import PERCENTILE, at, more, ms, ordered, said
from harness.contract.noop import ACTIVITY_TYPE
from harness.journal.records import DRAWN, Executed, Gauge, Stored
from harness.statistics import percentile_rank

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Column = NDArray[Any]

ORDINARY: Final = "noop"  # the operations of the workload; the first one is judged
LOCAL: Final = "noop-local"
EAGER: Final = "noop-eager"
COARSEST: Final = 0.1  # of the limit: what the histories' times may be rounded to
WAITED: Final = "schedule_to_start"
WAITED_P50: Final = f"{WAITED}_p50_ms"
AT_ONCE_MS: Final = 0.1  # eager ones take 0.03 ms; through the task queue none can be as fast
BETWEEN: Final[Mapping[str, tuple[str, str]]] = {
    WAITED: ("scheduled_ns", "started_ns"),
    "start_to_close": ("started_ns", "closed_ns"),
    "schedule_to_close": ("scheduled_ns", "closed_ns"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Histories:
    """The activities of the histories that were read, and how many of the drawn ones were."""

    executed: Sequence[Executed]
    drawn: int
    read: int

    @classmethod
    def of(cls, evidence: Evidence) -> Histories:
        """Those of a trial."""
        return cls(
            executed=evidence.of(Executed),
            drawn=round(sum(each.value for each in evidence.of(Gauge) if each.name == DRAWN)),
            read=len({(each.tenant, each.root) for each in evidence.of(Stored)}),
        )


def activity_latency(evidence: Evidence) -> Finding:
    """'Workflow Execution Latency p95: ≤ 100ms for workflow start, ≤ 50ms for activity execution'.

    Of no-op activities that went through the task queue, by the times of the histories. What is
    measured is the parameter `activity_execution_sli`. One that was tried again or did not complete
    took for ever. The warm-up is cut. Local and eager activities are shown beside it.
    """
    histories = Histories.of(evidence)
    return worst_of_runs(
        evidence,
        (ORDINARY, LOCAL, EAGER),
        lambda load, parameters: _judged(load, parameters, histories),
    )


def _judged(load: Load, parameters: Mapping[str, Any], histories: Histories) -> Finding:
    if histories.read < histories.drawn:
        raise Unfit(
            f"of {histories.drawn} runs the histories were to be read, and only those of "
            f"{histories.read} could be; the missing ones may be the slow ones"
        )
    timed = Timed.of(load, histories.executed)
    noops = timed.by(ORDINARY)
    if not noops:
        raise Unfit(
            f"no ordinary no-op activity was scheduled after the warm-up, in {histories.read} "
            "histories; the workload for it is noop"
        )
    sli = parameters["activity_execution_sli"]
    limit = Limit(
        what=f"no-op activities ({sli})",
        limit_ms=parameters["activity_p95_limit_ms"],
        confidence=parameters["confidence"],
    )
    resolution_ns = _resolution_ns(noops)
    if resolution_ns > COARSEST * limit.limit_ms * 1e6:
        raise Unfit(
            f"the histories' times are whole {resolution_ns / 1e6:g} ms, too coarse for a limit of "
            f"{limit.limit_ms:g} ms"
        )
    waited_ms = _waited(timed, noops)[WAITED_P50]
    if waited_ms is not None and resolution_ns / 1e6 < AT_ONCE_MS and waited_ms < AT_ONCE_MS:
        raise Unfit(
            f"ordinary no-op activities began {waited_ms:.3f} ms (median) after they were "
            "scheduled: the engine handed them over at once, and none waited to be polled"
        )
    took = timed.took(noops, sli)
    measured = Measured(
        at_worst=took,
        at_best=timed.took(noops, sli, unknown=0),
        span_s=(noops[-1].scheduled_ns - noops[0].scheduled_ns) / 1e9,
        slowest=lambda count: _slowest(noops, took, count),
        wanted=lambda needed: _wanted(needed, noops, load, histories),
    )
    figures = {
        "sli": sli,
        **_waited(timed, noops),
        **_p95s(timed, noops, but=sli),
        "retried": sum(each.attempt > 1 for each in noops),
        "not_completed": sum(each.ended != "completed" for each in noops),
        "runs_read": len({each.root for each in noops}),
        "resolution_ms": resolution_ns / 1e6,
        **timed.clock_offset_ms(),
        "eager": _eager(timed),
        "local": _local(timed),
    }
    return judge_measured(measured, limit, load.figures, figures)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """A load with the activities of its runs, those of the warm-up cut."""

    load: Load
    rows: Mapping[str, int]
    cut: Column
    executed: Sequence[Executed]

    @classmethod
    def of(cls, load: Load, executed: Iterable[Executed]) -> Timed:
        """Of the activities those whose run this load started, in the order of time."""
        samples = load.samples
        rows = {samples.origin.workflow_id(index): row for row, index in enumerate(samples.index)}
        judged = load.after_warmup & load.due
        own = [each for each in executed if each.root in rows and judged[rows[each.root]]]
        own.sort(key=lambda each: each.scheduled_ns)
        return cls(load=load, rows=rows, cut=load.cut, executed=own)

    def by(self, operation: str) -> list[Executed]:
        """The no-op activities of an operation: as markers of the local one, else scheduled."""
        return [
            each
            for each in self.executed
            if each.operation == operation
            and each.local == (operation == LOCAL)
            and (each.local or each.type == ACTIVITY_TYPE)
        ]

    def took(self, executed: Sequence[Executed], sli: str, unknown: int = NEVER) -> Column:
        """ns of each; `NEVER` where it was tried again or did not complete.

        What nobody knows is `unknown`: the load was told to stop meanwhile, or the engine's clock
        was put back.
        """
        import numpy

        begin, end = BETWEEN[sli]
        found = numpy.full(len(executed), NEVER, dtype=numpy.int64)
        for number, each in enumerate(executed):
            if each.ended != "completed":
                found[number] = unknown if self.cut[self.rows[each.root]] else NEVER
            elif each.attempt <= 1:
                passed_ns = getattr(each, end) - getattr(each, begin)
                found[number] = passed_ns if passed_ns >= 0 else unknown
        return found

    def clock_offset_ms(self) -> dict[str, float | None]:
        """By how much the engine's clock is ahead of the client's, at least and at most.

        Each run that was started by one attempt began between its sending and its answer. Where
        the least is above the most, a clock was put forward or back during the load.
        """
        samples, origin = self.load.samples, self.load.samples.origin
        ahead_ns = origin.begin_wall_ns - origin.begin_ns  # of the client's monotonic clock
        lowest, highest = [], []
        for each in self.executed:
            row = self.rows[each.root]
            if each.workflow_id == each.root and samples.answered_ns[row]:
                lowest.append(each.run_started_ns - samples.answered_ns[row] - ahead_ns)
                highest.append(each.run_started_ns - samples.sent_ns[row] - ahead_ns)
        return {
            "engine_clock_ahead_at_least_ms": max(lowest) / 1e6 if lowest else None,
            "engine_clock_ahead_at_most_ms": min(highest) / 1e6 if highest else None,
        }


def _waited(timed: Timed, executed: Sequence[Executed]) -> dict[str, float | None]:
    """The median time until they start: so short that none can have been polled for, or not."""
    return {WAITED_P50: _quantile(timed.took(executed, WAITED), 0.5)}


def _p95s(timed: Timed, executed: Sequence[Executed], but: str = "") -> dict[str, float | None]:
    """The p95 by each meaning."""
    return {f"{sli}_p95_ms": _quantile(timed.took(executed, sli)) for sli in BETWEEN if sli != but}


def _quantile(took_ns: Column, share: float = PERCENTILE) -> float | None:
    values = ordered(took_ns)
    return ms(at(values, percentile_rank(len(values), share))) if len(values) else None


def _eager(timed: Timed) -> dict[str, Any]:
    """Activities that the engine might hand over with its answer to what scheduled them.

    Then they start a few hundredths of a millisecond after they are scheduled.
    """
    executed = timed.by(EAGER)
    return {"activities": len(executed), **_waited(timed, executed), **_p95s(timed, executed)}


def _local(timed: Timed) -> dict[str, Any]:
    """Local activities, as far as a history times them: by the workflow tasks in which they ran.

    So what is shown is more than an activity took: a whole task, of all its activities and of the
    workflow code between them.
    """
    executed = timed.by(LOCAL)
    tasks = {(each.run_id, each.scheduled_ns): each for each in executed}
    together = len(executed) / len(tasks) if tasks else 0.0
    p95 = _quantile(timed.took([*tasks.values()], "schedule_to_close"))
    return {
        "activities": len(executed),
        "workflow_tasks": len(tasks),
        "activities_in_a_task": round(together, 3),
        "workflow_task_p95_ms": p95,
    }


def _resolution_ns(executed: Iterable[Executed]) -> int:
    """The largest power of ten that divides every time."""
    resolution = 10**9
    for each in executed:
        for moment in (each.scheduled_ns, each.started_ns, each.closed_ns):
            while moment % resolution:
                resolution //= 10
    return resolution


def _slowest(executed: Sequence[Executed], took_ns: Column, count: int) -> list[Witness]:
    slowest = sorted(range(len(executed)), key=lambda number: -int(took_ns[number]))[:count]
    return [Witness(text=_told(executed[number], int(took_ns[number]))) for number in slowest]


def _told(each: Executed, took_ns: int) -> str:
    why = each.ended or "not ended"
    if each.ended == "completed":
        why = f"attempt {each.attempt}" if each.attempt > 1 else ""
    run = f"{each.tenant} {each.workflow_id} run {each.run_id}"
    return f"{run}: {said(took_ns)} {why}".rstrip()


def _wanted(needed: int | None, noops: Sequence[Executed], load: Load, histories: Histories) -> str:
    """How to come by so many activities: by a longer run, as long as all histories are read."""
    started = int((load.column("answered_ns") > 0).sum())
    if needed is None or histories.drawn >= started:
        return more(needed, len(noops), load.run)
    return (
        f"{needed:,} samples would do; of {started:,} runs only {histories.drawn:,} histories were "
        "read, so take runs of more activities"
    )
