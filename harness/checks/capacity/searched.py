"""The steps of a trial, judged again from their samples, and what they say together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.checks.capacity.bound import Bound, Usage, bound_of, usage
from harness.checks.capacity.knee import Interval, StepOutcome, Tried, interval_of
from harness.checks.capacity.steps import Judged, judge_step
from harness.checks.check import Evidence, Witness
from harness.journal.records import Gauge, LoadRun, Search, Step
from harness.load.whole import sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One step: its record, and what its samples say now."""

    step: Step
    judged: Judged
    used: Usage
    path: str

    @property
    def outcome(self) -> StepOutcome:
        """Its vote."""
        return vote(self.judged, clean=self.step.clean)

    @property
    def tried(self) -> Tried:
        """As the knee is reckoned of."""
        return Tried(rate_per_s=self.step.rate_per_s, outcome=self.outcome)

    def row(self) -> dict[str, Any]:
        """A line of the table of steps."""
        figures = self.judged.figures
        return {
            "outcome": str(self.outcome),
            "why": self.judged.reason,
            "cpu": str(self.used),
            "step": self.step.session,
            "rate_per_s": self.step.rate_per_s,
            "offered_per_s": figures.get("offered_per_s"),
            "achieved_per_s": figures.get("achieved_per_s"),
            "p95_ms": figures.get("p95_ms"),
            "p95_upper_ms": figures.get("p95_upper_ms"),
            "backlog_slope_per_s": figures.get("backlog_slope_per_s"),
            "left_open": self.judged.left_open,
        }

    def witness(self) -> Witness:
        """As evidence."""
        text = f"step {self.step.session}, {self.step.rate_per_s:g}/s: {self.outcome}"
        return Witness(text=f"{text}: {self.judged.reason}", path=self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """All steps with the same number of worker processes; `ended` is empty for a search that was
    cut short."""

    workers: int
    steps: tuple[Seen, ...]
    interval: Interval
    ended: str
    full_share: float

    @property
    def bound(self) -> Bound | None:
        """What was full at the lowest rate that did not hold; None where none is known."""
        high = self.interval.failed_per_s
        if high is None:
            if self.interval.generator_per_s is None:
                return None
            late = next(s for s in self.steps if s.outcome is StepOutcome.GENERATOR)
            return Bound("generator", late.judged.reason)
        broken = next(
            seen
            for seen in self.steps
            if seen.step.rate_per_s == high and seen.outcome is StepOutcome.FAILED
        )
        lower, limit = (broken.judged.figures.get(n) for n in ("p95_lower_ms", "limit_ms"))
        late_starts = limit is not None and (lower is None or lower > limit)
        return bound_of(broken.used, self.workers, self.full_share, starts_late=late_starts)


def vote(judged: Judged, *, clean: bool) -> StepOutcome:
    """A step's vote: one that failed on what an earlier one had left decides nothing."""
    if judged.outcome is StepOutcome.FAILED and not clean:
        return StepOutcome.UNDECIDED
    return judged.outcome


def searches(evidence: Evidence) -> list[Searched]:
    """What the steps of a trial say, by the number of worker processes, ascending."""
    runs = {parts[0].session: parts for parts in sessions(evidence.of(LoadRun))}
    gauges = evidence.of(Gauge)
    seen: dict[int, list[Seen]] = {}
    for step in sorted(evidence.of(Step), key=lambda step: step.session):
        parts = runs.get(step.session)
        if parts is not None:
            seen.setdefault(step.workers, []).append(_seen(evidence, step, parts, gauges))
    ended = {each.workers: each.ended for each in evidence.of(Search)}
    return [
        Searched(
            workers=workers,
            steps=tuple(steps),
            interval=interval_of(each.tried for each in steps),
            ended=ended.get(workers, ""),
            full_share=float(evidence.parameters["cpu_full_share"]),
        )
        for workers, steps in sorted(seen.items())
    ]


def _seen(
    evidence: Evidence, step: Step, parts: Sequence[LoadRun], gauges: Sequence[Gauge]
) -> Seen:
    run = parts[0]
    judged = judge_step(
        parts, lambda each: evidence.raw(each.samples, each.sha256), evidence.parameters
    )
    span = judged.span_ns
    return Seen(
        step=step,
        judged=judged,
        used=usage(gauges, *span) if span else Usage({}, None),
        path=run.samples,
    )
