"""INV-VER-1: every run is of a version."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from harness.checks.check import Evidence, Finding
from harness.checks.histories.clauses import Broken, conclude
from harness.checks.rollout.story import build_of
from harness.contract.program import WORKFLOW_TYPE
from harness.journal.read import HistoryEvent
from harness.journal.records import History, Part, Subject

NONE: Final = "run of no version"
LEAST_RUNS: Final = 5
# how the SDKs name the marker of a patch: all that rest on the Rust core, then Go and Java
PATCHES: Final = frozenset({"core_patch", "Version"})


def every_run_has_a_version(evidence: Evidence) -> Finding:
    """ADR, Invariants: "Workflow definitions must be versioned; use Temporal's workflow versioning
    API for backward compatibility".

    Every completed workflow task of every recorded run names the Worker Deployment version that did
    it, or the run carries patch markers. A build id alone, which SDKs send of an unversioned worker
    too, is no version: nothing is routed by it. Runs that no worker has begun say nothing.
    """
    broken: list[Broken] = []
    versions: Counter[str] = Counter()
    patched = runs = 0
    for history in evidence.of(History):
        if history.workflow_type != WORKFLOW_TYPE:
            continue
        events = evidence.events(history)
        builds = [build_of(e) for e in events if e.type == "WORKFLOW_TASK_COMPLETED"]
        if not builds:
            continue
        runs += 1
        patched += _patched(events)
        versions.update({build or "none" for build in builds})
        if not all(builds) and not _patched(events):
            which = f"{builds.count('')} of {len(builds)} workflow tasks name no version"
            broken.append(
                Broken(NONE, f"{history.tenant} {history.workflow_id}: {which}", history.path)
            )
    untold = _untold(evidence)
    return conclude(
        [NONE],
        [] if untold else broken,
        [
            untold,
            "" if runs >= LEAST_RUNS else f"{runs} runs were begun, at least {LEAST_RUNS} say more",
        ],
        f"all {runs} runs are of a version",
        {
            "runs": runs,
            "unversioned": len(broken),
            "unversioned_share": round(len(broken) / runs, 4) if runs else 0.0,
            "with_patch_markers": patched,
            "runs_by_version": dict(sorted(versions.items())),
        },
    )


def _untold(evidence: Evidence) -> str:
    """Whether workers that the harness started were told no version: then they cannot have one."""
    workers = [part for part in evidence.of(Part) if part.subject is Subject.WORKER]
    started = [part for part in workers if part.version]
    told = not started or any("build_id" in part.details for part in started)
    return "" if told else "the workers were told no version in this run"


def _patched(events: Iterable[HistoryEvent]) -> bool:
    return any(
        event.type == "MARKER_RECORDED" and event.attributes.get("markerName") in PATCHES
        for event in events
    )
