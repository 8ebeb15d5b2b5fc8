"""Watching whether the engine is there while it is driven."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

from temporalio.api.workflowservice.v1 import GetSystemInfoRequest
from temporalio.service import RPCError

from harness.drive.session import Drive

GONE_AFTER_S: Final = 20.0
LOOK_EVERY_S: Final = 1.0
ANSWER_WITHIN: Final = timedelta(seconds=5)


async def engine_gone(drive: Drive) -> str:
    """Wait until the engine has not answered anything for long; says so in a sentence."""
    loop = asyncio.get_running_loop()
    client = drive.clients[drive.tenants[0].name]
    answered = loop.time()
    while True:
        try:
            await client.workflow_service.get_system_info(
                GetSystemInfoRequest(), timeout=ANSWER_WITHIN
            )
            answered = loop.time()
        except RPCError as error:
            if loop.time() - answered > GONE_AFTER_S:
                return (
                    f"the engine {drive.plan.engine.address} has not answered for "
                    f"{GONE_AFTER_S:g} s ({error.status.name}), so the run ends here"
                )
        await asyncio.sleep(LOOK_EVERY_S)
