"""Determinism of the worker itself, in whatever language: what it answers to recorded histories."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from harness.checks.check import Evidence, Finding
from harness.checks.histories.clauses import Broken, conclude
from harness.contract.program import WORKFLOW_TYPE
from harness.journal.records import Difference, Ending, History, Replay

WARM: Final = "wire-warm"
COLD: Final = "wire-cold"
LEAST_WARM: Final = 10
LEAST_COLD: Final = 5
TASKS: Final = "tasks"
COMMANDS: Final = "commands"
CONTENTS: Final = "contents"
_COMPLETED: Final = b"WORKFLOW_TASK_COMPLETED"
CLAUSES: Final = (TASKS, COMMANDS, CONTENTS)


def worker_answers_as_recorded(evidence: Evidence) -> Finding:
    """ADR, Invariants: "Workflow code must be deterministic (no random, time-based, or external
    state access in workflow logic)".

    The unmodified worker, whatever its language, is served every recorded history as workflow
    tasks: as to a worker that has the run in its cache, and for a sample of them from the beginning
    at every task. It completes each task that was completed (`tasks`), with the recorded commands
    in the recorded order (`commands`), and what they say is what was recorded (`contents`): input,
    task queue, timer, result. Changed timeouts and retry policies are legal evolution and shown.
    """
    served = [each for each in evidence.of(Replay) if each.mode in (WARM, COLD)]
    warm = [each for each in served if each.mode == WARM]
    cold = [each for each in served if each.mode == COLD]
    paths = {history.run_id: history.path for history in evidence.of(History)}
    broken = [each for replay in served for each in _broken(replay, paths.get(replay.run_id, ""))]
    return conclude(
        CLAUSES,
        broken,
        _lacks(evidence, warm, cold),
        f"{len(warm)} histories answered as recorded, {len(cold)} of them also from the beginning "
        "at every task",
        {
            "histories": len(warm),
            "cold_histories": len(cold),
            "tasks": sum(each.tasks for each in served),
            "commands_compared": sum(each.compared for each in served),
            "legal_evolution": sum(d.severity == "info" for r in served for d in r.differences),
        },
    )


def _broken(replay: Replay, path: str) -> Iterator[Broken]:
    if replay.ending is not Ending.FAIL:
        return
    red = [each for each in replay.differences if each.severity == "error"]
    about = f"{replay.tenant}/{replay.workflow_id} ({replay.mode})"
    if not red:
        yield Broken(TASKS, f"{about}: {replay.message}", path)
    first = {_clause(each): each for each in reversed(red)}
    for clause, each in first.items():
        yield Broken(
            clause,
            f"{about}: event {each.event_id} {each.attribute}: recorded {each.recorded}, "
            f"answered {each.replayed}",
            path,
        )


def _clause(difference: Difference) -> str:
    match difference.attribute:
        case "task" | "history":
            return TASKS
        case "command":
            return COMMANDS
        case _:
            return CONTENTS


def _lacks(evidence: Evidence, warm: Sequence[Replay], cold: Sequence[Replay]) -> Iterator[str]:
    if len(warm) < LEAST_WARM or len(cold) < LEAST_COLD:
        yield (
            f"{len(warm)} histories were served to the worker ({LEAST_WARM} are the least that "
            f"says something), {len(cold)} from the beginning at every task ({LEAST_COLD})"
        )
    opened = [each for each in (*warm, *cold) if each.ending is Ending.INFO]
    if opened:
        yield f"{len(opened)} histories could not be judged: {opened[0].message}"
    if not sum(each.compared for each in warm):
        yield "no command was compared"
    missing = _not_served(evidence, {each.run_id for each in warm})
    if warm and missing:
        yield f"{len(missing)} recorded histories were not served, such as run {missing[0]}"


def _not_served(evidence: Evidence, served: set[str]) -> list[str]:
    """The runs of the worker's workflow type of which it completed a task, beside the served."""
    return sorted(
        history.run_id
        for history in evidence.of(History)
        if history.run_id not in served
        and history.workflow_type == WORKFLOW_TYPE
        and _COMPLETED in evidence.raw(history.path, history.sha256)
    )
