"""INV-DET-7: nondeterminism that showed itself in the field."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from harness.checks.check import Evidence, Finding
from harness.checks.histories.clauses import Broken, conclude
from harness.journal.records import Ending, History, Operation

FAILED_TASK: Final = "a workflow task failed for nondeterminism"
REPORTED: Final = "a run reports problems"
QUERY: Final = "reported-problems"
LEAST_TASKS: Final = 10
_UNKNOWN: Final = "INVALID_ARGUMENT"  # an older server has no such search attribute
_CAUSE: Final = "WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR"


def no_nondeterminism_in_the_field(evidence: Evidence) -> Finding:
    """ADR, Invariants: "Workflow code must be deterministic (no random, time-based, or external
    state access in workflow logic)".

    No recorded history has a workflow task that failed for nondeterminism, and visibility lists no
    run whose workflow tasks fail again and again (`TemporalReportedProblems`, where the server
    has it).
    """
    broken = [*_failed_tasks(evidence), *_reported(evidence)]
    queries = [each for each in evidence.of(Operation) if each.name == QUERY]
    answered = [each for each in queries if each.ending is Ending.OK]
    tasks = sum(
        event.type == "WORKFLOW_TASK_COMPLETED"
        for history in evidence.of(History)
        for event in evidence.events(history)
    )
    lacks = [
        f"{tasks} workflow tasks were recorded, {LEAST_TASKS} are the least that says something"
        if tasks < LEAST_TASKS
        else "",
        "" if queries else "visibility was not asked for reported problems",
    ]
    unknown = [each for each in queries if each.status == _UNKNOWN]
    unanswered = [each for each in queries if each.ending is not Ending.OK and each not in unknown]
    if unanswered:
        lacks.append(f"visibility did not answer: {unanswered[0].status} {unanswered[0].message}")
    figures = {
        "histories": len(evidence.of(History)),
        "workflow_tasks": tasks,
        "namespaces_asked": len(answered),
        "namespaces_that_report_nothing": len(unknown),
    }
    kept = (
        f"no workflow task of {figures['histories']} histories failed for nondeterminism, and in "
        f"{len(answered)} namespaces no run reports problems"
        + (f" ({len(unknown)} know no such attribute)" if unknown else "")
    )
    return conclude((FAILED_TASK, REPORTED), broken, lacks, kept, figures)


def _failed_tasks(evidence: Evidence) -> Iterator[Broken]:
    for history in evidence.of(History):
        for event in evidence.events(history):
            if event.type == "WORKFLOW_TASK_FAILED" and event.attributes.get("cause") == _CAUSE:
                said = event.attributes.get("failure", {}).get("message", "")
                text = f"{history.tenant}/{history.workflow_id} event {event.id}: {said}"[:300]
                yield Broken(FAILED_TASK, text, history.path)


def _reported(evidence: Evidence) -> Iterator[Broken]:
    for op in evidence.of(Operation):
        if op.name == QUERY and op.ending is Ending.OK:
            for run in op.result["runs"]:
                said = ", ".join(run["problems"])
                yield Broken(REPORTED, f"{op.tenant}/{run['workflow_id']}: {said}")
