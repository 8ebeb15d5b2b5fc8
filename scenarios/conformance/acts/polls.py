"""One tenant polls queues named as another's, while tasks wait in these (INV-ISO-5)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from temporalio.api.command.v1 import Command
from temporalio.api.enums.v1 import CommandType, TaskQueueKind
from temporalio.api.taskqueue.v1 import StickyExecutionAttributes, TaskQueue
from temporalio.api.workflowservice.v1 import (
    PollActivityTaskQueueRequest,
    PollWorkflowTaskQueueRequest,
    RespondWorkflowTaskCompletedRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from harness.drive.plan import TenantPlan
from harness.drive.session import Drive
from scenarios.conformance.acts.raw import (
    IDENTITY,
    Probe,
    answer_workflow_task,
    end_probe,
    poll_workflow_task,
    start_probe,
)

POLL_S = 2.5  # the engine refuses polls shorter than 2 s
OWN_POLL_S = 5.0
NOTHING = {RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED}


async def poll_as_another(drive: Drive) -> None:
    """Each kind of queue of each of the first two tenants, polled by the other by its name."""
    first, second = drive.tenants[0], drive.tenants[1]
    await asyncio.gather(
        *(
            _one(drive, owner, other, kind)
            for owner, other in ((first, second), (second, first))
            for kind in _WAITING
        )
    )


async def _one(drive: Drive, owner: TenantPlan, other: TenantPlan, kind: str) -> None:
    """A task waits, the other polls for it, and then the owner does."""
    probe = await start_probe(drive, owner, f"poll-{owner.name}-{kind}")
    queue, polled = await _WAITING[kind](probe)
    poll = _POLLS[polled]
    for name, caller, seconds in (
        ("foreign-poll", other, POLL_S),
        ("own-poll", owner, OWN_POLL_S),
    ):
        await drive.call(
            name,
            poll(drive.clients[caller.name], caller.namespace, queue, seconds),
            suite="isolation",
            tenant=caller.name,
            workflow_id=probe.workflow_id,
            run_id=probe.run_id,
            args={"kind": kind, "owner": owner.name, "queue": queue.name},
            show=lambda delivered: {"delivered": delivered},
        )
    await end_probe(probe)


# --- a task that waits ----------------------------------------------------------------------------


async def _workflow_waits(probe: Probe) -> tuple[TaskQueue, str]:
    return TaskQueue(name=probe.queue), "workflow"


async def _activity_waits(probe: Probe) -> tuple[TaskQueue, str]:
    task = await poll_workflow_task(probe)
    command = Command(command_type=CommandType.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK)
    attributes = command.schedule_activity_task_command_attributes
    attributes.activity_id = "waiting"
    attributes.activity_type.name = "probe"
    attributes.task_queue.name = probe.queue
    attributes.start_to_close_timeout.FromTimedelta(timedelta(seconds=30))
    await answer_workflow_task(probe, task.task_token, [command])
    return TaskQueue(name=probe.queue), "activity"


async def _sticky_waits(probe: Probe) -> tuple[TaskQueue, str]:
    """A task on a sticky queue: the engine puts one there only if somebody has polled it."""
    task = await poll_workflow_task(probe)
    sticky = TaskQueue(
        name=f"{probe.queue}-sticky",
        kind=TaskQueueKind.TASK_QUEUE_KIND_STICKY,
        normal_name=probe.queue,
    )
    attributes = StickyExecutionAttributes(worker_task_queue=sticky)
    attributes.schedule_to_start_timeout.FromTimedelta(timedelta(seconds=30))
    await probe.client.workflow_service.respond_workflow_task_completed(
        RespondWorkflowTaskCompletedRequest(
            namespace=probe.tenant.namespace,
            task_token=task.task_token,
            identity=IDENTITY,
            sticky_attributes=attributes,
        )
    )
    await _poll_workflow(probe.client, probe.tenant.namespace, sticky, POLL_S)
    await probe.client.get_workflow_handle(probe.workflow_id, run_id=probe.run_id).signal("wake")
    return sticky, "workflow"


# --- polls ----------------------------------------------------------------------------------------


async def _poll_workflow(client: Client, namespace: str, queue: TaskQueue, seconds: float) -> str:
    request = PollWorkflowTaskQueueRequest(namespace=namespace, task_queue=queue, identity=IDENTITY)
    call = client.workflow_service.poll_workflow_task_queue(
        request, timeout=timedelta(seconds=seconds)
    )
    return await _delivered(call)


async def _poll_activity(client: Client, namespace: str, queue: TaskQueue, seconds: float) -> str:
    request = PollActivityTaskQueueRequest(namespace=namespace, task_queue=queue, identity=IDENTITY)
    call = client.workflow_service.poll_activity_task_queue(
        request, timeout=timedelta(seconds=seconds)
    )
    return await _delivered(call)


async def _delivered(call: Awaitable[Any]) -> str:
    """The workflow whose task was handed out, or nothing."""
    try:
        task = await call
    except RPCError as error:
        if error.status in NOTHING:
            return ""
        raise
    return str(task.workflow_execution.workflow_id) if task.task_token else ""


_WAITING: dict[str, Callable[[Probe], Awaitable[tuple[TaskQueue, str]]]] = {
    "workflow task": _workflow_waits,
    "activity task": _activity_waits,
    "sticky task": _sticky_waits,
}
_POLLS: dict[str, Callable[[Client, str, TaskQueue, float], Awaitable[str]]] = {
    "workflow": _poll_workflow,
    "activity": _poll_activity,
}
