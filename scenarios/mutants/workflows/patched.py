"""Changed code as it should be: what is new is behind a patch."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

from scenarios.reference.workflow import NOTHING, ReferenceSaga

with workflow.unsafe.imports_passed_through():
    from scenarios.reference.program import Step


@workflow.defn(name="ReferenceSaga")
class Patched(ReferenceSaga):
    """New runs take a breath before each step; those that began before do not."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    async def step(self, number: int, node: Step) -> None:
        if workflow.patched("a-breath-before-steps"):
            await workflow.sleep(timedelta(milliseconds=1))
        await super().step(number, node)
