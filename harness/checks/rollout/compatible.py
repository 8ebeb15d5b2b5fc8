"""CMP-1 to 3: what a new version owes the runs of the old one, and the other way round."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from harness.checks.check import Evidence, Finding
from harness.checks.histories.clauses import Broken, conclude
from harness.checks.rollout.story import UNVERSIONED, Rolled, Story, build_of, story
from harness.contract.versions import is_semantic, same_major
from harness.journal.records import SAME_CODE, History, Operation, Part, Subject

MOVED: Final = "old run on another version"
UNFINISHED: Final = "old run did not end"
NOT_SEMANTIC: Final = "build id is no semantic version"
INCOMPATIBLE: Final = "runs of its own major version do not replay"
LANDED: Final = "new run on a deprecated version"
UNMARKED: Final = "deprecated version without a mark"
UNFLAGGED: Final = "pin to a deprecated version not flagged"
MARKS: Final = ("DRAINING", "DRAINED", "INACTIVE")
LEAST: Final = 3
ENDED_WELL: Final = ("COMPLETED", "FAILED")  # one of the shapes fails, and is undone
_NS: Final = 1_000_000_000


def old_runs_keep_their_version(evidence: Evidence) -> Finding:
    """ADR, Compatibility: "Workflow definitions versioned; old workflows continue with old
    versions".

    Runs that began on the old version wait while the next one becomes the current one. Told to go
    on, each ends, and every workflow task of it, its children and continued runs is done by the old
    version.
    """
    told = story(evidence)
    old = told.of("old")
    went_on = [run for run in old if run.goes_on and run.landed_on == told.old]
    broken = [
        *(
            Broken(MOVED, f"{run.workflow_id}: {' then '.join(run.builds)}", run.path)
            for run in old
            if run.builds and set(run.builds) != {told.old}
        ),
        *(
            Broken(UNFINISHED, f"{run.workflow_id}: {run.status or 'still open'}", run.path)
            for run in old
            if run.told_ns and run.status not in ENDED_WELL and not told.starved
        ),
    ]
    lacks = [
        told.lacks,
        told.starved if any(run.told_ns and not run.status for run in old) else "",
        ""
        if broken or len(went_on) >= LEAST
        else f"{len(went_on)} runs of the old version went on after the next was promoted, "
        f"at least {LEAST} say something",
    ]
    tasks = sum(task.kind == "workflow" for run in old for task in run.tasks)
    return conclude(
        (MOVED, UNFINISHED),
        broken,
        lacks,
        f"all {tasks} workflow tasks of {len(old)} runs that began on {told.old} were done by it, "
        f"while {told.new} was promoted",
        {
            "old": told.old,
            "new": told.new,
            "old_runs": len(old),
            "went_on_after_promotion": len(went_on),
            "workflow_tasks": tasks,
        },
    )


def builds_are_semantic(evidence: Evidence) -> Finding:
    """ADR, Compatibility: "Semantic versioning for workflow definitions".

    Every build id in the histories, and that of every worker that was started, is a semantic
    version (2.0.0). If the next build has the old one's major number, it replays the open runs of
    the old one: they are moved to it, and go on to their ends without a failed workflow task.
    Another major number promises nothing, and neither does 0.
    """
    told = story(evidence)
    builds = sorted({*_builds(evidence), *filter(None, (told.old, told.new))})
    promised = bool(told.old) and same_major(told.old, told.new)
    moved = [run for run in told.of("moved") if promised]
    replayed = [run for run in moved if told.new in run.builds and run.landed_on == told.old]
    broken = [
        *(Broken(NOT_SEMANTIC, each) for each in builds if not is_semantic(each)),
        *_incompatible(told, moved),
    ]
    lacks = [
        told.lacks,
        "" if builds else "no run names a build",
        "the next build is the same command (worker.next names no other), so no other code replayed"
        if promised and _same_code(evidence)
        else "",
        ""
        if broken or not promised or len(replayed) >= LEAST
        else f"{len(replayed)} open runs of {told.old} were replayed by {told.new}, at least "
        f"{LEAST} say something",
    ]
    how = (
        f"{told.new} replayed {len(replayed)} open runs of {told.old}"
        if promised
        else f"{told.new} promises nothing to runs of {told.old}"
    )
    return conclude(
        (NOT_SEMANTIC, INCOMPATIBLE),
        broken,
        lacks,
        f"{', '.join(builds)} are semantic versions, and {how}",
        {
            "builds": builds,
            "same_major": promised,
            "replayed": len(replayed),
            "matrix": [_row(told, run) for run in moved],
        },
    )


def _builds(evidence: Evidence) -> Iterator[str]:
    for part in evidence.of(Part):
        if part.subject is Subject.WORKER and "build_id" in part.details:
            yield part.details["build_id"]
    for history in evidence.of(History):
        for event in evidence.events(history):
            if event.type == "WORKFLOW_TASK_COMPLETED" and build_of(event):
                yield build_of(event)


def _same_code(evidence: Evidence) -> bool:
    return any(part.details.get("code") == SAME_CODE for part in evidence.of(Part))


def _incompatible(told: Story, moved: list[Rolled]) -> Iterator[Broken]:
    for run in moved:
        if run.failed_tasks:
            text = f"{run.workflow_id} of {told.old} with {told.new}: {run.failed_tasks[0]}"
            yield Broken(INCOMPATIBLE, text, run.path)


def _row(told: Story, run: Rolled) -> dict[str, Any]:
    return {
        "run": run.workflow_id.rpartition("/")[2],
        "by": " then ".join(run.builds) or UNVERSIONED,
        "failed_tasks": ", ".join(run.failed_tasks),
        "end": run.status,
    }


def deprecated_versions_get_no_runs(evidence: Evidence) -> Finding:
    """ADR, Compatibility: "Deprecated workflow versions marked; new workflows cannot use
    deprecated versions".

    Once a version is deprecated (`deprecated_version` says what that is) the engine marks it as
    draining, drained or inactive, and no new run lands on it. A start that pins itself to it all
    the same is refused, or flagged: its history says that somebody overrode its version, and the
    version is not called drained any longer.
    """
    told = story(evidence)
    meaning = evidence.parameters.get("deprecated_version", "not_current")
    spread_ns = int(float(evidence.parameters.get("version_spread_s", 1.0)) * _NS)
    since_ns = _deprecated_since_ns(told, meaning, spread_ns)
    after = [
        run
        for run in told.runs
        if since_ns and run.start.invoked_ns >= since_ns and run.phase != "pinned"
    ]
    pinned = told.of("pinned")
    broken = [
        *(
            Broken(LANDED, f"{run.workflow_id} ({run.phase}) began on {told.old}", run.path)
            for run in after
            if run.landed_on == told.old
        ),
        *_unmarked(told),
        *_unflagged(evidence, told, pinned),
    ]
    retired = told.look("retired").get("status", {}).get(told.old, "")
    lacks = [
        told.lacks,
        "no version was deleted" if meaning == "deleted" else "",
        "" if retired == "DRAINED" else "the old version was not seen drained in time",
        "" if len(after) >= LEAST else f"{len(after)} runs were started after it was deprecated",
        "" if pinned or _refused(evidence) else "nobody pinned a run to it",
    ]
    accepted = "accepted and flagged" if pinned else "refused"
    return conclude(
        (LANDED, UNMARKED, UNFLAGGED),
        broken,
        lacks,
        f"none of {len(after)} new runs began on {told.old} after it was deprecated; a start that "
        f"pinned itself to it was {accepted}",
        {
            "deprecated": told.old,
            "deprecated_when": meaning,
            "marked": retired,
            "new_runs": len(after),
            "pinned_start": accepted if pinned or _refused(evidence) else "not tried",
        },
    )


def _deprecated_since_ns(told: Story, meaning: str, spread_ns: int) -> int:
    if meaning == "not_current":
        left = [op for op in told.steps if op.name == "set-current"]
        last = left[-1] if left and left[-1].args["build_id"] == told.new else None
        return last.at_ns + spread_ns if last else 0
    drained = [
        op
        for op in told.looks
        if op.args["phase"] == "retired" and op.result["status"].get(told.old) == "DRAINED"
    ]
    return drained[0].at_ns if meaning == "drained" and drained else 0


def _unmarked(told: Story) -> Iterator[Broken]:
    for phase in ("retired", "removal"):
        status = told.look(phase).get("status", {}).get(told.old, "")
        if status and status not in MARKS:
            yield Broken(UNMARKED, f"{told.old} is {status} ({phase})")


def _refused(evidence: Evidence) -> bool:
    return any(
        op.name == "start" and op.args.get("phase") == "pinned" and op.status != "OK"
        for op in evidence.of(Operation)
    )


def _unflagged(evidence: Evidence, told: Story, pinned: list[Rolled]) -> Iterator[Broken]:
    paths = {history.path: history for history in evidence.of(History)}
    for run in pinned:
        if run.path not in paths:
            continue
        first = evidence.events(paths[run.path])[0]
        if not first.attributes.get("versioningOverride"):
            yield Broken(UNFLAGGED, f"{run.workflow_id}: its history names no override", run.path)
        status = told.look("pinned").get("status", {}).get(told.old, "")
        if status == "DRAINED" and run.landed_on == told.old:
            text = f"{told.old} is called drained while {run.workflow_id} runs on it"
            yield Broken(UNFLAGGED, text, run.path)
