"""What must be there before a load begins: runs that wait, and namespaces as full as asked."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from msgspec.structs import replace
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import (
    CountWorkflowExecutionsRequest,
    TerminateWorkflowExecutionRequest,
)
from temporalio.service import RPCError, WorkflowService

from harness.load.requests import Waiting, query_request, start_request
from harness.load.settings import Tenant
from harness.load.workload import Workload

WAITING: Final = 20  # of each tenant: a run takes 10,000 signals at most
CALL_WITHIN: Final = timedelta(seconds=10)
CLOSE_WITHIN_S: Final = 5.0
ROW_TYPE: Final = "HarnessRow"
FILLED_AT_ONCE: Final = 32
SHOWN_WITHIN_S: Final = 30


async def start_waiting(
    service: WorkflowService, tenants: Sequence[Tenant], workload: Workload, prefix: str
) -> list[list[Waiting]]:
    """Start `WAITING` runs of each tenant, and see that a worker has them; by tenant.

    Raises `RPCError` if the engine or a worker does not answer.
    """
    assert workload.waiting is not None, f"workload {workload.name} says nothing that waits"
    found: list[list[Waiting]] = []
    for tenant in tenants:
        found.append([])
        for number in range(WAITING):
            workflow_id = f"{prefix}-waits-{number}-{tenant.tenant}"
            argument = workload.waiting(tenant.tenant, workflow_id)
            answer = await service.start_workflow_execution(
                start_request(tenant, workflow_id, argument), retry=True, timeout=CALL_WITHIN
            )
            execution = WorkflowExecution(workflow_id=workflow_id, run_id=answer.run_id)
            found[-1].append(Waiting(tenant.namespace, execution))
        await asyncio.gather(*(_seen(service, each) for each in found[-1]))
    return found


async def _seen(service: WorkflowService, waits: Waiting) -> None:
    await service.query_workflow(
        query_request(waits.namespace, waits.execution), retry=True, timeout=CALL_WITHIN
    )


async def end_waiting(service: WorkflowService, waiting: Sequence[Sequence[Waiting]]) -> None:
    """Terminate the runs that wait, as far as that can be done in a moment."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(CLOSE_WITHIN_S):
            await asyncio.gather(*(_ended(service, each) for some in waiting for each in some))


async def _ended(service: WorkflowService, waits: Waiting) -> None:
    with contextlib.suppress(RPCError):
        await service.terminate_workflow_execution(
            TerminateWorkflowExecutionRequest(
                namespace=waits.namespace,
                workflow_execution=waits.execution,
                reason="the load is over",
            ),
            timeout=CALL_WITHIN,
        )


async def fill(service: WorkflowService, tenant: Tenant, runs: int, prefix: str) -> None:
    """Have a namespace hold so many runs: what lacks is started on a queue of nobody's and ended.

    Visibility is late, so the last ones are waited for. Raises `RPCError` if the engine refuses.
    """
    lacking = runs - await volume(service, tenant.namespace)
    rows = replace(tenant, task_queue=f"{tenant.task_queue}-rows")
    gate = asyncio.Semaphore(FILLED_AT_ONCE)

    async def row(number: int) -> None:
        workflow_id = f"{prefix}-row-{number}-{tenant.tenant}"
        async with gate:
            await service.start_workflow_execution(
                start_request(rows, workflow_id, {}, ROW_TYPE), retry=True, timeout=CALL_WITHIN
            )
            await _ended(
                service, Waiting(tenant.namespace, WorkflowExecution(workflow_id=workflow_id))
            )

    await asyncio.gather(*(row(number) for number in range(lacking)))
    for _ in range(SHOWN_WITHIN_S):
        if await volume(service, tenant.namespace) >= runs:
            return
        await asyncio.sleep(1)


async def volume(service: WorkflowService, namespace: str) -> int:
    """How many runs a namespace holds."""
    answer = await service.count_workflow_executions(
        CountWorkflowExecutionsRequest(namespace=namespace), retry=True, timeout=CALL_WITHIN
    )
    return answer.count
