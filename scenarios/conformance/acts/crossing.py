"""Commands of one tenant's workflow that name another tenant's namespace (INV-ISO-7)."""

from __future__ import annotations

import asyncio
from typing import Any

from temporalio.api.command.v1 import Command
from temporalio.api.enums.v1 import CommandType, EventType
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest

from harness.drive.plan import TenantPlan
from harness.drive.session import Drive
from scenarios.conformance.acts.raw import (
    PROBE_TYPE,
    Probe,
    answer_workflow_task,
    end_probe,
    poll_workflow_task,
    start_probe,
)

KINDS = ("start-child", "signal", "request-cancel")
EFFECTS = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED,
}


async def command_across(drive: Drive) -> None:
    """Each kind of command, from each of the first two tenants into the other."""
    first, second = drive.tenants[0], drive.tenants[1]
    await asyncio.gather(
        *(
            _one(drive, sender, victim, kind)
            for sender, victim in ((first, second), (second, first))
            for kind in KINDS
        )
    )


async def _one(drive: Drive, sender: TenantPlan, victim: TenantPlan, kind: str) -> None:
    name = f"crossing-{sender.name}-{kind}"
    aimed_at = await start_probe(drive, victim, f"{name}-victim")
    for across in (True, False):  # the control: the same command within its own namespace
        target = aimed_at if across else await start_probe(drive, sender, f"{name}-own")
        probe = await start_probe(drive, sender, f"{name}-{'across' if across else 'within'}")
        await _command(drive, probe, target, kind, across)
        await end_probe(probe)
        await end_probe(target)


async def _command(drive: Drive, probe: Probe, target: Probe, kind: str, across: bool) -> None:
    child_id = f"{probe.workflow_id}-child"
    args = {"kind": kind, "across": across, "from": probe.tenant.name, "to": target.tenant.name}
    about: dict[str, Any] = {
        "suite": "isolation",
        "tenant": probe.tenant.name,
        "workflow_id": probe.workflow_id,
        "run_id": probe.run_id,
    }
    task = await poll_workflow_task(probe)
    command = _COMMANDS[kind](target, child_id)
    await drive.call(
        "cross-namespace-command",
        answer_workflow_task(probe, task.task_token, [command]),
        args=args,
        **about,
    )
    seen = await drive.call(
        "cross-namespace-effect",
        _effect(target, kind, child_id, expected=not across),
        args=args,
        show=lambda seen: {"effect": seen},
        **about,
    )
    if kind == "start-child" and seen is True:
        drive.track(target.tenant.name, child_id)  # its parent may end before it knows the child


async def _effect(target: Probe, kind: str, child_id: str, *, expected: bool) -> bool:
    """Whether the command had its effect in the target's namespace, within a while."""
    for _ in range(40 if expected else 8):
        if await _seen(target, kind, child_id):
            return True
        await asyncio.sleep(0.05)
    return False


async def _seen(target: Probe, kind: str, child_id: str) -> bool:
    if kind == "start-child":
        request = DescribeWorkflowExecutionRequest(namespace=target.tenant.namespace)
        request.execution.workflow_id = child_id
        try:
            await target.client.workflow_service.describe_workflow_execution(request)
        except Exception:  # noqa: BLE001 - not there, or not to be seen: no effect
            return False
        return True
    handle = target.client.get_workflow_handle(target.workflow_id, run_id=target.run_id)
    events = (await handle.fetch_history()).events
    return any(event.event_type in EFFECTS for event in events)


def _start_child(target: Probe, child_id: str) -> Command:
    command = Command(command_type=CommandType.COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION)
    attributes = command.start_child_workflow_execution_command_attributes
    attributes.namespace = target.tenant.namespace
    attributes.workflow_id = child_id
    attributes.workflow_type.name = PROBE_TYPE
    attributes.task_queue.name = target.queue
    return command


def _signal(target: Probe, _: str) -> Command:
    command = Command(command_type=CommandType.COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION)
    attributes = command.signal_external_workflow_execution_command_attributes
    attributes.namespace = target.tenant.namespace
    attributes.execution.workflow_id = target.workflow_id
    attributes.signal_name = "crossing"
    return command


def _request_cancel(target: Probe, _: str) -> Command:
    command = Command(
        command_type=CommandType.COMMAND_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION
    )
    attributes = command.request_cancel_external_workflow_execution_command_attributes
    attributes.namespace = target.tenant.namespace
    attributes.workflow_id = target.workflow_id
    return command


_COMMANDS = {"start-child": _start_child, "signal": _signal, "request-cancel": _request_cancel}
