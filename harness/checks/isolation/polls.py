"""INV-ISO-5: a worker of one tenant cannot take another tenant's tasks."""

from __future__ import annotations

from typing import Final

from harness.checks.check import Evidence, Finding
from harness.checks.histories.clauses import Broken, conclude
from harness.journal.records import Ending, Operation

KINDS: Final = ("workflow task", "activity task", "sticky task")


def workers_take_no_foreign_tasks(evidence: Evidence) -> Finding:
    """ADR, Invariants: "Separate Temporal namespaces and task queues per tenant".

    While a task of one tenant waits in a queue, another tenant polls a queue of the same name and
    kind in its own namespace, and gets nothing; the owner's poll afterwards gets the task, else
    nothing was shown. That a poll in the owner's own namespace is denied, and Nexus queues, are for
    the secured profile: an engine without an authorizer denies nobody.
    """
    ops = [op for op in evidence.of(Operation) if op.name in ("foreign-poll", "own-poll")]
    foreign = [op for op in ops if op.name == "foreign-poll"]
    taken = [op for op in foreign if op.ending is Ending.OK and op.result["delivered"]]
    shown = {
        (op.args["owner"], op.args["kind"])
        for op in ops
        if op.name == "own-poll" and op.ending is Ending.OK and op.result["delivered"]
    }
    asked = {(op.args["owner"], op.args["kind"]) for op in foreign if op.ending is not Ending.INFO}
    unshown = sorted(asked - shown)
    missing = [kind for kind in KINDS if kind not in {kind for _, kind in asked & shown}]
    unclear = sum(op.ending is Ending.INFO for op in foreign)
    return conclude(
        KINDS,
        [
            Broken(
                op.args["kind"],
                f"{op.tenant} polled {op.args['queue']} and got {op.result['delivered']} of "
                f"{op.args['owner']}",
            )
            for op in taken
        ],
        [
            f"no {', no '.join(missing)} was seen to wait for its owner" if missing else "",
            f"the owner did not get its task either: {unshown}" if unshown else "",
            f"{unclear} polls ended unclear" if unclear else "",
        ],
        f"{len(foreign)} polls by another tenant got nothing while {len(KINDS)} kinds of task "
        "waited, and their owners got them",
        {"foreign_polls": len(foreign), "taken": len(taken), "own_polls": len(shown)},
    )
