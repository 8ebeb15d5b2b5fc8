"""ROL-1 and ROL-7: versions work side by side, and one goes only when nothing needs it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from harness.checks.check import Evidence, Finding
from harness.checks.histories.clauses import Broken, conclude
from harness.checks.rollout.story import Rolled, Story, story

ALONE: Final = "old version stopped working"
TAKEN: Final = "task of a pinned run by another version"
UNDRAINED: Final = "removed before it was drained"
OPEN: Final = "removed with open runs"
LEAST: Final = 3


def versions_work_side_by_side(evidence: Evidence) -> Finding:
    """ADR, Rollout: "Deploy new workflow versions alongside existing versions".

    Workers of both versions poll the same task queues. After the next version took its first task
    the old one still takes those of its own runs, and no workflow or activity task of a run that is
    pinned to the old version is done by the next one.
    """
    told = story(evidence)
    old = told.of("old")
    first_new_ns = min(
        (t.wall_ns for run in told.runs for t in run.tasks if t.build_id == told.new), default=0
    )
    later = [
        t
        for run in told.runs
        for t in run.tasks
        if first_new_ns and t.build_id == told.old and t.wall_ns > first_new_ns
    ]
    waited = [run for run in old if run.told_ns]
    broken = list(_taken(told, old))
    stands = first_new_ns and waited and not any(run.goes_on for run in old)
    if stands and not told.starved:
        broken.append(
            Broken(ALONE, f"{told.old} took no task of its {len(waited)} runs that were to go on")
        )
    table = Counter((run.phase, t.kind, t.build_id) for run in told.runs for t in run.tasks)
    return conclude(
        (ALONE, TAKEN),
        broken,
        [
            told.lacks,
            "" if first_new_ns else f"{told.new} took no task",
            told.starved if stands else "",
            ""
            if broken or len(later) >= LEAST
            else f"{told.old} took {len(later)} tasks beside it",
        ],
        f"{told.old} took {len(later)} tasks after {told.new} had begun, and {told.new} none of "
        f"the {len(old)} runs pinned to {told.old}",
        {
            "tasks_of_the_old_version_beside_the_new": len(later),
            "activities_of_an_unknown_version": sum(
                not t.build_id for run in told.runs for t in run.tasks
            ),
            "table": [
                {"runs": phase, "tasks": kind, "by": by or "unknown", "count": count}
                for (phase, kind, by), count in sorted(table.items())
            ],
        },
    )


def _taken(told: Story, old: list[Rolled]) -> Iterator[Broken]:
    for run in old:
        if run.landed_on != told.old:
            continue
        for task in run.tasks:
            if task.build_id not in ("", told.old):
                text = f"{run.workflow_id}: {task.kind} task {task.event_id} by {task.build_id}"
                yield Broken(TAKEN, text, run.path)


def drained_before_removed(evidence: Evidence) -> Finding:
    """ADR, Rollout: "in-flight workflows continue with their version".

    When the workers of a version are taken away the engine calls it drained, and every run that
    began on it, or was pinned to it, has ended.
    """
    told = story(evidence)
    removal = told.step("remove")
    seen = told.look("removal").get("status", {}).get(told.old, "")
    on_it = [run for run in told.runs if told.old in run.builds[-1:]]
    open_then = [
        run
        for run in on_it
        if removal and run.start.at_ns < removal.invoked_ns
        if not run.ended_ns or run.ended_ns > removal.invoked_ns
    ]
    broken = []
    if removal and seen and seen != "DRAINED":
        broken.append(Broken(UNDRAINED, f"{told.old} was {seen} when its workers were taken away"))
    broken += [
        Broken(OPEN, f"{run.workflow_id} was open when {told.old} went", run.path)
        for run in open_then
    ]
    return conclude(
        (UNDRAINED, OPEN),
        broken,
        [
            told.lacks,
            ""
            if removal
            else f"{told.old} was not drained within version_drained_s, so nothing was removed",
            "" if not removal or seen else "nobody looked at the version before it was removed",
            "" if len(on_it) >= LEAST else f"{len(on_it)} runs were on the version",
        ],
        f"{told.old} was drained when its workers were taken away, and all {len(on_it)} runs on it "
        "had ended",
        {
            "removed": told.old,
            "state_at_removal": seen,
            "runs_on_it": len(on_it),
            "open_at_removal": len(open_then),
        },
    )
