"""How long a victim's activities waited for a worker, by the histories of its sagas.

A wait is from being scheduled to being started, both by the engine's clock. When it began is
reckoned on the client's clock: so long after the answer to the saga's start as the history has it
after the run's beginning, so no clock's offset moves it into another block.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.checks.check import Evidence, Finding, Witness, inconclusive
from harness.checks.slo.activities import Histories
from harness.checks.slo.latency import Limit, Measured, judge_measured
from harness.checks.slo.load import NEVER, Unfit
from harness.checks.slo.noise import SETTLES, Neighbours
from harness.checks.slo.telling import more, said
from harness.journal.records import Block, Executed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Column = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """One activity's wait; `NEVER` if it was not started by its first attempt, `known` unless the
    load was told to stop meanwhile."""

    at_ns: int
    took_ns: int
    known: bool
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """The waits of a run beside a flood, in the order of time."""

    seen: Neighbours
    waits: Sequence[Wait]

    @classmethod
    def of(cls, seen: Neighbours, evidence: Evidence) -> Waits:
        """Those of the histories that were read; `Unfit` if not all that were to be are."""
        histories = Histories.of(evidence)
        if not histories.drawn or histories.read < histories.drawn:
            raise Unfit(
                f"the waits of activities were not measured: of {histories.drawn} sagas the "
                f"histories were to be read, and those of {histories.read} could be"
            )
        samples = seen.load.samples
        rows = {samples.origin.workflow_id(index): row for row, index in enumerate(samples.index)}
        cut = seen.load.cut
        found = [
            _wait(each, samples.answered_ns[rows[each.root]], bool(cut[rows[each.root]]))
            for each in histories.executed
            if each.root in rows and each.workflow_id == each.root and not each.local
        ]
        return cls(seen=seen, waits=sorted(found, key=lambda wait: wait.at_ns))

    def during(self, blocks: Sequence[Block]) -> list[Wait]:
        """The waits that began in these blocks, without the blocks' beginnings."""
        stretches = [
            (block.begin_ns + round(SETTLES * (block.end_ns - block.begin_ns)), block.end_ns)
            for block in blocks
        ]
        return [w for w in self.waits if any(begin <= w.at_ns < end for begin, end in stretches)]

    def judged(self, blocks: Sequence[Block], limit: Limit) -> Finding:
        """The p95 of the waits in these blocks against the limit."""
        import numpy

        waits = self.during(blocks)
        if not waits:
            return inconclusive("no activity was scheduled")
        took = numpy.array([wait.took_ns for wait in waits], dtype=numpy.int64)
        known = numpy.array([wait.known for wait in waits])
        run = self.seen.load.run
        measured = Measured(
            at_worst=took,
            at_best=numpy.where(known, took, 0),
            span_s=(waits[-1].at_ns - waits[0].at_ns) / 1e9,
            slowest=lambda count: _slowest(waits, count),
            wanted=lambda needed: more(needed, len(waits), run),
        )
        return judge_measured(measured, limit, {}, {})


def _wait(each: Executed, answered_ns: int, cut: bool) -> Wait:
    started = each.started_ns and each.attempt <= 1
    return Wait(
        at_ns=answered_ns + each.scheduled_ns - each.run_started_ns,
        took_ns=max(each.started_ns - each.scheduled_ns, 0) if started else NEVER,
        known=bool(started) or not cut,
        name=f"{each.root} {each.type}",
    )


def _slowest(waits: Sequence[Wait], count: int) -> list[Witness]:
    slowest = sorted(waits, key=lambda wait: -wait.took_ns)[:count]
    return [Witness(text=f"{wait.name}: waited {said(wait.took_ns)}") for wait in slowest]
