"""Changed code that the stock replayer passes: what a child is told."""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

from scenarios.reference.workflow import NOTHING, ReferenceSaga

with workflow.unsafe.imports_passed_through():
    from scenarios.reference.program import Child


@workflow.defn(name="ReferenceSaga")
class ChildChanged(ReferenceSaga):
    """Adds a note to the child's program."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    async def child(self, number: int, node: Child) -> None:
        await super().child(number, Child(program={**node.program, "note": "of a parent"}))
