"""INV-ISO-6: task tokens and activity ids work in their own namespace only."""

from __future__ import annotations

from collections import Counter
from typing import Final

from harness.checks.check import Evidence, Finding
from harness.checks.histories.clauses import Broken, conclude
from harness.journal.records import Ending, Operation

METHODS: Final = 10
ACCEPTED: Final = "foreign call accepted"
CHANGED: Final = "history changed by a foreign call"
OWNER: Final = "owner"
# what time alone may add to a history, on a machine that is starved
BY_TIME: Final = frozenset(
    {
        *("ACTIVITY_TASK_TIMED_OUT", "WORKFLOW_TASK_TIMED_OUT", "WORKFLOW_TASK_SCHEDULED"),
        "WORKFLOW_EXECUTION_TIMED_OUT",
    }
)


def task_tokens_are_confined(evidence: Evidence) -> Finding:
    """ADR, Invariants: "Separate Temporal namespaces and task queues per tenant; never share
    workflow state across tenants".

    A task token or activity id of one tenant, used through another tenant's namespace or through
    none, and a token that was forged or rewritten to another namespace, must be refused and change
    nothing; the owner's own call must succeed, else nothing was shown. A true token that names no
    namespace is the owner's call: who makes it can be asked only where there are credentials.
    """
    calls = [op for op in evidence.of(Operation) if op.name == "task-token"]
    states = [op for op in evidence.of(Operation) if op.name == "task-token-state"]
    foreign = [op for op in calls if op.args["variant"] != OWNER]
    works = {
        op.args["method"] for op in calls if op.args["variant"] == OWNER and op.ending is Ending.OK
    }
    tried = {op.args["method"] for op in foreign if op.ending is not Ending.INFO}
    unseen = len(foreign) - sum(op.ending is Ending.OK for op in states)
    unclear = sum(op.ending is Ending.INFO for op in foreign)
    changed = [
        op for op in states if op.ending is Ending.OK and op.result["before"] != op.result["after"]
    ]
    by_time = [op for op in changed if op.result.get("new") and set(op.result["new"]) <= BY_TIME]
    shown = works & tried
    return conclude(
        (ACCEPTED, CHANGED),
        [
            *(Broken(ACCEPTED, _said(op)) for op in foreign if op.ending is Ending.OK),
            *(Broken(CHANGED, f"{_said(op)}: {_grown(op)}") for op in changed if op not in by_time),
        ],
        [
            f"{unclear} foreign calls ended unclear" if unclear else "",
            f"the history was not read after {unseen} foreign calls" if unseen > 0 else "",
            f"something timed out beside {len(by_time)} foreign calls" if by_time else "",
            ""
            if len(shown) >= METHODS
            else f"{len(shown)} of {METHODS} methods were shown to work for the owner",
        ],
        f"all {len(foreign)} foreign calls over {len(shown)} methods were refused and changed "
        "nothing; the owner's own calls succeeded",
        {
            "foreign_calls": len(foreign),
            "refused": sum(op.ending is Ending.FAIL for op in foreign),
            "variants": dict(sorted(Counter(op.args["variant"] for op in foreign).items())),
            "statuses": dict(sorted(Counter(op.status for op in foreign).items())),
        },
    )


def _said(op: Operation) -> str:
    return (
        f"{op.args['method']} with {op.args['variant']}: {op.args['caller']} on a task of "
        f"{op.args['owner']} ({op.workflow_id})"
    )


def _grown(op: Operation) -> str:
    return f"{op.result['before']} -> {op.result['after']} events"
