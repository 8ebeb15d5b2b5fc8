"""Events that no transition stands behind, and events that a replay emitted again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from harness.checks.audit.matching import Match, Reconciliation, meaning, reconcile
from harness.checks.check import Evidence, Finding
from harness.checks.histories import coverage
from harness.checks.histories.clauses import Broken, conclude
from harness.journal.records import Ending, Process, Program, Replay

PHANTOM: Final = "without transition"
ON_REPLAY: Final = "emitted on replay"
_REPEATS: Final = (
    "the exporter repeats events of runs that nobody replayed as well (INV-AUD-1), so what a "
    "replay emits cannot be told apart"
)


def replays_emit_nothing(evidence: Evidence) -> Finding:
    """ADR, Invariants: "Emit CloudEvents-compatible audit events for workflow state transitions".

    A replay or a retry is no transition. No event that arrived is without one in the histories.
    And after workers were killed and started again and closed runs were queried, which makes the
    new process replay their histories, no event came a second time under another id. Where events
    of runs that were not replayed come twice as well, it is the exporter that repeats.
    """
    found = reconcile(evidence, meaning(evidence.parameters))
    replayed = _replayed(evidence)
    again = [(match, event) for match in found.matches.values() for event in match.again]
    after = [
        Broken(ON_REPLAY, f"{event.name} came after its run was replayed", match.run.history.path)
        for match, event in again
        if event.record.at_ns > replayed.get(match.run.history.run_id, event.record.at_ns)
    ]
    repeats = any(match.run.history.run_id not in replayed for match, _ in again)
    before = _came_before(found.matches.values(), replayed)
    lacks = [
        coverage(evidence, "INV-AUD-4").lacks,
        _lacking(found, replayed, before),
        _REPEATS if repeats and after else "",
    ]
    broken = [Broken(PHANTOM, f"{event.name}: no such transition") for event in found.phantoms]
    broken += [] if repeats else after
    kept = (
        f"{len(replayed)} runs were replayed by a new worker process after {before} of their "
        "events had come, and nothing was emitted again or without a transition"
    )
    figures = {
        "replayed_runs": len(replayed),
        "events_before_the_replays": before,
        "phantoms": len(found.phantoms),
        "repeated": len(again),
        "repeated_after_replay": len(after),
    }
    return conclude((PHANTOM, ON_REPLAY), broken, lacks, kept, figures)


def _lacking(found: Reconciliation, replayed: dict[str, int], before: int) -> str:
    if not replayed:
        return "no worker was started again and then queried for a closed run: nothing was replayed"
    if not before:
        return "no event of a replayed run had come before its replay"
    return "" if found.matches else "no event arrived for a transition"


def _replayed(evidence: Evidence) -> dict[str, int]:
    """When each run was replayed: its group's worker was killed, is back, and has answered."""
    restarts: dict[str, int] = {}
    for process in evidence.of(Process):
        if process.event == "killed" and process.role.startswith("worker"):
            restarts[process.group] = process.at_ns
    group = {(p.tenant, p.workflow_id): p.group for p in evidence.of(Program)}
    return {
        replay.run_id: restarts[where]
        for replay in evidence.of(Replay)
        if replay.mode == "query" and replay.ending is Ending.OK
        if (where := group.get((replay.tenant, replay.workflow_id), "")) in restarts
        if restarts[where] < replay.at_ns
    }


def _came_before(matches: Iterable[Match], replayed: dict[str, int]) -> int:
    return sum(
        match.first.record.at_ns < replayed.get(match.run.history.run_id, 0) for match in matches
    )
