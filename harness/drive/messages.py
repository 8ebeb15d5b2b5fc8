"""Signals and updates that a case sends to its saga."""

from __future__ import annotations

import asyncio
from typing import Any

from temporalio.client import WorkflowHandle

from harness.contract.canaries import with_canaries
from harness.drive.case_run import Run
from harness.drive.session import Drive
from harness.scenario import Annotate, Signal


async def send_signal(
    drive: Drive, run: Run, handle: WorkflowHandle[Any, Any], act: Signal
) -> None:
    """Send `deliver`, with canaries filled in."""
    told = with_canaries(act.id, drive.plan.trial_id, run.tenant.name)
    payload = {"name": act.name, "id": told}
    await drive.call("signal", handle.signal("deliver", payload), args=payload, **run.about)


async def send_update(
    drive: Drive, run: Run, handle: WorkflowHandle[Any, Any], act: Annotate
) -> None:
    """Send `annotate` and wait for its answer."""
    told = with_canaries(act.id, drive.plan.trial_id, run.tenant.name)
    payload = {"id": told, "text": act.text}
    await drive.call(
        "update",
        handle.execute_update("annotate", payload, id=told),
        args=payload,
        deadline_s=drive.plan.horizon_s,
        show=lambda answer: answer,
        **run.about,
    )


def send_while_down(drive: Drive, runs: list[Run]) -> list[asyncio.Task[None]]:
    """Begin to send what the scripts want sent while the worker is down."""
    sending = []
    for run in runs:
        handle = drive.clients[run.tenant.name].get_workflow_handle(run.workflow_id)
        for act in run.case.script:
            if isinstance(act, Signal) and act.when == "down":
                sending.append(asyncio.create_task(send_signal(drive, run, handle, act)))
            elif isinstance(act, Annotate) and act.when == "down":
                sending.append(asyncio.create_task(send_update(drive, run, handle, act)))
    return sending
