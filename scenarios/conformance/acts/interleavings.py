"""Tenants that do things to workflows of the same ids in a generated order (INV-ISO-8).

The moves on one id are made one after the other, those on different ids at the same time. Each is
an operation `interleaved`: what was done (`args.op`), and the word that only this tenant's call
carried (`args.token`).
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from temporalio.client import WorkflowFailureError, WorkflowHandle

from harness.contract.canaries import canary
from harness.contract.program import WORKFLOW_TYPE, SagaProgram, Wait, to_json
from harness.drive.session import Drive
from scenarios.conformance.interleaving import IDS, Move, interleaved

ENDS_WITHIN_S = 30.0


async def interleave(drive: Drive) -> None:
    """All moves of the trial's seed."""
    moves = interleaved(drive.plan.seed, len(drive.tenants), frozenset(drive.lacks))
    await asyncio.gather(
        *(_chain(drive, [move for move in moves if move.workflow == n]) for n in range(IDS))
    )


async def _chain(drive: Drive, moves: list[Move]) -> None:
    for move in moves:
        await _make(drive, move)
    for number in range(len(drive.tenants)):  # what is still open is ended
        await _make(
            drive, Move(number=-1, workflow=moves[0].workflow, tenant=number, kind="terminate")
        )


async def _make(drive: Drive, move: Move) -> None:
    tenant = drive.tenants[move.tenant]
    workflow_id = drive.workflow_id("isolation", f"interleaved-{move.workflow}")
    handle = drive.clients[tenant.name].get_workflow_handle(workflow_id)
    token = f"{move.number}-{canary(drive.plan.trial_id, tenant.name, 'signal-id')}"
    made = await drive.call(
        "interleaved",
        _MOVES[move.kind](drive, move, handle, token),
        suite="isolation",
        case=f"interleaved-{move.workflow}",
        tenant=tenant.name,
        workflow_id=workflow_id,
        args={"op": move.kind, "token": token},
        show=_shown,
    )
    if isinstance(made, WorkflowHandle):
        drive.track(tenant.name, workflow_id, made.first_execution_run_id or "")


def _shown(made: Any) -> Any:
    return made if isinstance(made, dict) else None


async def _start(drive: Drive, move: Move, handle: WorkflowHandle[Any, Any], _: str) -> Any:
    tenant = drive.tenants[move.tenant]
    saga_id = f"{drive.plan.trial_id}.isolation.interleaved-{move.workflow}"
    program = SagaProgram(tenant=tenant.name, saga_id=saga_id, nodes=[Wait(signal="never")])
    return await drive.clients[tenant.name].start_workflow(
        WORKFLOW_TYPE,
        to_json(program),
        id=handle.id,
        task_queue=drive.queue(tenant, "calm"),
        execution_timeout=timedelta(minutes=5),
    )


async def _signal(_: Drive, __: Move, handle: WorkflowHandle[Any, Any], token: str) -> None:
    await handle.signal("deliver", {"name": "go", "id": token})


async def _query(_: Drive, __: Move, handle: WorkflowHandle[Any, Any], ___: str) -> Any:
    return await handle.query("state")


async def _update(_: Drive, __: Move, handle: WorkflowHandle[Any, Any], token: str) -> Any:
    return await handle.execute_update("annotate", {"id": token, "text": "noted"})


async def _cancel(_: Drive, __: Move, handle: WorkflowHandle[Any, Any], ___: str) -> None:
    """Requests it, and waits for the end."""
    await handle.cancel()
    try:
        await asyncio.wait_for(handle.result(), ENDS_WITHIN_S)
    except WorkflowFailureError:
        return


async def _terminate(_: Drive, __: Move, handle: WorkflowHandle[Any, Any], ___: str) -> None:
    await handle.terminate("interleaved")


_MOVES: dict[str, Any] = {
    "start": _start,
    "signal": _signal,
    "query": _query,
    "update": _update,
    "cancel": _cancel,
    "terminate": _terminate,
}
