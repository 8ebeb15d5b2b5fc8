"""INV-ISO-2: a task queue of its own for each tenant."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

from harness.checks.check import Evidence, Finding
from harness.checks.histories.clauses import Broken, conclude
from harness.journal.records import Ending, History, Operation, Program

SHARED: Final = "queue of two tenants in one namespace"
Queue = tuple[str, str]  # namespace, name


def one_task_queue_per_tenant(evidence: Evidence) -> Finding:
    """ADR, Invariants: "Separate Temporal namespaces and task queues per tenant".

    Every pair of namespace and task queue that a tenant's runs and activities were put on, and that
    its workers poll, belongs to that tenant alone. The same name in another tenant's namespace is
    another queue: it is shown, and no failure.
    """
    users = _users(evidence)
    pollers = _pollers(evidence)
    mine = {queue for queue, tenants in users.items() if tenants}
    shared = [queue for queue, tenants in users.items() if len(tenants) > 1]
    unpolled = sorted({queue for queue in mine if queue in pollers and not pollers[queue]})
    tenants = {each for found in users.values() for each in found}
    lacks = [
        "" if len(tenants) > 1 else "fewer than two tenants had a run on a task queue",
        "" if any(pollers.values()) else "who polls the task queues could not be seen",
        f"nobody was seen polling {', '.join(map('/'.join, unpolled))}" if unpolled else "",
    ]
    return conclude(
        [SHARED],
        [
            Broken(SHARED, f"{'/'.join(queue)} serves {', '.join(sorted(users[queue]))}")
            for queue in shared
        ],
        lacks,
        f"each of {len(mine)} task queues serves one tenant of {len(tenants)}",
        {
            "task_queues": len(mine),
            "same_name_in_two_namespaces": len(_same_names(users)),
            "table": [_row(queue, users[queue], pollers) for queue in sorted(mine)],
        },
    )


def _users(evidence: Evidence) -> dict[Queue, set[str]]:
    """The tenants whose runs or activities were put on each queue."""
    users: defaultdict[Queue, set[str]] = defaultdict(set)
    driven = {(program.tenant, program.workflow_id) for program in evidence.of(Program)}
    for history in evidence.of(History):
        if (history.tenant, history.workflow_id) not in driven:
            continue
        for event in evidence.events(history):
            name = (event.attributes.get("taskQueue") or {}).get("normalName") or (
                event.attributes.get("taskQueue") or {}
            ).get("name")
            if name and event.type in ("WORKFLOW_EXECUTION_STARTED", "ACTIVITY_TASK_SCHEDULED"):
                users[history.namespace, name].add(history.tenant)
    return users


def _pollers(evidence: Evidence) -> dict[Queue, list[str]]:
    found: defaultdict[Queue, list[str]] = defaultdict(list)
    for op in evidence.of(Operation):
        if op.name == "describe-task-queue" and op.ending is Ending.OK:
            queue = op.args["namespace"], op.args["queue"]
            found[queue] = sorted({*found[queue], *op.result["pollers"]})
    return found


def _same_names(users: dict[Queue, set[str]]) -> set[str]:
    names = [name for _, name in users]
    return {name for name in names if names.count(name) > 1}


def _row(queue: Queue, tenants: set[str], pollers: dict[Queue, list[str]]) -> dict[str, Any]:
    return {
        "queue": "/".join(queue),
        "tenants": ", ".join(sorted(tenants)),
        "pollers": ", ".join(pollers.get(queue, ())),
    }
