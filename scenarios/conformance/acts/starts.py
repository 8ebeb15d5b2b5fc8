"""The same workflow id started several times at once, under every pair of policies (INV-IDEM-6).

Each call is an operation `start` with case `dedupe/<state>/<reuse>/<conflict>`: the state is
`running` (no run before: the calls meet each other's run) or `closed` (a run completed before). The
case `dedupe/request-id` repeats one request with its request id, as after a lost answer.
"""

from __future__ import annotations

import asyncio
import uuid
from datetime import timedelta
from typing import Any

from temporalio.api.workflowservice.v1 import StartWorkflowExecutionRequest
from temporalio.client import WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from harness.contract.program import WORKFLOW_TYPE, SagaProgram, Wait, to_json
from harness.drive.plan import TenantPlan
from harness.drive.session import Drive
from scenarios.conformance.acts.defects import Defect

AT_ONCE = 4
CELLS_AT_ONCE = 6
REUSE = tuple(WorkflowIDReusePolicy)
CONFLICT = tuple(each for each in WorkflowIDConflictPolicy if each.name != "UNSPECIFIED")


async def start_many_times(drive: Drive) -> None:
    """Every cell of the grid, and the repeated request."""
    tenant = drive.tenants[0]
    gate = asyncio.Semaphore(CELLS_AT_ONCE)
    await asyncio.gather(
        _same_request(drive, tenant),
        *(
            _cell(drive, tenant, state, reuse, conflict, gate)
            for state in ("running", "closed")
            for reuse in REUSE
            for conflict in CONFLICT
        ),
    )


async def _cell(
    drive: Drive,
    tenant: TenantPlan,
    state: str,
    reuse: WorkflowIDReusePolicy,
    conflict: WorkflowIDConflictPolicy,
    gate: asyncio.Semaphore,
) -> None:
    case = f"dedupe/{state}/{reuse.name}/{conflict.name}"
    workflow_id = drive.workflow_id("idempotency", case)
    async with gate:
        if state == "closed":
            await _run_to_the_end(drive, tenant, workflow_id)
        started = await asyncio.gather(
            *(
                drive.call(
                    "start",
                    _start(drive, tenant, workflow_id, reuse, conflict),
                    suite="idempotency",
                    case=case,
                    tenant=tenant.name,
                    workflow_id=workflow_id,
                    args={"n": AT_ONCE},
                )
                for _ in range(AT_ONCE)
            )
        )
        await _terminate(
            drive, tenant, [each for each in started if isinstance(each, WorkflowHandle)]
        )


async def _start(
    drive: Drive,
    tenant: TenantPlan,
    workflow_id: str,
    reuse: WorkflowIDReusePolicy,
    conflict: WorkflowIDConflictPolicy,
) -> WorkflowHandle[Any, Any]:
    """The platform's starter; one that is broken on purpose takes a fresh id on a conflict."""
    client = drive.clients[tenant.name]
    options: dict[str, Any] = {
        "task_queue": drive.queue(tenant, "calm"),
        "id_reuse_policy": reuse,
        "id_conflict_policy": conflict,
        "execution_timeout": timedelta(minutes=2),
    }
    program = to_json(_waiting(tenant, workflow_id))
    try:
        return await client.start_workflow(WORKFLOW_TYPE, program, id=workflow_id, **options)
    except WorkflowAlreadyStartedError:
        if Defect.FRESH_ID not in drive.plan.defects:
            raise
        return await client.start_workflow(
            WORKFLOW_TYPE, program, id=f"{workflow_id}-{uuid.uuid4().hex}", **options
        )


def _waiting(tenant: TenantPlan, workflow_id: str) -> SagaProgram:
    return SagaProgram(tenant=tenant.name, saga_id=workflow_id, nodes=[Wait(signal="never")])


async def _run_to_the_end(drive: Drive, tenant: TenantPlan, workflow_id: str) -> None:
    empty = SagaProgram(tenant=tenant.name, saga_id=workflow_id, nodes=[])
    first = await drive.clients[tenant.name].start_workflow(
        WORKFLOW_TYPE,
        to_json(empty),
        id=workflow_id,
        task_queue=drive.queue(tenant, "calm"),
        execution_timeout=timedelta(minutes=1),
    )
    drive.track(tenant.name, workflow_id, first.first_execution_run_id or "")
    await first.result()


async def _terminate(
    drive: Drive, tenant: TenantPlan, handles: list[WorkflowHandle[Any, Any]]
) -> None:
    """End what was started; of several runs of one id all but the last are closed already."""
    client = drive.clients[tenant.name]
    for run_id, workflow_id in {
        handle.first_execution_run_id: handle.id for handle in handles
    }.items():
        handle = client.get_workflow_handle(workflow_id, run_id=run_id)
        await drive.call(
            "terminate",
            handle.terminate("conformance"),
            suite="idempotency",
            case="dedupe",
            tenant=tenant.name,
            workflow_id=workflow_id,
            run_id=run_id or "",
        )
        drive.track(tenant.name, workflow_id, run_id or "")


async def _same_request(drive: Drive, tenant: TenantPlan) -> None:
    case = "dedupe/request-id"
    workflow_id = drive.workflow_id("idempotency", case)
    client = drive.clients[tenant.name]
    request = StartWorkflowExecutionRequest(
        namespace=tenant.namespace,
        workflow_id=workflow_id,
        request_id=str(uuid.uuid4()),
        identity="harness",
    )
    request.workflow_type.name = WORKFLOW_TYPE
    request.task_queue.name = drive.queue(tenant, "calm")
    request.input.payloads.extend(
        await client.data_converter.encode([to_json(_waiting(tenant, workflow_id))])
    )
    started = await asyncio.gather(
        *(
            drive.call(
                "start",
                client.workflow_service.start_workflow_execution(request),
                suite="idempotency",
                case=case,
                tenant=tenant.name,
                workflow_id=workflow_id,
                args={"n": AT_ONCE},
            )
            for _ in range(AT_ONCE)
        )
    )
    run_ids = [each.run_id for each in started if not isinstance(each, BaseException)]
    await _terminate(
        drive,
        tenant,
        [
            client.get_workflow_handle(workflow_id, run_id=each, first_execution_run_id=each)
            for each in run_ids[:1]
        ],
    )
