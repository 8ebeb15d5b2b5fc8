"""CAP-5: what workers and engine exchange, for each workflow and while idle, as GB a day.

A day has N workflows and 86,400 seconds of polling. Three things are measured: what passes under a
load of n workflows in W seconds, what passes in T seconds in which nothing is asked, and how both
vary. What an idle worker exchanges comes in polls that last up to `POLL_S`: between T / 60 - 1 and
T / 60 + 1 of them end in T seconds, so the bytes of a second lie between bytes / (T + 60) and
bytes / (T - 60), and an idle stretch of no more than a poll bounds nothing from above.

What passes under load is workflows and polls together. Taken all for the workflows', and the
polling of a whole day added, it bounds the day from above. From below: whatever part of it was
polling would weigh more in a day of 86,400 seconds than as workflows, unless the load was slower
than the day.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from harness.checks.check import Evidence, Finding, Witness, failed, inconclusive, passed
from harness.checks.cost.blocks import BLOCKS, spread_of
from harness.errors import EvidenceError
from harness.journal.records import (
    BYPASSING,
    IDLE,
    UNDER_LOAD,
    Gauge,
    LoadRun,
    Subject,
    Traffic,
)
from harness.load.samples import SampleOutcome, Samples
from harness.load.whole import sessions, whole_run
from harness.means import Mean, values_needed

POLL_S: Final = 60.0  # the engine's matching.longPollExpirationInterval
DAY_S: Final = 86_400.0
GB: Final = 1e9
LEAST_WORKFLOWS: Final = 30
SEEN: Final = (Subject.GENERATOR, Subject.WORKER)  # what must have gone through the proxy
RUN: Final = "RUN"


class _Unfit(Exception):
    """Traffic that cannot be judged; its text is the reason."""


@dataclass(frozen=True, slots=True)
class _Stretch:
    """What passed one link in one stretch: its counts, each second."""

    counts: tuple[Traffic, ...]

    @property
    def lasted_s(self) -> float:
        return (self.counts[-1].at_ns - self.counts[0].at_ns) / 1e9

    @property
    def to_engine(self) -> int:
        return self.counts[-1].to_engine_bytes - self.counts[0].to_engine_bytes

    @property
    def from_engine(self) -> int:
        return self.counts[-1].from_engine_bytes - self.counts[0].from_engine_bytes

    @property
    def bytes(self) -> int:
        return self.to_engine + self.from_engine

    def until(self, at_ns: int) -> float:
        """Bytes both ways from its beginning to a moment; between two counts by a straight line."""
        times = [each.at_ns for each in self.counts]
        after = min(max(bisect.bisect_left(times, at_ns), 1), len(times) - 1)
        one, other = self.counts[after - 1], self.counts[after]
        share = (at_ns - one.at_ns) / max(other.at_ns - one.at_ns, 1)
        base = _both(one) - _both(self.counts[0])
        return base + min(max(share, 0.0), 1.0) * (_both(other) - _both(one))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rate:
    """Bytes of a second of idleness; from above infinite where the stretch was too short."""

    seen: float
    lower: float
    upper: float
    lasted_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Load:
    """The workflows of the load, and what the workers' link carried meanwhile."""

    sent: int
    completed: int
    each: Mean
    slowest_day: float  # bytes of a day if all that passed was polling, from below

    @property
    def gross(self) -> float:
        return self.each.value


def traffic_as_estimated(evidence: Evidence) -> Finding:
    """ADR, Capacity & Costs: "Network: gRPC traffic between workers and Temporal cluster; estimated
    1GB/day initially".

    At the first daily volume the workers' links carry no more than is estimated, both ways, polling
    of idle workers included. Bytes are the payload of TCP: what HTTP/2 and gRPC add is in them,
    what TCP and IP add is not. The generator's and the exporter's links, and the later volume, for
    which the ADR gives no figure, are shown beside.
    """
    figures: dict[str, Any] = {}
    try:
        return _judged(evidence, figures)
    except (_Unfit, EvidenceError) as reason:
        return inconclusive(str(reason), **figures)


def _judged(evidence: Evidence, figures: dict[str, Any]) -> Finding:
    parameters = evidence.parameters
    loaded = _stretches(evidence, UNDER_LOAD)
    idle = _stretches(evidence, IDLE)
    samples = _samples(evidence)
    figures |= {
        "workflows": len(samples),
        "links": _table(loaded, idle, len(samples)),
        "connections": {link: part.counts[-1].connections for link, part in loaded.items()},
    }
    _require_all_seen(evidence, loaded)
    load = _load(samples, loaded[Subject.WORKER], parameters["confidence"])
    rate = _rate(idle.get(Subject.WORKER))
    return _day(load, rate, parameters, figures)


def _stretches(evidence: Evidence, name: str) -> dict[Subject, _Stretch]:
    """Of each link that was opened, what it carried in a stretch that was counted to its end."""
    found: dict[Subject, list[Traffic]] = {}
    for record in evidence.of(Traffic):
        if record.stretch == name:
            found.setdefault(record.link, []).append(record)
    return {
        link: _Stretch(tuple(sorted(counts, key=lambda each: each.at_ns)))
        for link, counts in found.items()
        if len(counts) > 1
    }


def _samples(evidence: Evidence) -> Samples:
    """The workflows of the only load run; raises `_Unfit` where bytes cannot be divided by them."""
    runs = sessions(evidence.of(LoadRun))
    if len(runs) > 1:
        raise _Unfit(
            f"{len(runs)} load runs are in one trial, and their bytes cannot be told apart"
        )
    whole = whole_run(runs[0], lambda each: evidence.raw(each.samples, each.sha256))
    other = sorted({kind for kind in whole.samples.origin.kinds if kind != RUN})
    if other:
        raise _Unfit(
            f"the workload {whole.run.workload} does not only run workflows to their ends, so its "
            "bytes cannot be divided by them; load the platform with sagas alone"
        )
    return whole.samples


def _require_all_seen(evidence: Evidence, loaded: Mapping[Subject, _Stretch]) -> None:
    """Raises `_Unfit` unless each role went through the proxy, and nobody past it."""
    for link in SEEN:
        if link not in loaded:
            raise _Unfit(
                f"the {link}'s traffic did not go through the counting proxy"
                + (" (its workers are started by others)" if link is Subject.WORKER else "")
            )
    silent = [
        str(link) for link, part in loaded.items() if not (part.to_engine and part.from_engine)
    ]
    if silent:
        raise _Unfit(f"no byte of {' and '.join(silent)} was counted: it went another way")
    looks = [each for each in evidence.of(Gauge) if each.name == BYPASSING]
    if not looks:
        raise _Unfit("nobody looked whether the counting proxy was gone past")
    past = [each for each in looks if each.value]
    if past:
        raise _Unfit(f"connections to the engine go past the counting proxy: {past[0].detail}")


def _load(samples: Samples, worker: _Stretch, confidence: float) -> _Load:
    intended = sorted(samples.intended_ns[n] for n in range(len(samples)) if samples.sent_ns[n])
    completed = sum(outcome == SampleOutcome.OK for outcome in samples.outcome)
    if completed < LEAST_WORKFLOWS:
        raise _Unfit(f"{completed} workflows completed, {LEAST_WORKFLOWS} would do")
    begin_ns, end_ns = intended[0], worker.counts[-1].at_ns
    passed = worker.bytes - worker.until(begin_ns)  # without what made the load ready
    spread = spread_of(intended, end_ns, worker.until, confidence)
    most, least = passed / completed, passed / len(intended)
    return _Load(
        sent=len(intended),
        completed=completed,
        each=Mean(most, least - spread.half, most + spread.half, spread.deviation),
        slowest_day=DAY_S * passed / ((end_ns - begin_ns) / 1e9 + POLL_S),
    )


def _rate(idle: _Stretch | None) -> _Rate:
    if idle is None:
        return _Rate(seen=math.nan, lower=0.0, upper=math.inf, lasted_s=0.0)
    lasted_s = idle.lasted_s
    return _Rate(
        seen=idle.bytes / lasted_s,
        lower=idle.bytes / (lasted_s + POLL_S),
        upper=idle.bytes / (lasted_s - POLL_S) if lasted_s > POLL_S else math.inf,
        lasted_s=lasted_s,
    )


def _day(
    load: _Load, rate: _Rate, parameters: Mapping[str, Any], figures: dict[str, Any]
) -> Finding:
    limit = float(parameters["grpc_gb_per_day"]) * GB
    first, later = (float(parameters[f"workflows_per_day{end}"]) for end in ("", "_later"))
    lower, upper = _bounds(load, rate, first)
    about = first * load.gross + DAY_S * rate.seen
    figures |= {
        "day_gb": _finite(about / GB, 4),
        "day_lower_gb": round(lower / GB, 4),
        "day_upper_gb": _finite(upper / GB, 4),
        "limit_gb": limit / GB,
        "judged": load.completed,
        "sent": load.sent,
        "confidence": parameters["confidence"],
        "bytes_for_each": round(load.gross),
        "bytes_for_each_at_least": round(load.each.lower),
        "bytes_for_each_at_most": round(load.each.upper),
        "idle_s": round(rate.lasted_s, 1),
        "idle_bytes_per_s": _finite(rate.seen),
        "idle_bytes_per_s_at_least": round(rate.lower, 1),
        "idle_bytes_per_s_at_most": _finite(rate.upper),
        "days": [_row(load, rate, volume) for volume in (first, later)],
    }
    sure = f"at {parameters['confidence'] * 100:g} % confidence"
    seen = f"{load.gross:,.0f} bytes for each of {load.completed} workflows, " + (
        "idleness not measured" if math.isnan(rate.seen) else f"{rate.seen:,.0f} a second idle"
    )
    estimate = f"{limit / GB:g} GB are estimated for a day of {first:,.0f}"
    if upper <= limit:
        return passed(f"{seen}: {sure} at most {_gb(upper)} a day; {estimate}", **figures)
    if lower > limit:
        witness = Witness(text=f"the workers' link: {seen}", path="journal/counting.jsonl")
        reason = f"{seen}: {sure} at least {_gb(lower)} a day; {estimate}"
        return failed(reason, [witness], **figures)
    more = _what_would_do(load, rate, first, limit, parameters["confidence"])
    return inconclusive(f"{seen}; {estimate}: {more}", **figures)


def _bounds(load: _Load, rate: _Rate, workflows: float) -> tuple[float, float]:
    """Bytes of a day of so many workflows, from below and from above."""
    of_load = min(workflows * load.each.lower, load.slowest_day)
    lower = max(of_load, DAY_S * rate.lower, 0.0)
    return lower, workflows * load.each.upper + DAY_S * rate.upper


def _what_would_do(
    load: _Load, rate: _Rate, workflows: float, limit: float, confidence: float
) -> str:
    """How long an idle stretch, or how many workflows, would decide it."""
    room = limit - workflows * load.each.upper
    if room <= 0:
        needed = values_needed(load.each, limit / workflows, confidence)
        number = max(2 * load.sent, load.sent * (needed or 2) // BLOCKS)
        return f"some {number:,} workflows would do"
    share = room / DAY_S
    seen = 0.0 if math.isnan(rate.seen) else rate.seen
    if seen >= share:
        return "an idle stretch of ten minutes may do (--idle 600)"
    needed_s = math.ceil(max(POLL_S * share / (share - seen), POLL_S * 1.25))
    return f"an idle stretch of {needed_s} s would do (--idle {needed_s})"


def _row(load: _Load, rate: _Rate, workflows: float) -> dict[str, Any]:
    lower, upper = _bounds(load, rate, workflows)
    about = workflows * load.gross + DAY_S * rate.seen
    return {
        "workflows": round(workflows),
        "gb": _finite(about / GB, 4),
        "gb_lower": round(lower / GB, 4),
        "gb_upper": _finite(upper / GB, 4),
    }


def _table(
    loaded: Mapping[Subject, _Stretch], idle: Mapping[Subject, _Stretch], workflows: int
) -> list[dict[str, Any]]:
    """For each link: bytes of a workflow each way, and of a second of idleness."""
    return [
        {
            "link": str(link),
            "to_engine_bytes": round(part.to_engine / max(workflows, 1)),
            "from_engine_bytes": round(part.from_engine / max(workflows, 1)),
            "idle_bytes_per_s": (
                round(idle[link].bytes / idle[link].lasted_s, 1) if link in idle else None
            ),
        }
        for link, part in loaded.items()
    ]


def _both(counts: Traffic) -> int:
    return counts.to_engine_bytes + counts.from_engine_bytes


def _gb(size: float) -> str:
    return f"{size / GB:.3g} GB"


def _finite(value: float, digits: int = 1) -> float | None:
    return round(value, digits) if math.isfinite(value) else None
