"""Workflow code that walks through a set."""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

from scenarios.reference.workflow import NOTHING, ReferenceSaga

with workflow.unsafe.imports_passed_through():
    from scenarios.reference.program import Step


@workflow.defn(name="ReferenceSaga")
class BySetOrder(ReferenceSaga):
    """Says goodbye to a step's words in the order of a set."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    async def step(self, number: int, node: Step) -> None:
        for word in {node.service, node.operation, node.resource}:
            if len(word) % 2:
                await workflow.sleep(0.001 * len(word))
        await super().step(number, node)
