"""INV-ISO-6: task tokens and activity ids work in their own namespace only."""

from __future__ import annotations

from collections import Counter
from typing import Any

from harness.checks.check import Evidence, Finding, Witness, failed, inconclusive, passed
from harness.journal.records import Ending, Operation

TOKEN_METHODS = 8


def task_tokens_are_confined(evidence: Evidence) -> Finding:
    """ADR, Invariants: "Separate Temporal namespaces and task queues per tenant; never share
    workflow state across tenants".

    A task token or activity id of one tenant, used through another tenant's namespace, and a forged
    token, must be refused and change nothing; the owner's own call must succeed, else nothing was
    shown.
    """
    calls = [op for op in evidence.of(Operation) if op.name == "task-token"]
    states = [op for op in evidence.of(Operation) if op.name == "task-token-state"]
    foreign = [op for op in calls if op.args["variant"] != "owner"]
    controls = [op for op in calls if op.args["variant"] == "owner"]
    taken = [_token_witness(op) for op in foreign if op.ending is Ending.OK]
    changed = [
        Witness(
            text=f"{op.tenant}: {op.args['method']} with {op.args['variant']} from "
            f"{op.args['caller']} changed the history: {_grown(op)}"
        )
        for op in states
        if op.result["before"] != op.result["after"]
    ]
    figures: dict[str, Any] = {
        "foreign_calls": len(foreign),
        "refused": len(foreign) - len(taken),
        "statuses": dict(sorted(Counter(op.status for op in foreign).items())),
    }
    if taken or changed:
        return failed(
            f"{len(taken)} foreign calls were accepted, {len(changed)} changed a history",
            [*taken, *changed],
            **figures,
        )
    unclear = [op for op in foreign if op.ending is Ending.INFO]
    idle = [op for op in controls if op.ending is not Ending.OK]
    methods = {op.args["method"] for op in controls if op.ending is Ending.OK}
    if unclear or idle or len(methods) < TOKEN_METHODS or len(states) < len(controls):
        return inconclusive(
            f"{len(unclear)} foreign calls ended unclear, {len(idle)} calls of the owner failed, "
            f"{len(methods)} of {TOKEN_METHODS} methods were shown to work for the owner",
            **figures,
        )
    return passed(
        f"all {len(foreign)} foreign calls over {len(methods)} methods were refused and "
        "changed nothing; the owner's own calls succeeded",
        **figures,
    )


def _token_witness(op: Operation) -> Witness:
    return Witness(
        text=f"{op.args['method']} with {op.args['variant']}: {op.args['caller']} acted "
        f"on an activity of {op.args['owner']} ({op.workflow_id})"
    )


def _grown(op: Operation) -> str:
    return f"{op.result['before']} -> {op.result['after']} events"
