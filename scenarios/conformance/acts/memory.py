"""What speaks of the memory of keys: the namespaces' retention, and a saga delivered again."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    DescribeNamespaceResponse,
)

from harness.contract.program import WORKFLOW_TYPE, to_json
from harness.drive.cases import run_of, shown_result
from harness.drive.plan import TenantPlan
from harness.drive.session import Drive
from scenarios.conformance.test_memory import DELIVERED_AGAIN
from scenarios.conformance.test_memory import NAME as SUITE


async def describe_namespaces(drive: Drive) -> None:
    """Each tenant's namespace, as its own operation."""
    await asyncio.gather(*(_describe(drive, tenant) for tenant in drive.tenants))


async def _describe(drive: Drive, tenant: TenantPlan) -> None:
    request = DescribeNamespaceRequest(namespace=tenant.namespace)
    await drive.call(
        "namespace",
        drive.clients[tenant.name].workflow_service.describe_namespace(request),
        suite=SUITE,
        tenant=tenant.name,
        show=_retention,
    )


def _retention(answer: DescribeNamespaceResponse) -> dict[str, Any]:
    period = answer.config.workflow_execution_retention_ttl
    return {"retention_s": period.ToTimedelta().total_seconds()}


async def deliver_again(drive: Drive) -> None:
    """The suite's saga once more in each tenant, under another workflow id."""
    await asyncio.gather(*(_again(drive, tenant) for tenant in drive.tenants))


async def _again(drive: Drive, tenant: TenantPlan) -> None:
    run = run_of(drive, SUITE, DELIVERED_AGAIN, tenant)
    workflow_id = f"{run.workflow_id}/again"
    about: dict[str, Any] = {**run.about, "workflow_id": workflow_id}
    handle = await drive.call(
        "start",
        drive.clients[tenant.name].start_workflow(
            WORKFLOW_TYPE,
            to_json(run.program),
            id=workflow_id,
            task_queue=drive.queue(tenant, run.group),
            execution_timeout=timedelta(seconds=drive.plan.horizon_s),
        ),
        **about,
    )
    if isinstance(handle, BaseException):
        return
    drive.track(tenant.name, workflow_id, handle.first_execution_run_id or "")
    await drive.call(
        "result",
        handle.result(),
        deadline_s=drive.plan.horizon_s,
        show=shown_result,
        **about,
    )
