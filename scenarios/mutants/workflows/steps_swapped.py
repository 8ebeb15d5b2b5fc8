"""A deploy of changed code under the same version: steps have changed places."""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

from scenarios.reference.workflow import NOTHING, ReferenceSaga

with workflow.unsafe.imports_passed_through():
    from scenarios.reference.program import Step


@workflow.defn(name="ReferenceSaga")
class StepsSwapped(ReferenceSaga):
    """Of two neighbouring steps the second goes first."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    async def step(self, number: int, node: Step) -> None:
        nodes, other = self.program.nodes, number ^ 1
        neighbour = nodes[other] if other < len(nodes) else node
        if isinstance(neighbour, Step):
            await super().step(other, neighbour)
        else:
            await super().step(number, node)
