"""Workflow code that takes a hash for a number."""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

from scenarios.reference.workflow import NOTHING, ReferenceSaga

with workflow.unsafe.imports_passed_through():
    from scenarios.reference.program import Step


@workflow.defn(name="ReferenceSaga")
class ByHash(ReferenceSaga):
    """Waits before the steps whose resource has an odd hash."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    async def step(self, number: int, node: Step) -> None:
        if hash(node.resource) % 2:
            await workflow.sleep(0.001)
        await super().step(number, node)
