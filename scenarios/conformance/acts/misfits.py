"""Starting sagas with arguments that do not fit the contract, and with neighbours that do (MIT-4).

A misfit is started with a retry policy: a worker that refuses it for good leaves it unused.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, Final

from temporalio.api.common.v1 import Payload
from temporalio.client import WorkflowHandle
from temporalio.common import RawValue, RetryPolicy

from harness.contract.program import WORKFLOW_TYPE
from harness.drive.cases import shown_result
from harness.drive.plan import TenantPlan
from harness.drive.session import Drive
from harness.groups import CALM
from harness.journal.records import Program, now
from scenarios.conformance.misfits import draw, neighbours

SUITE: Final = "validation"
FEEDS: Final = ("MIT-4",)
AT_ONCE: Final = 8
RETRIED: Final = RetryPolicy(initial_interval=timedelta(milliseconds=100), maximum_attempts=3)
_BROKEN: Final = RawValue(Payload(metadata={"encoding": b"json/plain"}, data=b'{"contract": '))
_BINARY: Final = RawValue(Payload(metadata={"encoding": b"binary/plain"}, data=b"\x00\x01"))
# arguments that no JSON value can stand for
_RAW: Final[dict[str, list[Any]]] = {"none": [], "half-json": [_BROKEN], "binary": [_BINARY]}


async def start_misfits(drive: Drive) -> None:
    """All of them, over two tenants, a few at a time."""
    gate = asyncio.Semaphore(AT_ONCE)
    tenant = drive.tenants[0]
    saga_id = f"{drive.plan.trial_id}.{SUITE}"
    misfits = [(each.kind, [each.argument]) for each in draw(drive.plan.seed, tenant.name, saga_id)]
    await asyncio.gather(
        *(_misfit(drive, tenant, kind, args, gate) for kind, args in (*misfits, *_RAW.items())),
        *(
            _neighbour(drive, drive.tenants[1], name, argument, gate)
            for name, argument in neighbours(drive.tenants[1].name, saga_id).items()
        ),
    )


async def _misfit(
    drive: Drive, tenant: TenantPlan, kind: str, args: list[Any], gate: asyncio.Semaphore
) -> None:
    name = f"misfit-{kind}"
    shown = {"kind": kind, "argument": repr(args)[:400]}
    async with gate:
        handle = await _started(drive, tenant, "misfit", name, args, shown)
        if handle is None:  # refused at the door
            return
        await _result(drive, tenant, name, handle)


async def _neighbour(
    drive: Drive, tenant: TenantPlan, name: str, argument: dict[str, Any], gate: asyncio.Semaphore
) -> None:
    case = f"fits-{name}"
    drive.writer.write(
        Program(
            **now(), suite=SUITE, case=case, tenant=tenant.name, group=CALM,
            workflow_id=drive.workflow_id(SUITE, case), saga_id=argument["saga_id"],
            task_queue=drive.queue(tenant, CALM), feeds=list(FEEDS), program=argument,
        )
    )  # fmt: skip
    async with gate:
        handle = await _started(drive, tenant, "start", case, [argument], {})
        if handle is not None:
            await _result(drive, tenant, case, handle)


async def _started(
    drive: Drive, tenant: TenantPlan, what: str, case: str, args: list[Any], shown: dict[str, Any]
) -> WorkflowHandle[Any, Any] | None:
    workflow_id = drive.workflow_id(SUITE, case)
    handle = await drive.call(
        what,
        drive.clients[tenant.name].start_workflow(
            WORKFLOW_TYPE,
            args=args,
            id=workflow_id,
            task_queue=drive.queue(tenant, CALM),
            execution_timeout=timedelta(seconds=drive.plan.horizon_s),
            retry_policy=RETRIED,
        ),
        suite=SUITE,
        case=case,
        tenant=tenant.name,
        workflow_id=workflow_id,
        args=shown,
    )
    if isinstance(handle, BaseException):
        return None
    drive.track(tenant.name, workflow_id, handle.first_execution_run_id or "")
    return handle


async def _result(
    drive: Drive, tenant: TenantPlan, case: str, handle: WorkflowHandle[Any, Any]
) -> Any:
    return await drive.call(
        "result",
        handle.result(),
        suite=SUITE,
        case=case,
        tenant=tenant.name,
        workflow_id=handle.id,
        run_id=handle.first_execution_run_id or "",
        deadline_s=drive.plan.horizon_s + 5,  # it times out by itself
        show=shown_result,
    )
