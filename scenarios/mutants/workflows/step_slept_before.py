"""A deploy of changed code under the same version: each step sleeps first."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

from scenarios.reference.workflow import NOTHING, ReferenceSaga

with workflow.unsafe.imports_passed_through():
    from scenarios.reference.program import Step


@workflow.defn(name="ReferenceSaga")
class SleptBefore(ReferenceSaga):
    """Sleeps a moment before each step."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    async def step(self, number: int, node: Step) -> None:
        await workflow.sleep(timedelta(milliseconds=1))
        await super().step(number, node)
