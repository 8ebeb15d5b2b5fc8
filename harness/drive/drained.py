"""`python -m harness.drive.drained`: waits until the tenants have no open workflow any more.

Reads an `Ask` from the file named as its argument; its last line is `open: N`, how many there were
when it ended, by the engine's own count, which lags a little. Without such a line nobody knows.
"""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Final

import msgspec
from temporalio.api.workflowservice.v1 import CountWorkflowExecutionsRequest
from temporalio.service import RPCError

from harness.drive.connect import one_client
from harness.drive.plan import EnginePlan, TenantPlan
from harness.errors import HarnessError

OPEN: Final = "open: "
CALL_WITHIN: Final = timedelta(seconds=5)
ASKS_EVERY_S: Final = 0.5
_RUNNING: Final = "ExecutionStatus = 'Running'"


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """Whose workflows are waited for, and how long."""

    engine: EnginePlan
    tenants: list[TenantPlan]
    within_s: float


def main() -> None:
    ask = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Ask)
    try:
        print(f"{OPEN}{asyncio.run(_drained(ask))}")
    except (HarnessError, RPCError, TimeoutError, OSError) as error:
        print(f"drained: {error!r}")
    sys.stdout.flush()
    os._exit(0)  # the SDK may crash at the interpreter's exit


async def _drained(ask: Ask) -> int:
    """How many are open at last; twice none in a row are none, as the count lags."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + ask.within_s
    client = await one_client(ask.engine, ask.tenants[0].namespace, within_s=5.0)
    names = sorted({tenant.namespace for tenant in ask.tenants})
    none = 0
    while True:
        answers = [
            await client.workflow_service.count_workflow_executions(
                CountWorkflowExecutionsRequest(namespace=name, query=_RUNNING),
                retry=True,
                timeout=CALL_WITHIN,
            )
            for name in names
        ]
        count = sum(answer.count for answer in answers)
        none = 0 if count else none + 1
        if none == 2 or loop.time() > deadline:
            return count
        await asyncio.sleep(ASKS_EVERY_S)


if __name__ == "__main__":
    main()
