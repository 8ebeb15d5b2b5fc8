"""Playing a worker by hand: raw polls and answers on a task queue that nobody else serves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio.api.command.v1 import Command
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import CommandType, EventType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    PollActivityTaskQueueRequest,
    PollWorkflowTaskQueueRequest,
    PollWorkflowTaskQueueResponse,
    RespondWorkflowTaskCompletedRequest,
    TerminateWorkflowExecutionRequest,
)
from temporalio.client import Client

from harness.drive.plan import TenantPlan
from harness.drive.session import Drive

PROBE_TYPE = "HarnessProbe"
IDENTITY = "harness-probe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """An open workflow of ours, and the queue on which we serve it ourselves."""

    tenant: TenantPlan
    client: Client
    workflow_id: str
    run_id: str
    queue: str


async def start_probe(drive: Drive, tenant: TenantPlan, name: str) -> Probe:
    """Start a workflow of a type that no worker knows, on a queue that no worker polls."""
    client = drive.clients[tenant.name]
    workflow_id = drive.workflow_id("probe", name)
    queue = f"{workflow_id}-queue"
    handle = await client.start_workflow(
        PROBE_TYPE, id=workflow_id, task_queue=queue, execution_timeout=timedelta(minutes=5)
    )
    run_id = handle.first_execution_run_id or ""
    drive.track(tenant.name, workflow_id, run_id)
    return Probe(tenant=tenant, client=client, workflow_id=workflow_id, run_id=run_id, queue=queue)


async def poll_workflow_task(probe: Probe) -> PollWorkflowTaskQueueResponse:
    """Take the probe's next workflow task."""
    while True:
        task = await probe.client.workflow_service.poll_workflow_task_queue(
            PollWorkflowTaskQueueRequest(
                namespace=probe.tenant.namespace,
                identity=IDENTITY,
                task_queue=TaskQueue(name=probe.queue),
            ),
            timeout=timedelta(seconds=20),
        )
        if task.task_token:
            return task


async def answer_workflow_task(probe: Probe, task_token: bytes, commands: Sequence[Command]) -> Any:
    """Complete a workflow task with these commands."""
    return await probe.client.workflow_service.respond_workflow_task_completed(
        RespondWorkflowTaskCompletedRequest(
            namespace=probe.tenant.namespace,
            task_token=task_token,
            commands=commands,
            identity=IDENTITY,
        )
    )


async def scheduled_activity(probe: Probe, activity_id: str) -> bytes:
    """Schedule an activity, take it, and return its task token."""
    task = await poll_workflow_task(probe)
    command = Command(command_type=CommandType.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK)
    attributes = command.schedule_activity_task_command_attributes
    attributes.activity_id = activity_id
    attributes.activity_type.name = "probe"
    attributes.task_queue.name = probe.queue
    # a poll whose answer got lost loses the task with it: then it is handed out again
    attributes.start_to_close_timeout.FromTimedelta(timedelta(seconds=15))
    await answer_workflow_task(probe, task.task_token, [command])
    while True:
        taken = await probe.client.workflow_service.poll_activity_task_queue(
            PollActivityTaskQueueRequest(
                namespace=probe.tenant.namespace,
                identity=IDENTITY,
                task_queue=TaskQueue(name=probe.queue),
            ),
            timeout=timedelta(seconds=20),
        )
        if taken.task_token:
            return taken.task_token


async def request_cancel(probe: Probe) -> None:
    """Have the workflow ask its activity to cancel, which alone allows it to be canceled."""
    handle = probe.client.get_workflow_handle(probe.workflow_id, run_id=probe.run_id)
    scheduled = [
        event.event_id
        for event in (await handle.fetch_history()).events
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
    ]
    await handle.signal("wake")
    task = await poll_workflow_task(probe)
    command = Command(command_type=CommandType.COMMAND_TYPE_REQUEST_CANCEL_ACTIVITY_TASK)
    command.request_cancel_activity_task_command_attributes.scheduled_event_id = scheduled[-1]
    await answer_workflow_task(probe, task.task_token, [command])


async def history_types(probe: Probe) -> list[str]:
    """The types of the events that the probe's history has now, without their prefix."""
    handle = probe.client.get_workflow_handle(probe.workflow_id, run_id=probe.run_id)
    return [
        EventType.Name(event.event_type).removeprefix("EVENT_TYPE_")
        for event in (await handle.fetch_history()).events
    ]


async def end_probe(probe: Probe) -> None:
    """Terminate the probe's workflow."""
    await probe.client.workflow_service.terminate_workflow_execution(
        TerminateWorkflowExecutionRequest(
            namespace=probe.tenant.namespace,
            reason="probe done",
            workflow_execution=WorkflowExecution(
                workflow_id=probe.workflow_id, run_id=probe.run_id
            ),
        )
    )
