"""Workflow code that throws dice, in a helper of another module."""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

from scenarios.mutants.workflows.dice import waits
from scenarios.reference.workflow import NOTHING, ReferenceSaga

with workflow.unsafe.imports_passed_through():
    from scenarios.reference.program import Step


@workflow.defn(name="ReferenceSaga")
class ByChance(ReferenceSaga):
    """Sometimes waits before a step."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    async def step(self, number: int, node: Step) -> None:
        if waits():
            await workflow.sleep(0.001)
        await super().step(number, node)
