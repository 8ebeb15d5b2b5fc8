"""DUR-2: what becomes of acknowledged sagas when the workers' link to the engine is cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from harness.checks.check import Evidence, Finding
from harness.checks.histories import CONTINUED, Run, coverage, runs
from harness.checks.histories.clauses import Broken, conclude
from harness.checks.histories.ledger import applied, named, requests
from harness.journal.records import Ending, Fault, Gauge, Operation

LOST: Final = "acknowledged and lost"
OPEN: Final = "not ended"
TWICE: Final = "applied more than once"
NOT_DRAINED: Final = "backlog not drained"
LINK: Final = "worker"
BACKLOG: Final = "open_sagas"
RECOVER_WITHIN_S: Final = 30.0
_NS: Final = 1_000_000_000
_MOST_LINKS: Final = 1000


@dataclass(frozen=True, slots=True)
class Partition:
    """One cut of a worker's link, from its phases; a phase that is not recorded is None."""

    fault_id: str
    injected: Fault | None
    bit: Fault | None
    healed: Fault | None

    @property
    def doubts(self) -> str:
        """Why it proves nothing; empty if it does."""
        missing = [
            phase
            for phase, record in (
                ("injected", self.injected),
                ("bit", self.bit),
                ("healed", self.healed),
            )
            if record is None
        ]
        return f"fault {self.fault_id} has no evidence that it {missing[0]}" if missing else ""


def partitions_lose_nothing(evidence: Evidence) -> Finding:
    """ADR, Consequences: "Workflows survive service restarts, network partitions, and
    infrastructure failures".

    While sagas run, the workers' link to the engine is cut and healed, and the cut provably bit.
    Every acknowledged start has a recorded run, which has ended; no effect was applied twice; and
    the number of open sagas is soon back at its level of before. At least one saga was under way
    when each cut began.
    """
    partitions = list(_partitions(evidence))
    within_s = float(evidence.parameters.get("recover_within_s", RECOVER_WITHIN_S))
    starts = [op for op in evidence.of(Operation) if op.name == "start"]
    acknowledged = [op for op in starts if op.ending is Ending.OK and op.run_id]
    backlog = _Backlog(evidence, partitions, within_s)
    broken = [
        *_unfinished(evidence, acknowledged),
        *_twice(evidence),
        *(each for partition in partitions for each in backlog.broken(partition)),
    ]
    in_flight = {each.fault_id: _in_flight(evidence, each) for each in partitions}
    lacks = [
        coverage(evidence, "DUR-2").lacks,
        "" if partitions else "no partition of a worker's link is recorded",
        *(each.doubts for each in partitions),
        *(
            f"no saga was under way when fault {each.fault_id} began"
            for each in partitions
            if not each.doubts and not in_flight[each.fault_id]
        ),
        *(backlog.doubt(each) for each in partitions if not each.doubts),
        "" if acknowledged else "no start was acknowledged",
    ]
    figures: dict[str, Any] = {
        "partitions": len(partitions),
        "starts": len(starts),
        "acknowledged": len(acknowledged),
        "in_flight_at_cut": in_flight,
        "drained_after_s": {p.fault_id: backlog.drained_after_s(p) for p in partitions},
    }
    kept = (
        f"{len(partitions)} partitions with {sum(in_flight.values())} sagas under way: all "
        f"{len(acknowledged)} acknowledged sagas ended, no effect was applied twice, and the "
        f"backlog was drained within {within_s:g} s"
    )
    return conclude((LOST, OPEN, TWICE, NOT_DRAINED), broken, lacks, kept, figures)


def _partitions(evidence: Evidence) -> Iterator[Partition]:
    phases: dict[str, dict[str, Fault]] = {}
    for fault in evidence.of(Fault):
        if fault.target.startswith(LINK):
            phases.setdefault(fault.fault_id, {}).setdefault(fault.phase, fault)
    for fault_id, found in phases.items():
        yield Partition(fault_id, found.get("injected"), found.get("bit"), found.get("healed"))


def _unfinished(evidence: Evidence, acknowledged: list[Operation]) -> Iterator[Broken]:
    known = runs(evidence)
    for op in acknowledged:
        name = f"{op.tenant} {op.workflow_id} run {op.run_id}"
        run = _last(known, op.tenant, op.run_id)
        if run is None:
            yield Broken(LOST, f"{name} was acknowledged, and no history of it or its end is found")
        elif not run.closing:
            text = f"{name} has not ended; its last event is {run.last_event_id}"
            yield Broken(OPEN, text, run.history.path)


def _last(known: dict[tuple[str, str], Run], tenant: str, run_id: str) -> Run | None:
    """The run that a start has led to in the end; None if one on the way is not recorded."""
    run = known.get((tenant, run_id))
    for _ in range(_MOST_LINKS):
        if run is None or not run.following:
            break
        run = known.get((tenant, run.following))
    return None if run is not None and run.closing == CONTINUED else run


def _twice(evidence: Evidence) -> Iterator[Broken]:
    for effects in requests(evidence).values():
        found = applied(effects)
        if len(found) > 1:
            yield Broken(TWICE, f"{len(found)} times: {'; '.join(map(named, found))}")


def _in_flight(evidence: Evidence, partition: Partition) -> int:
    """How many runs had begun before the cut and ended after it, or not at all."""
    if partition.injected is None:
        return 0
    cut_ns = partition.injected.wall_ns
    return sum(
        run.started_ns < cut_ns and (not run.closing or run.closed_ns > cut_ns)
        for run in runs(evidence).values()
    )


class _Backlog:
    """The gauges of open sagas, for all tenants together or for each."""

    def __init__(self, evidence: Evidence, cuts: list[Partition], within_s: float) -> None:
        self._within_s = within_s
        self._first_cut_ns = min((p.injected.at_ns for p in cuts if p.injected), default=0)
        self._series: dict[str, list[Gauge]] = {}
        for gauge in evidence.of(Gauge):
            if gauge.name == BACKLOG:
                self._series.setdefault(gauge.tenant, []).append(gauge)

    def drained_after_s(self, partition: Partition) -> float | None:
        """How long after the healing all series were back at their level; None if they were not."""
        after = [self._drained(series, partition) for series in self._series.values()]
        known = [each for each in after if each is not None]
        return max(known) if known and len(known) == len(after) else None

    def _level(self, series: list[Gauge]) -> float | None:
        """The highest value before any cut; None if there is no gauge of that time."""
        return max((g.value for g in series if g.at_ns < self._first_cut_ns), default=None)

    def _drained(self, series: list[Gauge], partition: Partition) -> float | None:
        level = self._level(series)
        if partition.healed is None or level is None:
            return None
        healed_ns = partition.healed.at_ns
        return next(
            (
                (gauge.at_ns - healed_ns) / _NS
                for gauge in series
                if gauge.at_ns >= healed_ns and gauge.value <= level
            ),
            None,
        )

    def doubt(self, partition: Partition) -> str:
        """Why nothing can be said of the backlog; empty if something can."""
        if not self._series:
            return f"the gauge {BACKLOG} is not recorded"
        if any(self._level(each) is None for each in self._series.values()):
            return f"{BACKLOG} was not gauged before the first cut"
        if self.drained_after_s(partition) is None and not self._watched_long_enough(partition):
            return f"{BACKLOG} was not gauged for {self._within_s:g} s after {partition.fault_id}"
        return ""

    def _watched_long_enough(self, partition: Partition) -> bool:
        if partition.healed is None:
            return False
        until_ns = partition.healed.at_ns + self._within_s * _NS
        return all(series[-1].at_ns >= until_ns for series in self._series.values())

    def broken(self, partition: Partition) -> Iterator[Broken]:
        """The backlog if it was drained too late, or not though it was watched long enough."""
        if partition.doubts or self.doubt(partition):
            return
        after_s = self.drained_after_s(partition)
        if after_s is None or after_s > self._within_s:
            how = "never" if after_s is None else f"{after_s:.1f} s after the healing"
            text = f"fault {partition.fault_id}: open sagas were back at their level {how}"
            yield Broken(NOT_DRAINED, f"{text}, {self._within_s:g} s are allowed")
