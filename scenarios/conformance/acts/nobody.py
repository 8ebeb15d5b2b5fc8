"""Starting sagas that no tenant can have: a worker must refuse them before it asks anybody."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, Final

from harness.contract.program import WORKFLOW_TYPE, SagaProgram, step, to_json
from harness.drive.cases import shown_result
from harness.drive.session import Drive

STARTED: Final = "start-for-nobody"
_WITHIN_S: Final = 20.0


async def start_sagas_for_nobody(drive: Drive) -> None:
    """One saga whose tenant is empty and one that names none, each to its end."""
    await asyncio.gather(*(_start(drive, missing) for missing in (False, True)))


async def _start(drive: Drive, missing: bool) -> None:
    name = "no-tenant" if missing else "empty-tenant"
    workflow_id = drive.workflow_id("nobody", name)
    program: dict[str, Any] = to_json(
        SagaProgram(tenant="", saga_id=f"{drive.plan.trial_id}.{name}", nodes=[step(0, "item")])
    )
    if missing:
        del program["tenant"]
    await drive.call(
        STARTED,
        _run(drive, workflow_id, program),
        tenant=drive.tenants[0].name,
        suite="authorization",
        case="sagas-for-nobody",
        workflow_id=workflow_id,
        args={"tenant": None if missing else ""},
        deadline_s=_WITHIN_S + 5,
        show=shown_result,
    )


async def _run(drive: Drive, workflow_id: str, program: dict[str, Any]) -> Any:
    tenant = drive.tenants[0]
    handle = await drive.clients[tenant.name].start_workflow(
        WORKFLOW_TYPE,
        program,
        id=workflow_id,
        task_queue=drive.queue(tenant, "calm"),
        execution_timeout=timedelta(seconds=_WITHIN_S),
    )
    drive.track(tenant.name, workflow_id, handle.first_execution_run_id or "")
    return await handle.result()
