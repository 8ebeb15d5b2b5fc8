"""Exporting histories of runs that are open, as a new build would meet them at its rollout."""

from __future__ import annotations

import asyncio
import hashlib
import re
from typing import Any

from temporalio.client import Client, WorkflowHandle

from harness.drive.plan import TenantPlan
from harness.drive.session import Drive
from harness.journal.records import Precedent, now

SUITE, CASE, SIGNAL = "compatibility", "open", "go"
STEP = 1  # the last one before the case waits
MOST = 12  # of the other runs that are open just then, in each tenant


async def export_open_runs(drive: Drive) -> None:
    """Wait until the case of each tenant waits, export what is open, and let it go on."""
    await asyncio.gather(*(_of_tenant(drive, tenant) for tenant in drive.tenants))


async def _of_tenant(drive: Drive, tenant: TenantPlan) -> None:
    workflow_id = drive.workflow_id(SUITE, CASE)
    await drive.doubles.await_effect(
        tenant=tenant.name,
        saga_id=f"{drive.plan.trial_id}.{SUITE}.{CASE}",
        step=STEP,
        direction="forward",
        timeout_ms=int(drive.plan.horizon_s * 1000),
    )
    client = drive.clients[tenant.name]
    handle = client.get_workflow_handle(workflow_id)
    await _export(drive, tenant, handle)
    for other in await _open(client):
        if other != workflow_id:
            await _export(drive, tenant, client.get_workflow_handle(other))
    payload = {"name": SIGNAL, "id": f"go-{tenant.name}"}
    await drive.call(
        "signal", handle.signal("deliver", payload), suite=SUITE, case=CASE, tenant=tenant.name,
        workflow_id=workflow_id, args=payload,
    )  # fmt: skip


async def _open(client: Client) -> list[str]:
    """Ids of runs that visibility lists as open; it is late, and some are closed by now."""
    found = client.list_workflows("ExecutionStatus = 'Running'", limit=MOST)
    return [each.id async for each in found]


async def _export(drive: Drive, tenant: TenantPlan, handle: WorkflowHandle[Any, Any]) -> None:
    history = await drive.call(
        "open-history", handle.fetch_history(), suite=SUITE, tenant=tenant.name,
        workflow_id=handle.id,
    )  # fmt: skip
    if isinstance(history, BaseException):
        return
    last, started = history.events[-1], history.events[0]
    begun = any(e.HasField("workflow_task_started_event_attributes") for e in history.events)
    if last.WhichOneof("attributes") in _CLOSING or not begun:
        return
    raw = history.to_json().encode()
    safe = re.sub(r"[^A-Za-z0-9._-]+", "_", handle.id)[:120]
    path = f"precedents/open/{tenant.name}/{safe}.json"
    (drive.trial / path).parent.mkdir(parents=True, exist_ok=True)
    (drive.trial / path).write_bytes(raw)
    attributes = started.workflow_execution_started_event_attributes
    drive.writer.write(
        Precedent(
            **now(),
            origin="open",
            tenant=tenant.name,
            namespace=tenant.namespace,
            workflow_id=handle.id,
            run_id=attributes.original_execution_run_id,
            workflow_type=attributes.workflow_type.name,
            closed=False,
            path=path,
            sha256=hashlib.sha256(raw).hexdigest(),
        )
    )


_CLOSING = {
    f"workflow_execution_{how}_event_attributes"
    for how in ("completed", "failed", "canceled", "terminated", "timed_out", "continued_as_new")
}
