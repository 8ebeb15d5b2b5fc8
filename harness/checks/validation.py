"""MIT-4: what becomes of runs whose argument does not fit the contract."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from harness.checks.check import Check, Evidence, Finding
from harness.checks.histories import COMPLETED, FAILED, TIMED_OUT, Run, coverage, ended_runs, runs
from harness.checks.histories.clauses import Broken, conclude
from harness.checks.histories.run import forced
from harness.journal.read import HistoryEvent
from harness.journal.records import (
    Decision,
    Effect,
    Ending,
    History,
    Operation,
    Program,
    Subject,
)

TAKEN: Final = "misfit taken"
AGAIN: Final = "refused, but not for good"
WORKED: Final = "worked before it refused"
FITS: Final = "fitting input refused"
CLAUSES: Final = (TAKEN, AGAIN, WORKED, FITS)
REFUSED_AS: Final = "InvalidInput"
LEAST_MISFITS: Final = 12
LEAST_NEIGHBOURS: Final = 3
_WORK: Final = (
    "ACTIVITY_TASK_SCHEDULED",
    "TIMER_STARTED",
    "START_CHILD_WORKFLOW_EXECUTION_INITIATED",
    "WORKFLOW_EXECUTION_CONTINUED_AS_NEW",
)


def misfits_end_before_anything_runs(evidence: Evidence) -> Finding:
    """ADR, Mitigations: "Workflow inputs validated before execution".

    A run that was started with an argument which does not fit the contract fails with
    `InvalidInput`, for good and in its first workflow task: no failed workflow task, no further
    attempt of the run, no activity, timer or child, no question to the PDP and no request to a
    service. One that is refused at the door is as good. Arguments that fit, at the edges of what
    does, are carried out.
    """
    started = [op for op in evidence.of(Operation) if op.name == "misfit"]
    at_the_door = [op for op in started if op.ending is Ending.FAIL]
    by_id: dict[tuple[str, str], list[Run]] = {}
    for run in runs(evidence).values():
        by_id.setdefault((run.tenant, run.history.workflow_id), []).append(run)
    touched = _touched(evidence)
    broken: list[Broken] = []
    judged: dict[str, bool] = {}
    for op in started:
        found = by_id.get((op.tenant, op.workflow_id), [])
        if op.ending is Ending.OK and any(_looked_at(evidence, run) for run in found):
            wrong = list(_misfit(evidence, op, found, touched[op.tenant, op.workflow_id]))
            judged[str(op.args.get("kind", ""))] = not wrong
            broken += wrong
    fitting, wrongly = _neighbours(evidence)
    broken += wrongly
    kinds = len(judged) + len(at_the_door)
    lacks = [
        ""
        if kinds >= LEAST_MISFITS
        else f"{kinds} kinds of misfits were seen to the end, {LEAST_MISFITS} are the least",
        ""
        if fitting >= LEAST_NEIGHBOURS
        else f"{fitting} arguments that fit came to an end, {LEAST_NEIGHBOURS} are the least",
    ]
    figures: dict[str, Any] = {
        "misfits_started": len(started),
        "refused_at_the_door": len(at_the_door),
        "refused_in_the_first_task": sum(judged.values()),
        "fitting_inputs": fitting,
        "kinds": sorted(judged),
    }
    kept = (
        f"{kinds} kinds of arguments that do not fit were refused before anything ran, and "
        f"{fitting} that fit were carried out"
    )
    return conclude(CLAUSES, broken, lacks, kept, figures)


def _touched(evidence: Evidence) -> Counter[tuple[str, str]]:
    """How many requests PDP and services got on behalf of each workflow."""
    asked = Counter((each.tenant, each.workflow_id) for each in evidence.of(Decision))
    return asked + Counter((each.tenant, each.workflow_id) for each in evidence.of(Effect))


def _looked_at(evidence: Evidence, run: Run) -> bool:
    """Whether a worker has answered a workflow task of it; else nobody has judged its argument."""
    events = evidence.events(run.history)
    return any(event.type == "WORKFLOW_TASK_COMPLETED" or _by_code(event) for event in events)


def _by_code(event: HistoryEvent) -> bool:
    """Whether a workflow task failed, and not for the engine's own reasons."""
    return event.type == "WORKFLOW_TASK_FAILED" and not forced(event.attributes)


def _misfit(evidence: Evidence, op: Operation, found: list[Run], touched: int) -> Iterator[Broken]:
    first = min(found, key=lambda run: run.started_ns)
    path = first.history.path
    what = f"{first.name}, given {op.args.get('argument', '')}:"
    refused = [run for run in found if run.closing == FAILED and run.failure == REFUSED_AS]
    events = [event for run in found for event in evidence.events(run.history)]
    failed_tasks = sum(map(_by_code, events))
    if failed_tasks:
        yield Broken(AGAIN, f"{what} {failed_tasks} workflow tasks failed", path)
    elif len(refused) < len(found):
        how = next(run.closing or "goes on" for run in found if run not in refused)
        yield Broken(TAKEN, f"{what} {how} {first.failure}".rstrip(), path)
    elif len(found) > 1:
        yield Broken(AGAIN, f"{what} {len(found)} attempts of the run", path)
    work = Counter(event.type for event in events if event.type in _WORK)
    if work or touched:
        seen = ", ".join(f"{count} {kind}" for kind, count in sorted(work.items()))
        yield Broken(WORKED, f"{what} {seen or 'nothing'}, {touched} requests", path)


def _neighbours(evidence: Evidence) -> tuple[int, list[Broken]]:
    """How many arguments that fit came to an end, and those that were not carried out."""
    ends = ended_runs(evidence)
    fed = coverage(evidence, "MIT-4").ended
    found = [run for saga in fed for run in ends[saga.tenant, saga.workflow_id]]
    ends_in_time = [run for run in found if run.closing != TIMED_OUT]
    return len(ends_in_time), [
        Broken(FITS, f"{run.name}: {run.failure or run.closing}", run.history.path)
        for run in ends_in_time
        if run.closing != COMPLETED
    ]


CHECKS: Final[tuple[Check, ...]] = (
    Check(
        id="MIT-4",
        subject=Subject.WORKER,
        needs={Operation: 1, History: 1, Program: 1, Decision: 0, Effect: 0},
        judge=misfits_end_before_anything_runs,
    ),
)
