"""Signals and updates whose calls are lost, refused, repeated or late on the way (DUR-9).

The drive's own calls go through the tap. The SDK tries a call again whose answer was lost; what it
says at last is what was acknowledged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from typing import Any, Final

import msgspec
from temporalio.client import Client, WorkflowHandle

from harness.contract.program import Wait, step
from harness.drive.case_run import Run
from harness.drive.cases import drive_case, run_of
from harness.drive.connect import one_client
from harness.drive.session import Drive
from harness.scenario import Case
from harness.tap.messages import Action, Rule
from scenarios.conformance.acts.defects import Defect

SUITE: Final = "restarts"
REACHED_WITHIN_S: Final = 5.0
ACTIONS: Final[tuple[Action | None, ...]] = (None, "lose-answer", "refuse", "twice", "delay")
SIGNAL: Final = "SignalWorkflowExecution"
UPDATE: Final = "UpdateWorkflowExecution"
CASE: Final = Case(
    name="told-on-bad-wires",
    feeds=("DUR-9",),
    # its activity comes last: one that ends amid messages is recorded later than it happened
    nodes=[Wait(signal="news"), Wait(signal="last"), step(2, "told.{tenant}")],
)


async def tell_on_bad_wires(drive: Drive) -> None:
    """One saga in each of the first two tenants, told everything in every way."""
    if drive.tap is None:
        return
    await asyncio.gather(*(_tell(drive, number) for number in (0, 1)))


async def _tell(drive: Drive, number: int) -> None:
    run = run_of(drive, SUITE, replace(CASE, name=f"{CASE.name}-{number}"), drive.tenants[number])
    ended = asyncio.create_task(drive_case(drive, run))
    if not await _open(drive, run, ended):
        return
    engine = msgspec.structs.replace(drive.plan.engine, address=drive.tapped_address)
    client: Client = await one_client(engine, run.tenant.namespace, REACHED_WITHIN_S)
    handle = client.get_workflow_handle(run.workflow_id)
    for position, action in enumerate(ACTIONS):
        await _signal(drive, run, handle, position, action)
        if "updates" not in drive.lacks:
            await _update(drive, run, handle, position, action)
    last = {"name": "last", "id": f"last-{run.tenant.name}"}
    await drive.call("signal", handle.signal("deliver", last), args=last, **run.about)
    await ended


async def _open(drive: Drive, run: Run, ended: asyncio.Task[None]) -> bool:
    """Wait until the saga is there to be told something; false if it was not started."""
    while not ended.done():
        if any(each.workflow_id == run.workflow_id for each in drive.tracked):
            return True
        await asyncio.sleep(0.02)
    return False


async def _signal(
    drive: Drive, run: Run, handle: WorkflowHandle[Any, Any], position: int, action: Action | None
) -> None:
    payload = {"name": "news", "id": f"news-{position}-{run.tenant.name}"}
    await _rule(drive, run, SIGNAL, position, action)
    sending: Awaitable[Any] = handle.signal("deliver", payload)
    if action == "lose-answer" and Defect.SENT_AGAIN in drive.plan.defects:
        sending = _again(sending, handle.signal("deliver", payload))
    elif action == "delay" and Defect.ACKNOWLEDGED_UNSENT in drive.plan.defects:
        sending = _unsent(sending)
    await drive.call("signal", sending, args=payload, **run.about)


async def _update(
    drive: Drive, run: Run, handle: WorkflowHandle[Any, Any], position: int, action: Action | None
) -> None:
    payload = {"id": f"note-{position}-{run.tenant.name}", "text": "read me"}
    await _rule(drive, run, UPDATE, position, action)
    await drive.call(
        "update",
        handle.execute_update("annotate", payload, id=payload["id"]),
        args=payload,
        show=lambda answer: answer,
        **run.about,
    )


async def _rule(drive: Drive, run: Run, method: str, position: int, action: Action | None) -> None:
    """What befalls the next call of this method for this saga."""
    if action is None or drive.tap is None:
        return
    rule = Rule(
        id=f"{SUITE}/{run.case.name}/{method}/{position}",
        method=method,
        action=action,
        keys=[run.tenant.namespace, run.workflow_id],
        delay_ms=200 if action == "delay" else 0,
    )
    await drive.tap.add([rule])


async def _again(first: Awaitable[Any], second: Awaitable[Any]) -> None:
    """A defect: whoever sends tries again by itself, with a request id of its own."""
    await first
    await second


async def _unsent(sending: Any) -> None:
    """A defect: it is acknowledged, and lost before it was sent."""
    sending.close()
