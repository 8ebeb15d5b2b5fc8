"""INV-ISO-15: nothing of a tenant outlives it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from harness.checks.check import Evidence, Finding
from harness.checks.histories.clauses import Broken, conclude
from harness.journal.records import Ending, Operation

DEPRECATED: Final = "deprecated tenant starts"
DELETED: Final = "deleted tenant is served"
RECYCLED: Final = "recycled name shows the old tenant"
CLAUSES: Final = (DEPRECATED, DELETED, RECYCLED)
OLD: Final = ("list", "count", "describe", "history", "schedules", "search attributes")
ASKED: Final = {
    "deprecated": ("start",),
    "deleted": ("start", "poll", "signal", "list", "count", "describe"),
    "recycled": (*OLD, "start"),
}


def nothing_outlives_its_tenant(evidence: Evidence) -> Finding:
    """ADR, Threats Addressed: "Multi-tenant isolation via separate namespaces and task queues".

    A tenant that is deprecated starts nothing new; one that is deleted can start, poll, signal and
    read nothing, `tenant_removal_s` after its removal; a new tenant with the same name sees no
    run, schedule or search attribute of the old one, and starts its own. All of the old tenant's
    must have been seen while it was alive, else nothing was shown. That a deprecated tenant's
    workers go on polling is meant: it finishes what it has.
    """
    ops = [op for op in evidence.of(Operation) if op.name == "tenant-lifecycle"]
    alive = {op.args["what"] for op in ops if op.args["phase"] == "alive" and _old(op)}
    unseen = [what for what in OLD if what not in alive]
    missing = [
        f"{phase}: {what}"
        for phase, asked in ASKED.items()
        for what in asked
        if not _clear(ops, phase, what)
    ]
    return conclude(
        CLAUSES,
        list(_broken(ops)),
        [
            f"not seen while the tenant was alive: {', '.join(unseen)}" if unseen else "",
            f"not asked, or ended unclear: {', '.join(missing)}" if missing else "",
        ],
        "a deprecated tenant started nothing, a deleted one was not served, and a new one of the "
        f"same name saw nothing of the old, in {len(ops)} questions",
        {
            "questions": len(ops),
            "refused": sum(op.ending is Ending.FAIL for op in ops),
        },
    )


def _broken(ops: Sequence[Operation]) -> Iterator[Broken]:
    for op in ops:
        what = op.args["what"]
        if op.ending is not Ending.OK:
            continue
        if op.args["phase"] == "deprecated":
            yield Broken(DEPRECATED, f"{what} was accepted")
        elif op.args["phase"] == "deleted":
            yield Broken(DELETED, f"{what} was answered with {op.result['seen']}")
        elif op.args["phase"] == "recycled" and _old(op):
            yield Broken(RECYCLED, f"{what} showed {_old(op)}")


def _old(op: Operation) -> list[str]:
    """What an answer showed of the tenant's first life."""
    if op.ending is not Ending.OK:
        return []
    return [each for each in op.args["old"] if each in op.result["seen"]]


def _clear(ops: Sequence[Operation], phase: str, what: str) -> bool:
    """Whether it was asked, and ended so that something can be said of it."""
    found = [op for op in ops if (op.args["phase"], op.args["what"]) == (phase, what)]
    must_answer = phase == "recycled" and what not in ("describe", "history")
    wanted = (Ending.OK,) if must_answer else (Ending.OK, Ending.FAIL)
    return any(op.ending in wanted for op in found)
