"""Workflow code that counts in its module."""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

from scenarios.reference.workflow import NOTHING, ReferenceSaga

with workflow.unsafe.imports_passed_through():
    from scenarios.reference.program import Step


COUNTED = {"steps": 0}


@workflow.defn(name="ReferenceSaga")
class ByCount(ReferenceSaga):
    """Waits before every other step of a process."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    async def step(self, number: int, node: Step) -> None:
        COUNTED["steps"] += 1
        if COUNTED["steps"] % 2:
            await workflow.sleep(0.001)
        await super().step(number, node)
