"""Workflow code that takes whichever task asyncio gives first."""

from __future__ import annotations

import asyncio
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

from scenarios.reference.workflow import NOTHING, ReferenceSaga

with workflow.unsafe.imports_passed_through():
    from scenarios.reference.program import Step


@workflow.defn(name="ReferenceSaga")
class ByFirstDone(ReferenceSaga):
    """Waits for two timers in no order."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    async def step(self, number: int, node: Step) -> None:
        timers = [asyncio.create_task(asyncio.sleep(0.001)) for _ in range(2)]
        for each in asyncio.as_completed(timers):
            await each
        await super().step(number, node)
