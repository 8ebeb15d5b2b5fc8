"""Asking visibility for runs whose workflow tasks fail again and again."""

from __future__ import annotations

import asyncio
from typing import Any

from temporalio.client import Client

from harness.drive.session import Drive

QUERY = "TemporalReportedProblems IS NOT NULL"
MOST = 20


async def ask_for_problems(drive: Drive) -> None:
    """List, in each tenant, the runs that report problems."""
    await asyncio.gather(
        *(
            drive.call(
                "reported-problems",
                _list(drive.clients[tenant.name]),
                suite="determinism",
                tenant=tenant.name,
                args={"query": QUERY},
                show=lambda runs: {"runs": runs},
            )
            for tenant in drive.tenants
        )
    )


async def _list(client: Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    async for each in client.list_workflows(QUERY, limit=MOST):
        problems = each.search_attributes.get("TemporalReportedProblems", ())
        found.append(
            {
                "workflow_id": each.id,
                "run_id": each.run_id,
                "problems": [str(problem) for problem in problems],
            }
        )
    return found
