"""Material changes and ends of runs that a script of a case cannot bring about."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, Final

from google.protobuf.field_mask_pb2 import FieldMask
from temporalio.api.command.v1 import Command
from temporalio.api.common.v1 import Payload, Priority, WorkflowExecution
from temporalio.api.enums.v1 import CommandType
from temporalio.api.workflow.v1 import WorkflowExecutionOptions
from temporalio.api.workflowservice.v1 import (
    PauseWorkflowExecutionRequest,
    ResetWorkflowExecutionRequest,
    UnpauseWorkflowExecutionRequest,
    UpdateWorkflowExecutionOptionsRequest,
)
from temporalio.client import WorkflowHandle

from harness.contract.program import WORKFLOW_TYPE, Node, SagaProgram, Timer, Wait, to_json
from harness.drive.plan import TenantPlan
from harness.drive.session import Drive
from harness.groups import CALM
from scenarios.conformance.acts.raw import (
    answer_workflow_task,
    end_probe,
    poll_workflow_task,
    start_probe,
)

FIRST_TASK_DONE: Final = 4  # started, task scheduled, task started, task completed
IDENTITY: Final = "harness-operator"
KILL_AFTER_S: Final = 20.0
REPORTED_MS: Final = 20_000
Handle = WorkflowHandle[Any, Any]


async def change_runs(drive: Drive) -> None:
    """Time out, update, reset, pause, re-prioritise runs, and change search attributes."""
    tenant = drive.tenants[0]
    await asyncio.gather(
        _time_out(drive, tenant),
        _change(drive, tenant),
        _reset(drive, tenant),
        _search_attributes(drive, tenant),
    )


async def _start(drive: Drive, tenant: TenantPlan, name: str, nodes: list[Node], **how: Any) -> Any:
    workflow_id = drive.workflow_id("audit", name)
    program = SagaProgram(
        tenant=tenant.name, saga_id=f"{drive.plan.trial_id}.audit.{name}", nodes=nodes
    )
    started = await drive.call(
        "start",
        drive.clients[tenant.name].start_workflow(
            WORKFLOW_TYPE,
            to_json(program),
            id=workflow_id,
            task_queue=drive.queue(tenant, CALM),
            **how,
        ),
        suite="audit",
        case=name,
        tenant=tenant.name,
        workflow_id=workflow_id,
    )
    if isinstance(started, BaseException):
        raise started
    drive.track(tenant.name, workflow_id, started.first_execution_run_id or "")
    return started


async def _time_out(drive: Drive, tenant: TenantPlan) -> None:
    handle = await _start(
        drive, tenant, "timed-out", [Timer(duration_ms=60_000)], run_timeout=timedelta(seconds=1)
    )
    await _ended(drive, tenant, handle)


async def _change(drive: Drive, tenant: TenantPlan) -> None:
    """One run that is re-prioritised, paused and resumed, updated, and then goes on to its end."""
    handle = await _start(drive, tenant, "changed", [Wait(signal="go")], run_timeout=_FOR)
    await handle.query("state")  # so no workflow task of its own is waiting
    about = {"tenant": tenant.name, "workflow_id": handle.id}
    service = drive.clients[tenant.name].workflow_service
    execution = WorkflowExecution(workflow_id=handle.id, run_id=handle.first_execution_run_id)
    options = UpdateWorkflowExecutionOptionsRequest(
        namespace=tenant.namespace,
        workflow_execution=execution,
        workflow_execution_options=WorkflowExecutionOptions(priority=Priority(priority_key=2)),
        update_mask=FieldMask(paths=["priority"]),
        identity=IDENTITY,
    )
    await drive.call("options", service.update_workflow_execution_options(options), **about)
    paused = {
        "namespace": tenant.namespace,
        "workflow_id": handle.id,
        "run_id": handle.first_execution_run_id,
        "identity": IDENTITY,
        "reason": "conformance",
    }
    pause = PauseWorkflowExecutionRequest(**paused, request_id="pause")
    await drive.call("pause", service.pause_workflow_execution(pause), **about)
    unpause = UnpauseWorkflowExecutionRequest(**paused, request_id="unpause")
    await drive.call("unpause", service.unpause_workflow_execution(unpause), **about)
    if "updates" not in drive.lacks:
        note = {"id": "note-1", "text": "seen"}
        await drive.call("update", handle.execute_update("annotate", note), **about)
    await handle.signal("deliver", {"name": "go", "id": "go-1"})
    await _ended(drive, tenant, handle)


_FOR: Final = timedelta(seconds=60)


async def _reset(drive: Drive, tenant: TenantPlan) -> None:
    """A waiting run is reset to the end of its first workflow task; the new one goes on."""
    handle = await _start(drive, tenant, "reset", [Wait(signal="go")], run_timeout=_FOR)
    client = drive.clients[tenant.name]
    await handle.query("state")  # so its first workflow task is done
    request = ResetWorkflowExecutionRequest(
        namespace=tenant.namespace,
        workflow_execution=WorkflowExecution(
            workflow_id=handle.id, run_id=handle.first_execution_run_id
        ),
        reason="conformance",
        workflow_task_finish_event_id=FIRST_TASK_DONE,
        request_id="reset",
        identity=IDENTITY,
    )
    answer = await drive.call(
        "reset",
        client.workflow_service.reset_workflow_execution(request),
        tenant=tenant.name,
        workflow_id=handle.id,
    )
    if isinstance(answer, BaseException):
        return
    drive.track(tenant.name, handle.id, answer.run_id)
    following = client.get_workflow_handle(handle.id, run_id=answer.run_id)
    await following.signal("deliver", {"name": "go", "id": "go-1"})
    await _ended(drive, tenant, following)


async def _search_attributes(drive: Drive, tenant: TenantPlan) -> None:
    probe = await start_probe(drive, tenant, "search-attributes")
    task = await poll_workflow_task(probe)
    command = Command(command_type=CommandType.COMMAND_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES)
    fields = command.upsert_workflow_search_attributes_command_attributes.search_attributes
    # one that every namespace has
    fields.indexed_fields["TemporalChangeVersion"].CopyFrom(
        Payload(metadata={"encoding": b"json/plain", "type": b"KeywordList"}, data=b'["changed"]')
    )
    await drive.call(
        "search-attributes",
        answer_workflow_task(probe, task.task_token, [command]),
        tenant=tenant.name,
        workflow_id=probe.workflow_id,
        run_id=probe.run_id,
    )
    await end_probe(probe)


async def _ended(drive: Drive, tenant: TenantPlan, handle: Handle) -> None:
    await drive.call(
        "result", handle.result(), tenant=tenant.name, workflow_id=handle.id, deadline_s=60
    )


async def await_reports(drive: Drive) -> None:
    """Wait until the runs that will be replayed are in the audit trail."""
    runs = [each.run_id for each in drive.tracked if "/audit/replayed" in each.workflow_id]
    await drive.doubles.await_audit([(run_id, 1) for run_id in runs], timeout_ms=REPORTED_MS)


async def kill_exporter(drive: Drive) -> None:
    """Kill the exporter while runs are open and start it again: what it knew must last."""
    tenant = drive.tenants[0]
    handle = await _start(
        drive, tenant, "exporter-killed", [Wait(signal="go"), Wait(signal="on")], run_timeout=_FOR
    )
    run_id = handle.first_execution_run_id or ""
    await drive.doubles.await_audit([(run_id, 1)], timeout_ms=int(KILL_AFTER_S * 1000))
    await drive.order("kill-exporter", "")
    await handle.signal("deliver", {"name": "go", "id": "go-1"})
    await drive.order("restart-exporter", "")
    await handle.signal("deliver", {"name": "on", "id": "on-1"})
    await _ended(drive, tenant, handle)
