"""The order that events declare, against the order of the history."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from harness.checks.audit.matching import READS, Match, meaning, reconcile
from harness.checks.check import Evidence, Finding
from harness.checks.histories import coverage, remembered, wall_ns
from harness.checks.histories.clauses import Broken, conclude
from harness.cloudevents.syntax import is_time

UNORDERED: Final = "no order"
SEQUENCE: Final = "sequence"
TIME: Final = "time"
BACKWARDS: Final = "time backwards"
_MS: Final = 1_000_000


@remembered(*READS)
def by_run(evidence: Evidence) -> dict[str, list[Match]]:
    """What arrived for the transitions of each run, in the order of its history."""
    found: defaultdict[str, list[Match]] = defaultdict(list)
    matches = reconcile(evidence, meaning(evidence.parameters)).matches
    for (run_id, _, _), match in sorted(matches.items()):
        found[run_id].append(match)
    return dict(found)


def events_of_a_run_are_ordered(evidence: Evidence) -> Finding:
    """ADR, Invariants: "CloudEvents-compatible audit events for workflow state transitions".

    Within each run, what orders the events (`sequence`, or `time` where that is declared) grows as
    the history does, from started to the end; `time` is that of the history's event, within the
    declared tolerance, and runs backwards only where the history's does: what reaches a run while
    it works on a task keeps the time when it came, and is recorded behind what the task decided.
    In which order they are delivered is free.
    """
    runs = by_run(evidence)
    declared = evidence.parameters.get("event_order", "sequence")
    tolerance_ms = int(evidence.parameters.get("event_time_tolerance_ms", 5000))
    broken = [b for matches in runs.values() for b in _disorder(matches, declared, tolerance_ms)]
    pairs = sum(len(matches) - 1 for matches in runs.values())
    lacks = [
        coverage(evidence, "INV-AUD-5").lacks,
        "" if pairs else "no run has two events that arrived, so there is no order",
    ]
    kept = f"the events of {len(runs)} runs are ordered as their histories, {pairs} pairs"
    figures = {"runs": len(runs), "pairs": pairs, "ordered_by": declared}
    return conclude((UNORDERED, SEQUENCE, TIME, BACKWARDS), broken, lacks, kept, figures)


def _disorder(matches: list[Match], declared: str, tolerance_ms: int) -> Iterator[Broken]:
    before: Match | None = None
    for match in matches:
        event, path = match.first, match.run.history.path
        if declared == "sequence" and not event.sequence:
            yield Broken(UNORDERED, f"{event.name} has no sequence", path)
        if is_time(event.time):
            off_ms = abs(_time_ns(event.time) - match.transition.wall_ns) / _MS
            if off_ms > tolerance_ms:
                yield Broken(TIME, f"{event.name} is {off_ms:.0f} ms off its history", path)
        else:
            yield Broken(TIME, f"{event.name} has no time", path)
        if before is not None:
            yield from _inverted(before, match, declared)
        before = match


def _inverted(before: Match, after: Match, declared: str) -> Iterator[Broken]:
    one, other, path = before.first, after.first, after.run.history.path
    same = before.transition.event_id == after.transition.event_id
    both = declared == "sequence" and one.sequence and other.sequence and not same
    if both and not _rank(one.sequence, other.sequence):
        text = f"{other.name} has sequence {other.sequence}, the one before it {one.sequence}"
        yield Broken(SEQUENCE, text, path)
    recorded_so = after.transition.wall_ns < before.transition.wall_ns
    timed = is_time(one.time) and is_time(other.time) and not recorded_so
    if timed and _time_ns(other.time) < _time_ns(one.time):
        text = f"{other.name} is of {other.time}, {one.name} before it of {one.time}"
        yield Broken(BACKWARDS, text, path)


def _rank(one: str, other: str) -> bool:
    """Whether a sequence comes before another: as numbers if both are, else as text."""
    if one.isdecimal() and other.isdecimal():
        return int(one) < int(other)
    return one < other


def _time_ns(text: str) -> int:
    """An RFC 3339 time in nanoseconds of the wall clock."""
    upper = text.upper()
    if upper.endswith("Z"):
        return wall_ns(upper)
    sign = -1 if upper[-6] == "+" else 1
    offset_s = int(upper[-5:-3]) * 3600 + int(upper[-2:]) * 60
    return wall_ns(f"{upper[:-6]}Z") + sign * offset_s * 1_000_000_000
