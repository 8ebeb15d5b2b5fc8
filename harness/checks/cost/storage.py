"""CAP-3: the bytes of history of each workflow, extrapolated to what is kept, against the store."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from harness.checks.check import Evidence, Finding, Witness, failed, inconclusive, passed
from harness.journal.records import Stored
from harness.means import Mean, line_of, mean_of, values_needed

LEAST_WORKFLOWS: Final = 30
OPEN: Final = frozenset({"RUNNING", "PAUSED", "UNSPECIFIED"})
GB: Final = 1e9
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Weighed:
    """A workflow that a load started, with all its runs: what carried it on, and its children."""

    runs: tuple[Stored, ...]

    @property
    def name(self) -> str:
        """Tenant and workflow id."""
        return f"{self.runs[0].tenant} {self.runs[0].root}"

    @property
    def type(self) -> str:
        """The workflow type of the one that was started."""
        root = self.runs[0].root
        return next((r.workflow_type for r in self.runs if r.workflow_id == root), "")

    @property
    def bytes(self) -> int:
        """What the engine counts as the size of all its histories."""
        return sum(run.history_bytes for run in self.runs)

    @property
    def events(self) -> int:
        """Events of all its histories."""
        return sum(run.events for run in self.runs)

    @property
    def activities(self) -> int:
        """Activities that all its runs scheduled."""
        return sum(run.activities for run in self.runs)

    @property
    def open(self) -> bool:
        """Whether any of its runs has not ended, and may grow."""
        return any(run.status in OPEN for run in self.runs)

    @property
    def misfit(self) -> bool:
        """Whether the engine's count of any history is not that of the history that was read."""
        return any(
            run.told_events != run.events
            or not run.read_bytes / 2 <= run.history_bytes <= run.read_bytes * 2
            for run in self.runs
        )


def storage_suffices(evidence: Evidence) -> Finding:
    """ADR, Capacity & Costs: "Workflow history stored in Temporal cluster; retention policy: 90
    days"; "10,000 workflows/day initially, scaling to 100,000 workflows/day".

    The mean bytes of history of a workflow, as the engine counts them, times the workflows that a
    retention keeps at the first daily volume, are no more than is provisioned. What the later
    volume takes is shown. The store's own additions (indices, visibility, copies) are not in it.
    """
    weighed = _weighed(evidence.of(Stored))
    closed = [each for each in weighed if not each.open]
    figures: dict[str, Any] = {
        "still_open": len(weighed) - len(closed),
        "by_type": _by_type(closed),
    }
    if misfits := [each for each in closed if each.misfit]:
        reason = f"the engine's count of {len(misfits)} histories is not that of what was read"
        return inconclusive(f"{reason}, the first of {misfits[0].name}", **figures)
    if len(closed) < LEAST_WORKFLOWS:
        reason = f"{len(closed)} workflows that ended were weighed, {LEAST_WORKFLOWS} would do"
        return inconclusive(reason, **figures, samples_needed=LEAST_WORKFLOWS)
    return _judged(closed, evidence, figures)


def _judged(closed: Sequence[Weighed], evidence: Evidence, figures: dict[str, Any]) -> Finding:
    parameters = evidence.parameters
    confidence = parameters["confidence"]
    mean = mean_of([each.bytes for each in closed], confidence)
    days = float(parameters["retention_days"])
    first, later = (
        float(parameters[name]) * days for name in ("workflows_per_day", "workflows_per_day_later")
    )
    provisioned_gb = float(parameters["history_storage_gb"])
    figures |= {
        "kept_gb": round(first * mean.value / GB, 4),
        "kept_lower_gb": round(first * mean.lower / GB, 4),
        "kept_upper_gb": round(first * mean.upper / GB, 4),
        **({"limit_gb": provisioned_gb} if provisioned_gb else {}),
        "judged": len(closed),
        "bytes_for_each": round(mean.value, 1),
        "bytes_for_each_at_least": round(mean.lower, 1),
        "bytes_for_each_at_most": round(mean.upper, 1),
        "bytes_most": max(each.bytes for each in closed),
        "events_for_each": round(sum(each.events for each in closed) / len(closed), 1),
        **_regression(closed, confidence),
        "confidence": confidence,
        "retention_days": days,
        "kept": [_kept(first, mean), _kept(later, mean)],
    }
    needs = (
        f"{first:,.0f} kept histories of {mean.value:,.0f} bytes take {first * mean.value / GB:.3g}"
        f" GB, at {confidence * 100:g} % confidence"
    )
    low_gb, high_gb = first * mean.lower / GB, first * mean.upper / GB
    if not provisioned_gb:
        reason = f"{needs} at most {high_gb:.3g} GB; how much there is is not declared"
        return inconclusive(f"{reason} (history_storage_gb)", **figures)
    there = f"{provisioned_gb:g} GB are provisioned"
    if high_gb <= provisioned_gb:
        return passed(f"{needs} at most {high_gb:.3g} GB; {there}", **figures)
    if low_gb > provisioned_gb:
        heaviest = sorted(closed, key=lambda each: -each.bytes)[:_SHOWN]
        witnesses = [Witness(text=f"{each.name}: {each.bytes:,} bytes") for each in heaviest]
        return failed(f"{needs} at least {low_gb:.3g} GB; {there}", witnesses, **figures)
    needed = values_needed(mean, provisioned_gb * GB / first, confidence)
    more = f"{needed:,} workflows would do" if needed else "no number of workflows would do"
    reason = f"{needs} between {low_gb:.3g} and {high_gb:.3g} GB; {there}: {more}"
    return inconclusive(reason, **figures, samples_needed=needed)


def _weighed(stored: Iterable[Stored]) -> list[Weighed]:
    by_root: dict[tuple[str, str], list[Stored]] = defaultdict(list)
    for run in stored:
        by_root[run.tenant, run.root].append(run)
    return [Weighed(tuple(runs)) for runs in by_root.values()]


def _by_type(closed: Sequence[Weighed]) -> list[dict[str, Any]]:
    by_type: dict[str, list[Weighed]] = defaultdict(list)
    for each in closed:
        by_type[each.type].append(each)
    return [
        {
            "type": name,
            "workflows": len(some),
            "runs": sum(len(each.runs) for each in some),
            "activities_least": min(each.activities for each in some),
            "activities_most": max(each.activities for each in some),
            "events": round(sum(each.events for each in some) / len(some), 1),
            "bytes": round(sum(each.bytes for each in some) / len(some), 1),
        }
        for name, some in sorted(by_type.items())
    ]


def _regression(closed: Sequence[Weighed], confidence: float) -> dict[str, Any]:
    """Bytes and events by the number of activities, where that varies."""
    by_bytes = line_of([(each.activities, each.bytes) for each in closed], confidence)
    by_events = line_of([(each.activities, each.events) for each in closed], confidence)
    if by_bytes is None or by_events is None:
        return {"by_activities": "all workflows have the same number of activities"}
    return {
        "bytes_of_none": round(by_bytes.base, 1),
        "bytes_for_each_activity": round(by_bytes.slope, 1),
        "bytes_for_each_activity_at_least": round(by_bytes.slope_lower, 1),
        "bytes_for_each_activity_at_most": round(by_bytes.slope_upper, 1),
        "events_for_each_activity": round(by_events.slope, 2),
    }


def _kept(histories: float, mean: Mean) -> dict[str, Any]:
    return {
        "histories": round(histories),
        "gb": round(histories * mean.value / GB, 3),
        "gb_lower": round(histories * mean.lower / GB, 3),
        "gb_upper": round(histories * mean.upper / GB, 3),
    }
