"""A steady arrival of sagas while faults happen; imported by the drive alone.

Sagas start at their planned times whatever happens to the earlier ones; how many are open is
gauged twice a second until all have ended or the horizon is reached.
"""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta

from harness.contract.program import WORKFLOW_TYPE, SagaProgram, Timer, step, to_json
from harness.drive.cases import shown_result
from harness.drive.plan import TenantPlan
from harness.drive.session import Drive
from harness.journal.records import Gauge, Program, now

GAUGE_EVERY_S = 0.5
RUN_TIMEOUT = timedelta(minutes=10)  # so that a stuck saga is found open


async def steady_load(drive: Drive) -> None:
    """Start the load, have the schedule injected beside it, wait for both and for the drain."""
    steady = drive.plan.steady
    assert steady is not None
    open_sagas: set[int] = set()
    await drive.supervisor.ask("inject")
    gauging = asyncio.create_task(_gauge(drive, open_sagas))
    count = int(steady.rate_per_s * steady.duration_s)
    began = asyncio.get_running_loop().time()
    await asyncio.gather(
        *(
            _saga(drive, number, began + number / steady.rate_per_s, open_sagas)
            for number in range(count)
        )
    )
    await drive.supervisor.ask("healed")
    await asyncio.sleep(GAUGE_EVERY_S)  # one more gauge, of the drained platform
    gauging.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await gauging


async def _saga(drive: Drive, number: int, due: float, open_sagas: set[int]) -> None:
    await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
    tenant = drive.tenants[number % len(drive.tenants)]
    open_sagas.add(number)
    try:
        await _start_and_wait(drive, number, tenant)
    finally:
        open_sagas.discard(number)


async def _start_and_wait(drive: Drive, number: int, tenant: TenantPlan) -> None:
    case = f"steady-{number}"
    workflow_id = drive.workflow_id("chaos", case)
    program = SagaProgram(
        tenant=tenant.name,
        saga_id=f"{drive.plan.trial_id}.chaos.{case}",
        nodes=[
            step(0, "steady"),
            step(1, "steady"),
            Timer(duration_ms=500),
            step(2, "steady"),
            step(3, "steady"),
        ],
    )
    queue = drive.queue(tenant, "calm")
    drive.writer.write(
        Program(
            **now(),
            suite="chaos",
            case=case,
            tenant=tenant.name,
            group="calm",
            workflow_id=workflow_id,
            saga_id=program.saga_id,
            task_queue=queue,
            feeds=["DUR-2"],
            program=to_json(program),
        )
    )
    started = await drive.call(
        "start",
        drive.clients[tenant.name].start_workflow(
            WORKFLOW_TYPE,
            to_json(program),
            id=workflow_id,
            task_queue=queue,
            execution_timeout=RUN_TIMEOUT,
        ),
        suite="chaos",
        case=case,
        tenant=tenant.name,
        workflow_id=workflow_id,
    )
    if isinstance(started, BaseException):
        return
    drive.track(tenant.name, workflow_id, started.first_execution_run_id or "")
    await drive.call(
        "result",
        started.result(),
        suite="chaos",
        case=case,
        tenant=tenant.name,
        workflow_id=workflow_id,
        run_id=started.first_execution_run_id or "",
        deadline_s=drive.plan.horizon_s,
        show=shown_result,
    )


async def _gauge(drive: Drive, open_sagas: set[int]) -> None:
    while True:
        drive.writer.write(Gauge(**now(), name="open_sagas", value=float(len(open_sagas))))
        drive.writer.flush()
        await asyncio.sleep(GAUGE_EVERY_S)
