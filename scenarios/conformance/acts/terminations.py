"""Terminating sagas after each of their steps (DUR-6): what they leave behind is to be listed."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, Final

from temporalio.common import WorkflowIDReusePolicy

from harness.contract.program import WORKFLOW_TYPE, Timer, to_json
from harness.drive.case_run import Run
from harness.drive.cases import record_program, run_of
from harness.drive.session import Drive
from harness.scenario import Case, Terminate
from scenarios.conformance.acts.defects import Defect
from scenarios.conformance.shapes import steps

SUITE: Final = "durability"
POSITIONS: Final = 3
CASES: Final = tuple(
    Case(
        name=f"terminated-after-{position}",
        feeds=("DUR-6",),
        nodes=[*steps(position + 1, stock="left"), Timer(duration_ms=60_000)],
        script=(Terminate(after_step=position),),
    )
    for position in range(POSITIONS)
)


async def terminate_sagas(drive: Drive) -> None:
    """One for each position, over two tenants."""
    runs = [
        run_of(drive, SUITE, case, drive.tenants[number % 2]) for number, case in enumerate(CASES)
    ]
    await drive.doubles.register((run.tenant.name, run.program) for run in runs)
    await asyncio.gather(*(_terminated(drive, run, n) for n, run in enumerate(runs)))


async def _terminated(drive: Drive, run: Run, position: int) -> None:
    record_program(drive, run)
    if not await _started(drive, run):
        return
    handle = drive.clients[run.tenant.name].get_workflow_handle(run.workflow_id)
    await drive.doubles.await_effect(
        tenant=run.tenant.name,
        saga_id=run.program.saga_id,
        step=position,
        direction="forward",
        timeout_ms=int(drive.plan.horizon_s * 1000),
    )
    ends = handle.terminate("conformance")
    if Defect.TERMINATE_CANCELS in drive.plan.defects:
        ends.close()
        ends = handle.cancel()
    await drive.call("terminate", ends, **run.about)
    if Defect.TERMINATED_STARTED_AGAIN in drive.plan.defects:
        await _started(drive, run, start_delay=timedelta(seconds=1))


async def _started(drive: Drive, run: Run, **options: Any) -> bool:
    started = await drive.call(
        "start",
        drive.clients[run.tenant.name].start_workflow(
            WORKFLOW_TYPE,
            to_json(run.program),
            id=run.workflow_id,
            task_queue=drive.queue(run.tenant, run.group),
            execution_timeout=timedelta(seconds=drive.plan.horizon_s),
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            **options,
        ),
        **run.about,
    )
    if isinstance(started, BaseException):
        return False
    drive.track(run.tenant.name, run.workflow_id, started.first_execution_run_id or "")
    return True
