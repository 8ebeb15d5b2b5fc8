"""Queries of sagas: twins in two tenants, and closed runs whose worker was started again."""

from __future__ import annotations

import asyncio
from typing import Any

from harness.drive.session import Drive, Tracked
from harness.journal.records import Ending, Replay, now

AT_ONCE = 8
NEVER_BEGUN = "closed before WorkflowTaskStarted"  # of a run that ended while its worker was away
_REPLAYED = ("/determinism/", "/idempotency/crash", "/audit/replayed")


async def query_twins(drive: Drive) -> None:
    """Ask every saga of the isolation suite for its state, from each tenant."""
    await _query(
        drive, [each for each in drive.tracked if "/isolation/twin" in each.workflow_id], "state"
    )


async def query_closed_runs(drive: Drive) -> None:
    """Ask every saga of the restarted worker for its state: it must replay the whole history."""
    runs = [each for each in drive.tracked if any(name in each.workflow_id for name in _REPLAYED)]
    for run, answer in await _query(drive, runs, "closed-state"):
        failed = isinstance(answer, BaseException)
        if failed and NEVER_BEGUN in str(answer):
            continue  # there is nothing to replay
        drive.writer.write(
            Replay(
                **now(),
                mode="query",
                tenant=run.tenant,
                workflow_id=run.workflow_id,
                run_id=run.run_id,
                ending=Ending.FAIL if failed else Ending.OK,
                message=str(answer)[:300] if failed else "",
            )
        )


async def _query(drive: Drive, runs: list[Tracked], name: str) -> list[tuple[Tracked, Any]]:
    gate = asyncio.Semaphore(AT_ONCE)

    async def ask(run: Tracked) -> tuple[Tracked, Any]:
        handle = drive.clients[run.tenant].get_workflow_handle(run.workflow_id)
        async with gate:
            return run, await drive.call(
                name,
                handle.query("state"),
                suite="isolation",
                tenant=run.tenant,
                workflow_id=run.workflow_id,
                run_id=run.run_id,
                deadline_s=15,
                show=lambda state: state,
            )

    ordered = sorted(runs, key=lambda each: (each.workflow_id, each.tenant))
    return await asyncio.gather(*(ask(run) for run in ordered))
