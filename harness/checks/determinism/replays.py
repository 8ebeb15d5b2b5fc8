"""Determinism: what replays of recorded histories showed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from harness.checks.check import (
    Evidence,
    Finding,
    Witness,
    failed,
    inconclusive,
    passed,
)
from harness.checks.histories.run import forced
from harness.contract.program import WORKFLOW_TYPE
from harness.journal.records import Ending, History, Operation, Process, Replay

LEAST_REPLAYS = 10
LEAST_QUERIED = 5


def stock_replay_agrees(evidence: Evidence) -> Finding:
    """ADR, Invariants: "Workflow code must be deterministic (no random, time-based, or external
    state access in workflow logic)".

    The SDK's own replayer runs every recorded history of the worker's workflow types without a
    nondeterminism error; where that cannot be had in process, the worker replays them itself.
    """
    return _replays(evidence, "stock", "wire-whole")


def strict_replay_agrees(evidence: Evidence) -> Finding:
    """ADR, Invariants: "Workflow code must be deterministic (no random, time-based, or external
    state access in workflow logic)".

    Every command of a replay has the attributes that were recorded: input, task queue, timer,
    result. Changed timeouts and retry policies are legal evolution and shown. Where the workflow
    code is not Python, it is the worker that answers, task by task.
    """
    return _replays(evidence, "strict", "wire-warm")


def _replays(evidence: Evidence, mode: str, over_wire: str) -> Finding:
    """Those of a mode in process; where there are none, those over the wire."""
    every = evidence.of(Replay)
    replays = [each for each in every if each.mode == mode] or [
        each for each in every if each.mode == over_wire
    ]
    paths = {h.run_id: h.path for h in evidence.of(History)}
    differing = [each for each in replays if each.ending is Ending.FAIL]
    figures = {
        "histories": len(replays),
        "differing": len(differing),
        "legal_evolution": sum(d.severity == "info" for r in replays for d in r.differences),
    }
    if differing:
        return failed(
            f"{len(differing)} of {len(replays)} histories replay differently",
            [_witness(each, paths.get(each.run_id, "")) for each in differing],
            **figures,
        )
    unknown = [each for each in replays if each.ending is Ending.INFO]
    if unknown:
        return inconclusive(
            f"{len(unknown)} histories hold what is not compared: {unknown[0].message}", **figures
        )
    if len(replays) < LEAST_REPLAYS:
        return inconclusive(
            f"{len(replays)} histories were replayed, {LEAST_REPLAYS} are the "
            "least that says something",
            **figures,
        )
    return passed(f"all {len(replays)} recorded histories replay the same", **figures)


def _witness(replay: Replay, path: str) -> Witness:
    red = [d for d in replay.differences if d.severity == "error"]
    shown = "; ".join(
        f"event {d.event_id} {d.attribute}: recorded {d.recorded}, replayed {d.replayed}"
        for d in red[:3]
    )
    return Witness(
        text=f"{replay.tenant}/{replay.workflow_id}: {shown or replay.message}", path=path
    )


def restarts_change_nothing(evidence: Evidence) -> Finding:
    """ADR, Invariants: "Workflow code must be deterministic (no random, time-based, or external
    state access in workflow logic)".

    Runs whose worker was killed in the middle go on, and closed runs answer a query after their
    worker was started again: either makes any SDK replay the history from its beginning. No
    workflow task fails, and what a closed run answers agrees with how it ended.
    """
    kills = sum(each.event == "killed" for each in evidence.of(Process))
    queried = [each for each in evidence.of(Replay) if each.mode == "query"]
    broken = [each for each in queried if each.ending is Ending.FAIL]
    task_failures = _failed_tasks(evidence)
    stuck = _stuck(evidence, {each.run_id for each in queried})
    restarted = _restarted_in_the_middle(evidence)
    figures = {
        "worker_kills": kills,
        "closed_runs_queried": len(queried),
        "runs_with_a_restart_inside": restarted,
        "failed_workflow_tasks": len(task_failures),
    }
    paths = {h.run_id: h.path for h in evidence.of(History)}
    witnesses = [
        *(_witness(each, paths.get(each.run_id, "")) for each in broken),
        *task_failures,
        *stuck,
    ]
    if witnesses:
        return failed(
            f"{len(broken)} closed runs could not be replayed, {len(task_failures)} "
            f"workflow tasks failed, {len(stuck)} runs changed their answer",
            witnesses,
            **figures,
        )
    if not kills or len(queried) < LEAST_QUERIED or not restarted:
        return inconclusive(
            f"{kills} kills of a worker, {len(queried)} closed runs queried after a restart "
            f"(at least {LEAST_QUERIED}), {restarted} runs with a restart in their middle",
            **figures,
        )
    return passed(
        f"{len(queried)} closed runs replayed after a restart, {restarted} runs went on "
        "over a kill of their worker, no workflow task failed",
        **figures,
    )


def _failed_tasks(evidence: Evidence) -> list[Witness]:
    return [
        Witness(
            text=f"{history.tenant}/{history.workflow_id}: workflow task failed, "
            f"{event.attributes.get('cause', '')}",
            path=history.path,
        )
        for history in evidence.of(History)
        if history.workflow_type == WORKFLOW_TYPE  # not the harness's own probes
        for event in evidence.events(history)
        if event.type == "WORKFLOW_TASK_FAILED" and not forced(event.attributes)
    ]


PHASE = {"COMPLETED": "completed", "FAILED": "failed", "CANCELED": "cancelled"}


def _stuck(evidence: Evidence, queried: set[str]) -> list[Witness]:
    """Closed runs whose answer after the restart does not fit how they ended."""
    latest = _latest(evidence.of(History))
    found = []
    for op in evidence.of(Operation):
        history = latest.get((op.tenant, op.workflow_id))
        if op.name != "closed-state" or op.ending is not Ending.OK or history is None:
            continue
        expected = PHASE.get(history.status)
        if expected and op.run_id in queried and op.result.get("phase") != expected:
            found.append(
                Witness(
                    text=f"{op.tenant}/{op.workflow_id}: {history.status}, but answers "
                    f"phase {op.result.get('phase')}",
                    path=history.path,
                )
            )
    return found


def _latest(histories: Sequence[History]) -> dict[tuple[str, str], History]:
    """The history of the last run of each workflow id."""
    return {(h.tenant, h.workflow_id): h for h in histories if h.status != "CONTINUED_AS_NEW"}


def _restarted_in_the_middle(evidence: Evidence) -> int:
    """How many runs have workflow tasks by more than one worker process."""
    identities: Counter[str] = Counter()
    for history in evidence.of(History):
        workers = {
            event.attributes.get("identity")
            for event in evidence.events(history)
            if event.type == "WORKFLOW_TASK_COMPLETED"
        }
        identities[history.run_id] = len(workers)
    return sum(count > 1 for count in identities.values())
