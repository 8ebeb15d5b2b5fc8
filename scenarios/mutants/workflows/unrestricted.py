"""Workflow code with a section that may do what it likes."""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

from scenarios.reference.workflow import NOTHING, ReferenceSaga

with workflow.unsafe.imports_passed_through():
    from scenarios.reference.program import Step


@workflow.defn(name="ReferenceSaga")
class Unrestricted(ReferenceSaga):
    """Does each step without restrictions."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    async def step(self, number: int, node: Step) -> None:
        with workflow.unsafe.sandbox_unrestricted():
            node = Step(**{name: getattr(node, name) for name in node.__slots__})
        await super().step(number, node)
