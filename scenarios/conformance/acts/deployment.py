"""What the engine says of itself, of its workers, and of how long it keeps closed runs."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from google.protobuf.duration_pb2 import Duration
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.operatorservice.v1 import DeleteNamespaceRequest
from temporalio.api.workflowservice.v1 import (
    CountWorkflowExecutionsRequest,
    GetSystemInfoRequest,
    ListWorkersRequest,
    ListWorkersResponse,
    RegisterNamespaceRequest,
    UpdateNamespaceRequest,
)
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from harness.drive.connect import one_client
from harness.drive.plan import TenantPlan
from harness.drive.session import Drive
from scenarios.conformance.acts.defects import Defect
from scenarios.conformance.acts.memory import describe_namespaces
from scenarios.conformance.acts.raw import PROBE_TYPE

SUITE: Final = "deployment"
SLACK_DAYS: Final = 1.0  # deletion is spread over time on purpose
SHORT_S: Final = 1.0
LOOKS_EVERY_S: Final = 0.2
SERVED_WITHIN_S: Final = 30.0
WITHIN_S: Final = 5.0
PAGE: Final = 200


async def read_retention(drive: Drive) -> None:
    """The retention of each tenant's namespace, and the runs in it that are older."""
    if Defect.SHORT_RETENTION in drive.plan.defects:
        await _shortened(drive, drive.tenants[-1])
    await describe_namespaces(drive)
    await asyncio.gather(*(_count_older(drive, tenant) for tenant in drive.tenants))


async def _shortened(drive: Drive, tenant: TenantPlan) -> None:
    """What a deployment that is broken on purpose has done."""
    week = Duration()
    week.FromTimedelta(timedelta(days=7))
    service = drive.clients[tenant.name].workflow_service
    await service.update_namespace(
        UpdateNamespaceRequest(
            namespace=tenant.namespace,
            config=NamespaceConfig(workflow_execution_retention_ttl=week),
        )
    )


async def _count_older(drive: Drive, tenant: TenantPlan) -> None:
    days = drive.plan.retention_days + SLACK_DAYS
    before = datetime.now(UTC) - timedelta(days=days)
    await drive.call(
        "closed-before",
        drive.clients[tenant.name].workflow_service.count_workflow_executions(
            CountWorkflowExecutionsRequest(
                namespace=tenant.namespace, query=f"CloseTime < '{before:%Y-%m-%dT%H:%M:%SZ}'"
            )
        ),
        suite=SUITE,
        tenant=tenant.name,
        args={"days": days},
        show=lambda answer: {"count": answer.count},
    )


async def outlive_a_short_retention(drive: Drive) -> None:
    """A run that is closed in a namespace with a retention of a second, until it is gone."""
    name = f"{drive.plan.trial_id}-short"
    client = await one_client(drive.plan.engine, name, within_s=SERVED_WITHIN_S)
    await drive.call(
        "short-retention",
        _until_gone(drive, client),
        suite=SUITE,
        args={"retention_s": SHORT_S},
        deadline_s=drive.plan.horizon_s + 2 * SERVED_WITHIN_S,
        show=lambda seen: seen,
    )


async def _until_gone(drive: Drive, client: Client) -> dict[str, Any]:
    """Whether the run is gone, and how long after its end; raises what the engine refuses."""
    await client.workflow_service.register_namespace(
        RegisterNamespaceRequest(
            namespace=client.namespace,
            workflow_execution_retention_period=Duration(seconds=int(SHORT_S)),
        )
    )
    handle = await _once_served(drive, client)
    await handle.terminate("conformance")
    closed = time.monotonic()
    gone, slowest_s = False, 0.0
    while not gone and time.monotonic() - closed < drive.plan.horizon_s:
        await asyncio.sleep(LOOKS_EVERY_S)
        asked = time.monotonic()
        gone = not await _there(handle)
        slowest_s = max(slowest_s, time.monotonic() - asked)
    seconds = time.monotonic() - closed
    await client.operator_service.delete_namespace(
        DeleteNamespaceRequest(namespace=client.namespace)
    )
    return {"gone": gone, "seconds": round(seconds, 1), "slowest_s": round(slowest_s, 2)}


async def _once_served(drive: Drive, client: Client) -> WorkflowHandle[Any, Any]:
    """A started run, as soon as the new namespace is known everywhere."""
    deadline = time.monotonic() + SERVED_WITHIN_S
    while True:
        try:
            return await client.start_workflow(
                PROBE_TYPE,
                id=drive.workflow_id(SUITE, "short"),
                task_queue=drive.workflow_id(SUITE, "nobody"),
                execution_timeout=timedelta(minutes=5),
            )
        except RPCError:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(LOOKS_EVERY_S)


async def _there(handle: WorkflowHandle[Any, Any]) -> bool:
    try:
        await handle.describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    return True


async def smoke(drive: Drive) -> None:
    """Health and system information of the frontend."""
    client = drive.clients[drive.tenants[0].name]
    await asyncio.gather(
        drive.call("health", _healthy(drive, client), suite=SUITE, show=lambda seen: seen),
        drive.call(
            "system-info",
            client.workflow_service.get_system_info(
                GetSystemInfoRequest(), timeout=timedelta(seconds=WITHIN_S)
            ),
            suite=SUITE,
            show=lambda answer: {"version": answer.server_version},
        ),
    )


async def _healthy(drive: Drive, client: Client) -> dict[str, bool]:
    service = "temporal.api.workflowservice.v1.WorkflowService"
    if Defect.HEALTH_ELSEWHERE in drive.plan.defects:
        service = "somewhere.else"
    return {
        "serving": await client.service_client.check_health(
            service=service, timeout=timedelta(seconds=WITHIN_S)
        )
    }


async def list_workers(drive: Drive) -> None:
    """The workers that the engine knows, by SDK; an older engine keeps no such list."""
    await asyncio.gather(*(_list_workers(drive, tenant) for tenant in drive.tenants))


async def _list_workers(drive: Drive, tenant: TenantPlan) -> None:
    await drive.call(
        "list-workers",
        drive.clients[tenant.name].workflow_service.list_workers(
            ListWorkersRequest(namespace=tenant.namespace, page_size=PAGE)
        ),
        suite=SUITE,
        tenant=tenant.name,
        show=_sdks,
    )


def _sdks(answer: ListWorkersResponse) -> dict[str, Any]:
    names = (
        f"{each.worker_heartbeat.sdk_name} {each.worker_heartbeat.sdk_version}"
        for each in answer.workers_info
    )
    return {"sdks": dict(Counter(names))}
