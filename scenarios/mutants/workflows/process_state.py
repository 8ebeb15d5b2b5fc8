"""Workflow code whose commands depend on the process that runs it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

from scenarios.reference.workflow import NOTHING, ReferenceSaga

with workflow.unsafe.imports_passed_through():
    from scenarios.reference.program import Step

MOMENT = timedelta(milliseconds=1)


@workflow.defn(name="ReferenceSaga")
class Replaying(ReferenceSaga):
    """A run that a process took over from another sleeps before its steps."""

    def __init__(self) -> None:
        super().__init__()
        self.taken_over = workflow.unsafe.is_replaying()

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    async def step(self, number: int, node: Step) -> None:
        if self.taken_over:
            await workflow.sleep(MOMENT)
        await super().step(number, node)


@workflow.defn(name="ReferenceSaga")
class Hashing(ReferenceSaga):
    """Sleeps before those steps whose resource has an odd hash, which each process makes anew."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    async def step(self, number: int, node: Step) -> None:
        if hash(node.resource) % 2:
            await workflow.sleep(MOMENT)
        await super().step(number, node)
