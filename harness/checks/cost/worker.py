"""CAP-7: CPU time of the workers for each workflow, and their memory."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from harness.checks.check import Evidence, Finding, Witness, failed, inconclusive, passed
from harness.checks.cost.blocks import BLOCKS, spread_of
from harness.errors import EvidenceError
from harness.journal.records import WORKER_CPU_S, WORKER_RSS_BYTES, Gauge, LoadRun
from harness.load.samples import SampleOutcome, Samples
from harness.load.whole import sessions, whole_run
from harness.means import Mean, line_of, values_needed

LEAST_WORKFLOWS: Final = 30
RUN: Final = "RUN"
OPEN: Final = "load.open"  # the generator's gauge: workflows started and not ended
MIB: Final = 1 << 20
_SETTLES_S: Final = 2.0  # what is left to do for workflows that have ended


@dataclass(frozen=True, slots=True)
class _Used:
    """CPU seconds of all workers since they began, as sampled."""

    gauges: tuple[Gauge, ...]

    def until(self, at_ns: int) -> float:
        """Seconds up to a moment; between two samples by a straight line."""
        times = [each.at_ns for each in self.gauges]
        after = min(max(bisect.bisect_left(times, at_ns), 1), len(times) - 1)
        one, other = self.gauges[after - 1], self.gauges[after]
        share = (at_ns - one.at_ns) / max(other.at_ns - one.at_ns, 1)
        return one.value + min(max(share, 0.0), 1.0) * (other.value - one.value)


def workers_are_efficient(evidence: Evidence) -> Finding:
    """ADR, Five Quality Vectors, Efficiency: "Efficient resource utilization: horizontal worker
    scaling".

    One workflow takes no more CPU time of its workers than is declared; from that follows how many
    workflows a second a core carries. Memory is shown: at most, and for each open workflow where
    their number varied. How full the workers' slots are cannot be seen from outside.
    """
    runs = sessions(evidence.of(LoadRun))
    if len(runs) > 1:
        return inconclusive(f"{len(runs)} load runs are in one trial")
    try:
        whole = whole_run(runs[0], lambda each: evidence.raw(each.samples, each.sha256))
    except EvidenceError as reason:
        return inconclusive(str(reason))
    samples = whole.samples
    if any(kind != RUN for kind in samples.origin.kinds):
        return inconclusive(
            f"the workload {whole.run.workload} does not only run workflows to their ends"
        )
    completed = sum(outcome == SampleOutcome.OK for outcome in samples.outcome)
    used = _Used(tuple(each for each in evidence.of(Gauge) if each.name == WORKER_CPU_S))
    if len(used.gauges) < 2:
        return inconclusive("the workers' CPU time was not seen: they are not ours to look at")
    if completed < LEAST_WORKFLOWS:
        return inconclusive(f"{completed} workflows completed, {LEAST_WORKFLOWS} would do")
    if _went_back(used) or not _seen_throughout(used, samples):
        return inconclusive("a worker ended under load, and its CPU time is not known to the end")
    return _judged(evidence, samples, completed, used)


def _went_back(used: _Used) -> bool:
    values = [each.value for each in used.gauges]
    return any(later < earlier for earlier, later in pairwise(values))


def _seen_throughout(used: _Used, samples: Samples) -> bool:
    first = min(sent for sent in samples.sent_ns if sent)
    return used.gauges[0].at_ns <= first and used.gauges[-1].at_ns >= max(samples.completed_ns)


def _judged(evidence: Evidence, samples: Samples, completed: int, used: _Used) -> Finding:
    confidence = evidence.parameters["confidence"]
    limit_ms = float(evidence.parameters["worker_cpu_most_ms"])
    mean = _each_ms(samples, completed, used, confidence)
    figures: dict[str, Any] = {
        "cpu_ms": round(mean.value, 2),
        "cpu_lower_ms": round(mean.lower, 2),
        "cpu_upper_ms": round(mean.upper, 2),
        "limit_ms": limit_ms,
        "judged": completed,
        "confidence": confidence,
        "workflows_a_second_for_each_core": round(1000 / mean.value, 2) if mean.value else None,
        **_memory(evidence, confidence),
    }
    seen = f"{mean.value:.1f} ms of the workers' CPU time for each of {completed} workflows"
    sure = f"at {confidence * 100:g} % confidence"
    most = f"{limit_ms:g} ms are the most"
    if mean.value <= 0:
        return inconclusive("the workers took no CPU time: others did the work", **figures)
    if mean.upper <= limit_ms:
        return passed(f"{seen}, {sure} at most {mean.upper:.1f}; {most}", **figures)
    if mean.lower > limit_ms:
        reason = f"{seen}, {sure} at least {mean.lower:.1f}; {most}"
        return failed(reason, [Witness(text=seen, path="journal/supervisor.jsonl")], **figures)
    needed = values_needed(mean, limit_ms, confidence)
    more = (
        f"{needed * len(samples) // BLOCKS:,} workflows would do" if needed else "no more would do"
    )
    return inconclusive(f"{seen}; {most}: {more}", **figures)


def _each_ms(samples: Samples, completed: int, used: _Used, confidence: float) -> Mean:
    """CPU ms of a workflow: from above shared by those that completed, from below by all sent."""
    sent = sorted(samples.intended_ns[n] for n in range(len(samples)) if samples.sent_ns[n])
    end_ns = max(samples.completed_ns) + round(_SETTLES_S * 1e9)
    spread = spread_of(sent, end_ns, used.until, confidence)
    total_ms = (used.until(end_ns) - used.until(sent[0])) * 1000
    half_ms = spread.half * 1000
    return Mean(
        total_ms / completed,
        total_ms / len(sent) - half_ms,
        total_ms / completed + half_ms,
        spread.deviation * 1000,
    )


def _memory(evidence: Evidence, confidence: float) -> dict[str, Any]:
    """The workers' memory at most, and for each open workflow where their number varied."""
    gauges = evidence.of(Gauge)
    rss = [each for each in gauges if each.name == WORKER_RSS_BYTES]
    backlog = [each for each in gauges if each.name == OPEN]
    found: dict[str, Any] = {
        "rss_most_mib": round(max((each.value for each in rss), default=0.0) / MIB, 1),
        "open_most": max((each.value for each in backlog), default=0.0),
    }
    line = line_of(_together(backlog, rss), confidence)
    if line is not None:
        found["rss_kib_for_each_open"] = round(line.slope / 1024, 1)
        found["rss_kib_for_each_open_at_least"] = round(line.slope_lower / 1024, 1)
        found["rss_kib_for_each_open_at_most"] = round(line.slope_upper / 1024, 1)
    return found


def _together(backlog: Sequence[Gauge], rss: Sequence[Gauge]) -> list[tuple[float, float]]:
    """(open workflows, bytes) at about the same time."""
    times = [each.at_ns for each in rss]
    return [
        (each.value, rss[min(bisect.bisect_left(times, each.at_ns), len(rss) - 1)].value)
        for each in (backlog if rss else ())
    ]
