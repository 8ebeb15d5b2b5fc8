"""The same saga asked for again, each time in another way (INV-IDEM-5).

Reset to before its first step, retried as a workflow, started by cron, started by a schedule whose
runs may overlap, and delivered again under other workflow ids. (Continue-as-new is a case of the
suite.) Nothing here breaks anything.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import (
    Schedule,
    ScheduleActionExecutionStartWorkflow,
    ScheduleActionStartWorkflow,
    ScheduleHandle,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    WorkflowContinuedAsNewError,
    WorkflowHandle,
)
from temporalio.common import RetryPolicy

from harness.contract.program import WORKFLOW_TYPE, Node, SagaProgram, Timer, Wait, step, to_json
from harness.drive.cases import shown_result
from harness.drive.plan import TenantPlan
from harness.drive.session import Drive
from harness.groups import CALM
from harness.journal.read import decode_events
from harness.journal.records import Program, now

SUITE: Final = "idempotency"
RUN_TIMEOUT: Final = timedelta(seconds=10)  # its first task may wait behind hundreds of starts
FEEDS: Final = ("INV-IDEM-5",)


async def ask_again(drive: Drive) -> None:
    """All ways at once, each with a saga of its own."""
    first, second = drive.tenants[0], drive.tenants[1]
    await asyncio.gather(
        _reset(drive, first),
        _retried(drive, second),
        _cron(drive, first),
        _scheduled(drive, second),
        _again(drive, second),
    )


def _saga(
    drive: Drive, tenant: TenantPlan, name: str, nodes: Sequence[Node], *more: str
) -> SagaProgram:
    """A saga, recorded as driven."""
    saga_id = f"{drive.plan.trial_id}.{SUITE}.{name}"
    program = SagaProgram(tenant=tenant.name, saga_id=saga_id, nodes=list(nodes))
    drive.writer.write(
        Program(
            **now(),
            suite=SUITE,
            case=name,
            tenant=tenant.name,
            group=CALM,
            workflow_id=drive.workflow_id(SUITE, name),
            saga_id=saga_id,
            task_queue=drive.queue(tenant, CALM),
            feeds=[*FEEDS, *more],
            program=to_json(program),
        )
    )
    return program


async def _started(
    drive: Drive, tenant: TenantPlan, program: SagaProgram, name: str, **options: Any
) -> WorkflowHandle[Any, Any] | None:
    workflow_id = drive.workflow_id(SUITE, name)
    handle = await drive.call(
        "start",
        drive.clients[tenant.name].start_workflow(
            WORKFLOW_TYPE,
            to_json(program),
            id=workflow_id,
            task_queue=drive.queue(tenant, CALM),
            execution_timeout=timedelta(seconds=drive.plan.horizon_s),
            **options,
        ),
        suite=SUITE,
        case=name,
        tenant=tenant.name,
        workflow_id=workflow_id,
    )
    if isinstance(handle, BaseException):
        return None
    drive.track(tenant.name, workflow_id, handle.first_execution_run_id or "")
    return handle


async def _ended(drive: Drive, tenant: TenantPlan, handle: WorkflowHandle[Any, Any]) -> bool:
    result = await drive.call(
        "result",
        handle.result(),
        suite=SUITE,
        case="again",
        tenant=tenant.name,
        workflow_id=handle.id,
        run_id=handle.run_id or "",
        deadline_s=drive.plan.horizon_s,
        show=shown_result,
    )
    return not isinstance(result, BaseException)


async def _reset(drive: Drive, tenant: TenantPlan) -> None:
    name = "again-reset"
    nodes = [step(0, "reset.{tenant}"), step(1, "reset.{tenant}")]
    program = _saga(drive, tenant, name, nodes, "INV-IDEM-4")
    handle = await _started(drive, tenant, program, name)
    if handle is None or not await _ended(drive, tenant, handle):
        return
    client = drive.clients[tenant.name]
    events = decode_events((await handle.fetch_history()).to_json().encode())
    first_task = next(event.id for event in events if event.type == "WORKFLOW_TASK_COMPLETED")
    request = ResetWorkflowExecutionRequest(
        namespace=tenant.namespace,
        reason="conformance",
        workflow_task_finish_event_id=first_task,
        request_id=str(uuid.uuid4()),
    )
    request.workflow_execution.workflow_id = handle.id
    request.workflow_execution.run_id = handle.first_execution_run_id or ""
    made = await drive.call(
        "reset",
        client.workflow_service.reset_workflow_execution(request),
        suite=SUITE,
        case=name,
        tenant=tenant.name,
        workflow_id=handle.id,
    )
    if isinstance(made, BaseException):
        return
    drive.track(tenant.name, handle.id, made.run_id)
    await _ended(drive, tenant, client.get_workflow_handle(handle.id, run_id=made.run_id))


async def _retried(drive: Drive, tenant: TenantPlan) -> None:
    """A saga fails for good by contract, so what is retried is a run that takes too long."""
    name = "again-retried"
    program = _saga(drive, tenant, name, [step(2, "retried.{tenant}"), Wait(signal="never")])
    handle = await _started(
        drive,
        tenant,
        program,
        name,
        run_timeout=RUN_TIMEOUT,
        retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=100), maximum_attempts=2),
    )
    if handle is not None:
        await _ended(drive, tenant, handle)


async def _cron(drive: Drive, tenant: TenantPlan) -> None:
    name = "again-cron"
    program = _saga(drive, tenant, name, [step(3, "cron.{tenant}")])
    handle = await _started(drive, tenant, program, name, cron_schedule="@every 1s")
    if handle is None:
        return
    client = drive.clients[tenant.name]
    run_id = handle.first_execution_run_id or ""
    for _ in range(2):
        following = await drive.call(
            "result",
            client.get_workflow_handle(handle.id, run_id=run_id).result(follow_runs=False),
            suite=SUITE,
            case=name,
            tenant=tenant.name,
            workflow_id=handle.id,
            run_id=run_id,
            deadline_s=drive.plan.horizon_s,
        )
        if not isinstance(following, WorkflowContinuedAsNewError):
            break
        run_id = following.new_execution_run_id
    await drive.call(
        "terminate",
        client.get_workflow_handle(handle.id).terminate("conformance"),
        suite=SUITE,
        case=name,
        tenant=tenant.name,
        workflow_id=handle.id,
    )


async def _scheduled(drive: Drive, tenant: TenantPlan) -> None:
    """A schedule triggered twice: its second run starts while the first may still go on."""
    name = "again-scheduled"
    program = _saga(drive, tenant, name, [step(1, "scheduled.{tenant}"), Timer(duration_ms=2000)])
    schedule = Schedule(
        action=ScheduleActionStartWorkflow(
            WORKFLOW_TYPE,
            to_json(program),
            id=drive.workflow_id(SUITE, name),
            task_queue=drive.queue(tenant, CALM),
            execution_timeout=timedelta(seconds=drive.plan.horizon_s),
        ),
        spec=ScheduleSpec(),  # no times of its own: it runs when it is triggered
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.ALLOW_ALL),
    )
    about: dict[str, Any] = {"suite": SUITE, "case": name, "tenant": tenant.name}
    made = await drive.call(
        "schedule",
        drive.clients[tenant.name].create_schedule(drive.workflow_id(SUITE, name), schedule),
        **about,
    )
    if isinstance(made, BaseException):
        return
    for count in (1, 2):
        # a run's workflow id ends with the second of its start
        await drive.call("trigger", _trigger(drive, tenant, made, count), **about)
    await drive.call("delete-schedule", made.delete(), **about)
    client = drive.clients[tenant.name]
    await asyncio.gather(
        *(
            _ended(drive, tenant, client.get_workflow_handle(each.workflow_id))
            for each in drive.tracked
            if each.tenant == tenant.name and f"/{name}-" in each.workflow_id
        )
    )


async def _trigger(drive: Drive, tenant: TenantPlan, schedule: ScheduleHandle, count: int) -> None:
    """Trigger it until so many runs are known, each of which is tracked."""
    while True:
        actions = [
            each.action
            for each in (await schedule.describe()).info.recent_actions
            if isinstance(each.action, ScheduleActionExecutionStartWorkflow)
        ]
        for each in actions:
            drive.track(tenant.name, each.workflow_id, each.first_execution_run_id)
        if len(actions) >= count:
            return
        await schedule.trigger()
        await asyncio.sleep(1.1)


async def _again(drive: Drive, tenant: TenantPlan) -> None:
    """Once, and then twice at once under other workflow ids."""
    name = "again-delivered"
    program = _saga(drive, tenant, name, [step(0, "again.{tenant}"), step(3, "again.{tenant}")])
    first = await _started(drive, tenant, program, name)
    if first is None or not await _ended(drive, tenant, first):
        return
    more = await asyncio.gather(*(_started(drive, tenant, program, f"{name}-{n}") for n in (1, 2)))
    await asyncio.gather(*(_ended(drive, tenant, each) for each in more if each is not None))
