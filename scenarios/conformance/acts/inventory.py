"""What the engine says of namespaces and task queues (INV-ISO-1, INV-ISO-2)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from temporalio.api.enums.v1 import NamespaceState, TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DeprecateNamespaceRequest,
    DescribeTaskQueueRequest,
    DescribeTaskQueueResponse,
    ListNamespacesRequest,
)

from harness.drive.connect import register
from harness.drive.plan import TenantPlan
from harness.drive.session import Drive
from scenarios.conformance.acts.defects import Defect

PAGE = 200
MOST_PAGES = 20
KINDS = {
    "workflow": TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    "activity": TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
}


async def take_inventory(drive: Drive) -> None:
    """List the namespaces, and who polls each declared task queue in each tenant's namespace."""
    await _deploy(drive)
    await asyncio.gather(
        drive.call(
            "list-namespaces",
            _namespaces(drive),
            suite="isolation",
            args={
                "trial": drive.plan.trial_id,
                "tenants": {each.name: each.namespace for each in drive.tenants},
            },
            show=lambda found: {"namespaces": found},
        ),
        *(_pollers(drive, *each) for each in _queues(drive)),
    )


async def _deploy(drive: Drive) -> None:
    """What a deployment that is broken on purpose has done."""
    last = drive.tenants[-1]
    service = drive.clients[last.name].workflow_service
    if Defect.NAMESPACE_LEFT_OVER in drive.plan.defects:
        await register(drive.clients[last.name], "left-over")
    if Defect.TENANT_DEPRECATED in drive.plan.defects:
        await service.deprecate_namespace(DeprecateNamespaceRequest(namespace=last.namespace))


async def _namespaces(drive: Drive) -> list[dict[str, str]]:
    service = drive.clients[drive.tenants[0].name].workflow_service
    found: list[dict[str, str]] = []
    token = b""
    for _ in range(MOST_PAGES):
        page = await service.list_namespaces(
            ListNamespacesRequest(page_size=PAGE, next_page_token=token)
        )
        found += [
            {
                "name": each.namespace_info.name,
                "state": NamespaceState.Name(each.namespace_info.state),
            }
            for each in page.namespaces
        ]
        token = page.next_page_token
        if not token:
            return found
    raise ValueError(f"more than {MOST_PAGES * PAGE} namespaces")


def _queues(drive: Drive) -> Iterator[tuple[TenantPlan, str, str, str]]:
    """(tenant, whose queue it is, queue, kind): those of the groups that have a worker."""
    for tenant in drive.tenants:
        for owner in drive.tenants:
            for kind in KINDS:
                yield tenant, owner.name, drive.queue(owner, "calm"), kind


async def _pollers(drive: Drive, tenant: TenantPlan, owner: str, queue: str, kind: str) -> None:
    await drive.call(
        "describe-task-queue",
        drive.clients[tenant.name].workflow_service.describe_task_queue(
            DescribeTaskQueueRequest(
                namespace=tenant.namespace,
                task_queue=TaskQueue(name=queue),
                task_queue_type=KINDS[kind],
            )
        ),
        suite="isolation",
        tenant=tenant.name,
        args={"namespace": tenant.namespace, "queue": queue, "owner": owner, "kind": kind},
        show=_identities,
    )


def _identities(answer: DescribeTaskQueueResponse) -> dict[str, Any]:
    return {"pollers": sorted({each.identity for each in answer.pollers})}
