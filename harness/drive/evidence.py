"""Exporting event histories, and waiting until the audit trail has caught up with them."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from temporalio.client import WorkflowHistory

from harness.contract.transitions import RESET, kind_of, second_of
from harness.drive.session import Drive, Tracked
from harness.journal.read import HistoryEvent, decode_events
from harness.journal.records import History, now

FETCHES_AT_ONCE = 8
STATUS = {
    "WORKFLOW_EXECUTION_COMPLETED": "COMPLETED",
    "WORKFLOW_EXECUTION_FAILED": "FAILED",
    "WORKFLOW_EXECUTION_CANCELED": "CANCELED",
    "WORKFLOW_EXECUTION_TERMINATED": "TERMINATED",
    "WORKFLOW_EXECUTION_TIMED_OUT": "TIMED_OUT",
    "WORKFLOW_EXECUTION_CONTINUED_AS_NEW": "CONTINUED_AS_NEW",
}


async def export_histories(drive: Drive) -> list[tuple[str, str, int]]:
    """Write the history of every tracked run, its continuations and its children.

    Returns (tenant, run id, event id) of every transition that should have an audit event.
    """
    gate = asyncio.Semaphore(FETCHES_AT_ONCE)
    done: set[Tracked] = set()
    audited: list[tuple[str, str, int]] = []
    todo = set(drive.tracked)
    while todo:
        done |= todo
        found = await asyncio.gather(
            *(
                _export(drive, each, gate)
                for each in sorted(todo, key=lambda t: (t.tenant, t.workflow_id, t.run_id))
            )
        )
        todo = set()
        for tracked, run_id, events in found:
            for of, kinds in (
                (run_id, drive.plan.audited),
                (second_of(run_id), drive.plan.audited_twice),
            ):
                awaited = _awaited(events, frozenset(kinds))
                audited += [(tracked.tenant, of, event_id) for event_id in awaited]
            todo |= set(_followers(drive, tracked, events)) - done
    return audited


def _awaited(events: tuple[HistoryEvent, ...], audited: frozenset[str]) -> Iterator[int]:
    """The ids of events that are audited; what a reset copied need not be, except the start."""
    kinds = [(event.id, kind_of(event.type, event.attributes)) for event in events]
    reset = max((event_id for event_id, kind in kinds if kind == RESET), default=0)
    for event_id, kind in kinds:
        if kind in audited and (event_id == 1 or event_id >= reset):
            yield event_id


async def _export(
    drive: Drive, tracked: Tracked, gate: asyncio.Semaphore
) -> tuple[Tracked, str, tuple[HistoryEvent, ...]]:
    async with gate:
        handle = drive.clients[tracked.tenant].get_workflow_handle(
            tracked.workflow_id, run_id=tracked.run_id or None
        )
        history = await drive.call(
            "history",
            handle.fetch_history(),
            tenant=tracked.tenant,
            workflow_id=tracked.workflow_id,
            run_id=tracked.run_id,
        )
    if isinstance(history, BaseException):
        return tracked, tracked.run_id, ()
    return tracked, *_written(drive, tracked, history)


def _written(
    drive: Drive, tracked: Tracked, history: WorkflowHistory
) -> tuple[str, tuple[HistoryEvent, ...]]:
    raw = history.to_json().encode()
    events = decode_events(raw)
    started = events[0].attributes
    run_id = tracked.run_id or started["originalExecutionRunId"]
    safe = re.sub(r"[^A-Za-z0-9._-]+", "_", tracked.workflow_id)[:120]
    path = f"histories/{tracked.tenant}/{safe}.{run_id}.json"
    (drive.trial / path).parent.mkdir(exist_ok=True)
    (drive.trial / path).write_bytes(raw)
    namespace = next(t.namespace for t in drive.tenants if t.name == tracked.tenant)
    drive.writer.write(
        History(
            **now(),
            tenant=tracked.tenant,
            namespace=namespace,
            workflow_id=tracked.workflow_id,
            run_id=run_id,
            workflow_type=started["workflowType"]["name"],
            status=STATUS.get(events[-1].type, "RUNNING"),
            path=path,
            events=len(events),
            sha256=hashlib.sha256(raw).hexdigest(),
        )
    )
    return run_id, events


def _followers(
    drive: Drive, tracked: Tracked, events: tuple[HistoryEvent, ...]
) -> Iterator[Tracked]:
    """The runs that a history leads to: what carries on, and children.

    A parent that ended at once may not have been told that its child was started.
    """
    tenant_of = {tenant.namespace: tenant.name for tenant in drive.tenants}
    told = {int(event.attributes.get("initiatedEventId", 0)) for event in events}
    over = bool(events) and events[-1].type in STATUS

    def child(attributes: Mapping[str, Any], workflow_id: str, run_id: str) -> Tracked:
        tenant = tenant_of.get(attributes.get("namespace", ""), tracked.tenant)
        return Tracked(tenant=tenant, workflow_id=workflow_id, run_id=run_id)

    for event in events:
        following = event.attributes.get("newExecutionRunId")
        if following:
            yield Tracked(tenant=tracked.tenant, workflow_id=tracked.workflow_id, run_id=following)
        if event.type == "CHILD_WORKFLOW_EXECUTION_STARTED":
            started = event.attributes["workflowExecution"]
            yield child(event.attributes, started["workflowId"], started["runId"])
        initiated = event.type == "START_CHILD_WORKFLOW_EXECUTION_INITIATED"
        if initiated and over and event.id not in told:
            yield child(event.attributes, event.attributes["workflowId"], "")


async def await_audit(drive: Drive, audited: list[tuple[str, str, int]]) -> None:
    """Wait until every transition has its event, at the longest as long as one may take."""
    if audited:
        await drive.doubles.await_audit(
            [(run_id, event_id) for _, run_id, event_id in audited],
            timeout_ms=drive.plan.event_lag_ms,
        )
