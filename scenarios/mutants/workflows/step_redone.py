"""A saga that does not trust what it carried over."""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

from scenarios.reference.workflow import NOTHING, ReferenceSaga

with workflow.unsafe.imports_passed_through():
    from scenarios.reference.program import Step


@workflow.defn(name="ReferenceSaga")
class StepRedone(ReferenceSaga):
    """Does its steps again after it continued as new."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    async def _execute(self) -> None:
        for number in list(self.results):
            node = self.program.nodes[number]
            assert isinstance(node, Step)
            await self.step(number, node)
        await super()._execute()
