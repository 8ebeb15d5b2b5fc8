"""What was full first: whose CPU time was used up while a rate did not hold."""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from harness.journal.records import CPU_S, MACHINE, MACHINE_IDLE, Gauge

WORKER_FULL: Final = 0.85  # of one core for each worker process, which is what Python can use
OTHERS_MATTER: Final = 0.2  # of the busy cores, used by what is none of ours
WORKER: Final = "worker"
ENGINE: Final = "engine"
NOT_KNOWN: Final = "not known"


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU shares by role over a span of time, in cores; `machine` is a share of all cores, of which
    `busy` were so, whoever used them."""

    cores: Mapping[str, float]
    machine: float | None
    busy: float | None = None

    def __str__(self) -> str:
        by_role = [f"{role} {each:.2f}" for role, each in sorted(self.cores.items())]
        machine = [] if self.machine is None else [f"machine {self.machine:.0%}"]
        return ", ".join([*by_role, *machine])


@dataclass(frozen=True, slots=True)
class Bound:
    """What was full first, in a word, and what shows it. `foreign`: others than the platform have
    filled the machine, and nothing is to be held against it."""

    what: str
    shown_by: str
    foreign: bool = False


def usage(gauges: Sequence[Gauge], begin_ns: int, end_ns: int) -> Usage:
    """What each role used between two moments, of those that were sampled throughout."""
    series: dict[str, list[tuple[int, float]]] = {}
    for gauge in gauges:
        if gauge.name == CPU_S:
            series.setdefault(gauge.detail, []).append((gauge.at_ns, gauge.value))
    used = {}
    for role, points in series.items():
        spent = _spent(points, begin_ns, end_ns)
        if spent is not None:
            used[role] = spent
    busy, idle = used.pop(MACHINE, None), used.pop(MACHINE_IDLE, None)
    machine = (
        busy / (busy + idle) if busy is not None and idle is not None and busy + idle else None
    )
    seconds = max((end_ns - begin_ns) / 1e9, 1e-9)
    return Usage(
        {role: each / seconds for role, each in used.items()},
        machine,
        None if busy is None else busy / seconds,
    )


def _spent(points: Sequence[tuple[int, float]], begin_ns: int, end_ns: int) -> float | None:
    """Of a count that only grows; None if it was not sampled throughout, or went back."""
    slack_ns = 3_000_000_000
    within = [p for p in points if begin_ns - slack_ns <= p[0] <= end_ns + slack_ns]
    if len(within) < 2 or within[0][0] > begin_ns + slack_ns or within[-1][0] < end_ns - slack_ns:
        return None
    spent = _at(within, end_ns) - _at(within, begin_ns)
    return spent if spent >= 0 else None


def _at(points: Sequence[tuple[int, float]], at_ns: int) -> float:
    """The count at a moment; between two samples by a straight line, and beyond them as well."""
    times = [at for at, _ in points]
    after = min(max(bisect.bisect_left(times, at_ns), 1), len(times) - 1)
    (begin, low), (end, high) = points[after - 1], points[after]
    return low + (at_ns - begin) / max(end - begin, 1) * (high - low)


def usage_of_machine(used: Usage) -> float | None:
    """The share of all cores that was busy, if it is known."""
    return None if used.machine is None else round(used.machine, 3)


def bound_of(used: Usage, workers: int, full_share: float, *, starts_late: bool) -> Bound:
    """What was full while a rate did not hold; the machine from more than `full_share` on.

    The machine goes first: on a full one each role is slow. Starts are answered by the engine
    alone; where only they are late, and nobody is out of CPU, it is the engine (its limits, its
    store).
    """
    share = "" if used.machine is None else f"the machine is at {used.machine:.0%}"
    if used.machine is not None and used.machine > full_share:
        most = max(used.cores, key=lambda role: used.cores[role], default="")
        by = f", most of ours by the {most} ({used.cores[most]:.2f} cores)" if most else ""
        others = (used.busy or 0.0) - sum(used.cores.values())
        foreign = bool(used.busy and others > OTHERS_MATTER * used.busy)
        if foreign:
            by += f"; others than the platform took {others:.2f} of the {used.busy:.2f} busy cores"
        return Bound("the whole machine's CPU", f"{share} of its CPU{by}", foreign)
    each = used.cores.get(WORKER, 0.0) / max(workers, 1)
    if each >= WORKER_FULL:
        return Bound(WORKER, f"each of its processes is at {each:.0%} of the core it can use")
    if starts_late:
        return Bound(ENGINE, f"starts, which it answers alone, are late, and {share or 'CPU'} only")
    if not used.cores:
        return Bound(NOT_KNOWN, "the platform's processes are not ours to look at")
    return Bound(NOT_KNOWN, f"nobody is out of CPU ({share}): slots, limits or waiting")
