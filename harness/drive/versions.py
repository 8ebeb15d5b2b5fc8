"""Worker Deployment versions: making one the current one, ramping it, looking at how it stands."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final

from temporalio.api.enums.v1 import WorkerDeploymentVersionStatus
from temporalio.api.workflowservice.v1 import (
    DescribeWorkerDeploymentRequest,
    SetWorkerDeploymentCurrentVersionRequest,
    SetWorkerDeploymentRampingVersionRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from harness.drive.plan import TenantPlan, Version
from harness.drive.session import Drive

ATTEMPT: Final = timedelta(seconds=5)  # the engine may lose one in the rush of registrations
LOOKS_EVERY_S: Final = 0.2
IDENTITY: Final = "harness"
STATUS_PREFIX: Final = "WORKER_DEPLOYMENT_VERSION_STATUS_"
# a version that has not been seen polling, or a deployment that somebody else changes just now
_PASSING: Final = {
    RPCStatusCode.NOT_FOUND, RPCStatusCode.FAILED_PRECONDITION, RPCStatusCode.ABORTED,
    RPCStatusCode.UNAVAILABLE, RPCStatusCode.RESOURCE_EXHAUSTED, RPCStatusCode.DEADLINE_EXCEEDED,
    RPCStatusCode.CANCELLED,
}  # fmt: skip


async def make_all_current(drive: Drive) -> None:
    """Make the version of the platform's workers the current one in each tenant's namespace.

    A worker that claims versions and registers none gets its tasks unversioned, which is judged.
    """
    versions = drive.plan.versions
    if versions is None or "versioning" in drive.lacks:
        return
    version = versions.calm
    async with drive.timed("set-up: versions made current"):
        await asyncio.gather(*(_promote(drive, tenant, version) for tenant in drive.tenants))


async def _promote(drive: Drive, tenant: TenantPlan, version: Version) -> None:
    within_s = drive.plan.horizon_s
    done = await drive.call(
        "set-current",
        make_current(drive.clients[tenant.name], version, within_s),
        tenant=tenant.name,
        args={"phase": "set-up", "build_id": version.build_id},
        deadline_s=2 * within_s,
    )
    if isinstance(done, BaseException):
        named = f"{version.deployment} {version.build_id}"
        drive.supervisor.progress(
            f"{tenant.namespace}: {named} cannot be made the current version, without which a "
            f"worker of it gets no task: {done}"
        )


async def make_current(client: Client, version: Version, within_s: float) -> None:
    """Make a version the current one as soon as a worker of it has polled.

    Raises the engine's own error where it does not in time.
    """
    await _once_there(
        within_s,
        lambda: client.workflow_service.set_worker_deployment_current_version(
            SetWorkerDeploymentCurrentVersionRequest(
                namespace=client.namespace,
                deployment_name=version.deployment,
                build_id=version.build_id,
                identity=IDENTITY,
                ignore_missing_task_queues=True,
            ),
            timeout=ATTEMPT,
        ),
    )


async def make_ramping(client: Client, version: Version, percent: float, within_s: float) -> None:
    """Have a version ramp with a share of new runs; errors as of `make_current`."""
    await _once_there(
        within_s,
        lambda: client.workflow_service.set_worker_deployment_ramping_version(
            SetWorkerDeploymentRampingVersionRequest(
                namespace=client.namespace,
                deployment_name=version.deployment,
                build_id=version.build_id,
                percentage=percent,
                identity=IDENTITY,
                ignore_missing_task_queues=True,
            ),
            timeout=ATTEMPT,
        ),
    )


async def look(client: Client, deployment: str) -> dict[str, Any]:
    """How a deployment stands, as JSON: current and ramping build id, status of each build."""
    answer = await client.workflow_service.describe_worker_deployment(
        DescribeWorkerDeploymentRequest(namespace=client.namespace, deployment_name=deployment)
    )
    told = answer.worker_deployment_info
    routing = told.routing_config
    return {
        "current": routing.current_deployment_version.build_id,
        "ramping": routing.ramping_deployment_version.build_id,
        "percent": routing.ramping_version_percentage,
        "status": {
            each.deployment_version.build_id: status_name(each.status)
            for each in told.version_summaries
        },
    }


def status_name(status: WorkerDeploymentVersionStatus.ValueType) -> str:
    """`DRAINED` and the like."""
    return WorkerDeploymentVersionStatus.Name(status).removeprefix(STATUS_PREFIX)


async def _once_there(within_s: float, ask: Callable[[], Awaitable[Any]]) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_s
    while True:
        try:
            await ask()
            return
        except RPCError as error:
            if error.status not in _PASSING or loop.time() > deadline:
                raise
        await asyncio.sleep(LOOKS_EVERY_S)
