"""Sagas that sleep for months, on a server whose clock jumps to the next timer (DUR-4).

That server and its worker run beside the rest. Its histories are kept in a folder of their own and
recorded as operations: they are no evidence on the engine under test, nobody exports events from
them, and they lack what an engine writes for a replay.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any, Final

from temporalio.api.testservice.v1 import LockTimeSkippingRequest, UnlockTimeSkippingRequest
from temporalio.client import Client, WorkflowHandle

from harness.contract.program import WORKFLOW_TYPE, Timer, to_json
from harness.drive.case_run import Run
from harness.drive.cases import record_program, run_of
from harness.drive.session import Drive
from harness.errors import DriveError
from harness.groups import SLEEPING
from harness.scenario import Case
from scenarios.conformance.shapes import steps

SUITE: Final = "restarts"
DAY_MS: Final = 86_400_000
# the longest is started first, and due last
DAYS: Final = (366, 200, 31, 7)
CASES: Final = (
    *(
        Case(
            name=f"sleeps-{days}-days",
            feeds=("DUR-4",),
            group=SLEEPING,
            nodes=[*steps(1), Timer(duration_ms=days * DAY_MS), *steps(1, first=1)],
        )
        for days in DAYS
    ),
    Case(
        name="sleeps-twice",
        feeds=("DUR-4",),
        group=SLEEPING,
        nodes=[
            node
            for days in (90, 30)
            for node in (*steps(1), Timer(duration_ms=days * DAY_MS), *steps(1, first=2))
        ],
    ),
)


async def sleep_for_months(drive: Drive) -> None:
    """Start all while time stands still, then let it jump until each has ended."""
    told = await drive.call(
        "time-skipping", drive.supervisor.ask("start-sleeping", group=SLEEPING), show=lambda _: {}
    )
    if isinstance(told, DriveError):
        return
    assert isinstance(told, dict)
    tenant = drive.tenants[0]
    client = await Client.connect(told["address"], namespace=tenant.namespace)
    await client.test_service.lock_time_skipping(LockTimeSkippingRequest())
    runs = [run_of(drive, SUITE, case, tenant) for case in CASES]
    handles = [await _started(drive, client, run) for run in runs]
    await asyncio.gather(
        *(
            drive.doubles.await_effect(
                tenant=tenant.name, saga_id=run.program.saga_id, step=0, direction="forward",
                timeout_ms=int(drive.plan.horizon_s * 1000),
            )
            for run in runs
        )
    )  # fmt: skip
    await client.test_service.unlock_time_skipping(UnlockTimeSkippingRequest())
    await asyncio.gather(
        *(_slept(drive, run, handle) for run, handle in zip(runs, handles, strict=True))
    )


async def _started(drive: Drive, client: Client, run: Run) -> WorkflowHandle[Any, Any]:
    record_program(drive, run)
    return await client.start_workflow(
        WORKFLOW_TYPE,
        to_json(run.program),
        id=run.workflow_id,
        task_queue=drive.queue(run.tenant, SLEEPING),
    )


async def _slept(drive: Drive, run: Run, handle: WorkflowHandle[Any, Any]) -> None:
    """Wait for the end, and keep the history."""
    try:
        async with asyncio.timeout(drive.plan.horizon_s):
            await handle.result()
    except Exception:  # noqa: BLE001 - its history says how it ended
        pass
    await drive.call("slept", _kept(drive, run, handle), show=lambda kept: kept, **run.about)


async def _kept(drive: Drive, run: Run, handle: WorkflowHandle[Any, Any]) -> dict[str, str]:
    """Write the history below the trial's folder; its path and digest."""
    raw = (await handle.fetch_history()).to_json().encode()
    path = f"skipped/{run.case.name}.json"
    (drive.trial / path).parent.mkdir(exist_ok=True)
    (drive.trial / path).write_bytes(raw)
    return {"path": path, "sha256": hashlib.sha256(raw).hexdigest()}
