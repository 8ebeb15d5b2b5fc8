"""A tenant that is made, deprecated, deleted, and made again under its old name (INV-ISO-15).

The tenant is one of ours, in a namespace named after the trial. An operation `tenant-lifecycle` is
one thing (`args.what`) asked in one phase: alive (the control), deprecated, deleted, recycled. Its
result lists what was seen; `args.old` is what only the old tenant had.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import (
    AddSearchAttributesRequest,
    DeleteNamespaceRequest,
    ListSearchAttributesRequest,
)
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    CountWorkflowExecutionsRequest,
    DeprecateNamespaceRequest,
    DescribeWorkflowExecutionRequest,
    GetWorkflowExecutionHistoryRequest,
    ListSchedulesRequest,
    ListWorkflowExecutionsRequest,
    PollWorkflowTaskQueueRequest,
)
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleIntervalSpec,
    ScheduleSpec,
    ScheduleState,
)
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode

from harness.drive.connect import one_client, register
from harness.drive.session import Drive
from scenarios.conformance.acts.defects import Defect
from scenarios.conformance.acts.raw import IDENTITY, PROBE_TYPE

SERVED_WITHIN_S = 30.0
LOOKS_EVERY_S = 0.2
POLL_S = 2.5
ATTRIBUTE = "HarnessOldTenant"
OLD = ("list", "count", "describe", "history", "schedules", "search attributes")
SCHEDULE = "old-schedule"
PASSING = {
    RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.RESOURCE_EXHAUSTED,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """The throw-away tenant, and the run that its first life had."""

    drive: Drive
    client: Client
    run_id: str = ""

    @property
    def namespace(self) -> str:
        """Its namespace, in both lives."""
        return self.client.namespace

    @property
    def workflow_id(self) -> str:
        """The id of its workflow, in both lives."""
        return self.drive.workflow_id("lifecycle", "only")

    @property
    def queue(self) -> str:
        """A task queue that nobody serves."""
        return self.drive.workflow_id("lifecycle", "queue")


async def live_and_die(drive: Drive) -> None:
    """The whole life of a tenant, and the beginning of the next one's."""
    name = f"{drive.plan.trial_id}-tenant"
    client = await one_client(drive.plan.engine, name, within_s=SERVED_WITHIN_S)
    tenant = await _born(Tenant(drive=drive, client=client))
    await _ask_all(tenant, "alive", OLD)
    if Defect.TENANT_NOT_DEPRECATED not in drive.plan.defects:
        await client.workflow_service.deprecate_namespace(DeprecateNamespaceRequest(namespace=name))
    await _ask_all(tenant, "deprecated", ("start",))
    if Defect.TENANT_NOT_DELETED not in drive.plan.defects:
        await client.operator_service.delete_namespace(DeleteNamespaceRequest(namespace=name))
    await _ask_all(tenant, "deleted", ("start", "poll", "signal", "list", "count", "describe"))
    await register(client, name)
    await _ask_all(tenant, "recycled", ("start",))  # from then on its namespace is known
    await _ask_all(tenant, "recycled", OLD)
    await client.operator_service.delete_namespace(DeleteNamespaceRequest(namespace=name))


async def _born(tenant: Tenant) -> Tenant:
    """A namespace with a run, a schedule and a search attribute."""
    client = tenant.client
    await register(client, tenant.namespace)
    await _until(SERVED_WITHIN_S, _answered, lambda: _list(tenant))
    await client.operator_service.add_search_attributes(
        AddSearchAttributesRequest(
            namespace=tenant.namespace,
            search_attributes={ATTRIBUTE: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD},
        )
    )
    run_id = (await _start(tenant))[0]
    await client.create_schedule(
        SCHEDULE,
        Schedule(
            action=ScheduleActionStartWorkflow(PROBE_TYPE, id="never", task_queue=tenant.queue),
            spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(days=300))]),
            state=ScheduleState(paused=True),
        ),
    )
    return Tenant(drive=tenant.drive, client=client, run_id=run_id)


async def _ask_all(tenant: Tenant, phase: str, asked: tuple[str, ...]) -> None:
    await asyncio.gather(*(_ask(tenant, phase, what) for what in asked))


async def _ask(tenant: Tenant, phase: str, what: str) -> None:
    """Ask until it is as it should be, at the longest until it must be; the last answer counts."""
    old = [tenant.run_id, SCHEDULE, ATTRIBUTE]
    await _until(
        tenant.drive.plan.removal_s,
        lambda seen: _as_it_should_be(phase, what, seen, old),
        lambda: _ASKED[what](tenant),
    )
    await tenant.drive.call(
        "tenant-lifecycle",
        _ASKED[what](tenant),
        suite="isolation",
        workflow_id=tenant.workflow_id,
        args={"phase": phase, "what": what, "old": old},
        show=lambda seen: {"seen": seen},
    )


def _as_it_should_be(phase: str, what: str, seen: list[str] | None, old: list[str]) -> bool:
    if phase == "alive":
        return seen is not None and any(each in old for each in seen)
    if phase in ("deprecated", "deleted"):
        return seen is None
    if seen is None:
        return what in ("describe", "history")
    return not any(each in old for each in seen)


# --- waiting --------------------------------------------------------------------------------------


async def _until(
    within_s: float, enough: Callable[[list[str] | None], bool], ask: Callable[[], Any]
) -> None:
    """Ask until the answer (None: it was refused) is enough, at the longest `within_s`."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_s
    while loop.time() < deadline:
        try:
            seen = await ask()
        except RPCError as error:
            seen = [] if error.status in PASSING else None
        if enough(seen):
            return
        await asyncio.sleep(LOOKS_EVERY_S)


def _answered(seen: list[str] | None) -> bool:
    return seen is not None


# --- what is asked: each says what it saw ---------------------------------------------------------


async def _start(tenant: Tenant) -> list[str]:
    handle = await tenant.client.start_workflow(
        PROBE_TYPE,
        id=tenant.workflow_id,
        task_queue=tenant.queue,
        execution_timeout=timedelta(minutes=5),
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
    )
    return [handle.first_execution_run_id or handle.result_run_id or ""]


async def _signal(tenant: Tenant) -> list[str]:
    await tenant.client.get_workflow_handle(tenant.workflow_id).signal("wake")
    return []


async def _poll(tenant: Tenant) -> list[str]:
    task = await tenant.client.workflow_service.poll_workflow_task_queue(
        PollWorkflowTaskQueueRequest(
            namespace=tenant.namespace,
            task_queue=TaskQueue(name=tenant.queue),
            identity=IDENTITY,
        ),
        timeout=timedelta(seconds=POLL_S),
    )
    return [task.workflow_execution.run_id]


async def _list(tenant: Tenant) -> list[str]:
    answer = await tenant.client.workflow_service.list_workflow_executions(
        ListWorkflowExecutionsRequest(namespace=tenant.namespace, page_size=50)
    )
    return [each.execution.run_id for each in answer.executions]


async def _count(tenant: Tenant) -> list[str]:
    answer = await tenant.client.workflow_service.count_workflow_executions(
        CountWorkflowExecutionsRequest(
            namespace=tenant.namespace, query=f"RunId = '{tenant.run_id}'"
        )
    )
    return [tenant.run_id] * answer.count


async def _describe(tenant: Tenant) -> list[str]:
    request = DescribeWorkflowExecutionRequest(namespace=tenant.namespace)
    request.execution.workflow_id = tenant.workflow_id
    request.execution.run_id = tenant.run_id
    answer = await tenant.client.workflow_service.describe_workflow_execution(request)
    return [answer.workflow_execution_info.execution.run_id]


async def _history(tenant: Tenant) -> list[str]:
    request = GetWorkflowExecutionHistoryRequest(namespace=tenant.namespace)
    request.execution.workflow_id = tenant.workflow_id
    request.execution.run_id = tenant.run_id
    answer = await tenant.client.workflow_service.get_workflow_execution_history(request)
    return [tenant.run_id] if answer.history.events else []


async def _schedules(tenant: Tenant) -> list[str]:
    answer = await tenant.client.workflow_service.list_schedules(
        ListSchedulesRequest(namespace=tenant.namespace, maximum_page_size=50)
    )
    return [each.schedule_id for each in answer.schedules]


async def _attributes(tenant: Tenant) -> list[str]:
    answer = await tenant.client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=tenant.namespace)
    )
    return sorted(answer.custom_attributes)


_ASKED: dict[str, Callable[[Tenant], Awaitable[list[str]]]] = {
    "start": _start,
    "signal": _signal,
    "poll": _poll,
    "list": _list,
    "count": _count,
    "describe": _describe,
    "history": _history,
    "schedules": _schedules,
    "search attributes": _attributes,
}
