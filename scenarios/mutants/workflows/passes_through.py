"""Workflow code that lets a module through that nobody has reviewed."""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

from scenarios.reference.workflow import NOTHING, ReferenceSaga

with workflow.unsafe.imports_passed_through():
    from scenarios.reference.program import Step
    from scenarios.reference.settings import CONNECT_EVERY_S


@workflow.defn(name="ReferenceSaga")
class PassesThrough(ReferenceSaga):
    """Uses a module of another part of the platform."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    async def step(self, number: int, node: Step) -> None:
        assert CONNECT_EVERY_S
        await super().step(number, node)
