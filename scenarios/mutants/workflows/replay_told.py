"""Workflow code that behaves otherwise when it is replayed: nothing shows while a worker lives."""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

from scenarios.reference.workflow import NOTHING, ReferenceSaga

with workflow.unsafe.imports_passed_through():
    from scenarios.reference.program import Step


@workflow.defn(name="ReferenceSaga")
class ReplayTold(ReferenceSaga):
    """Says of a saga that was taken up again that it was recovered."""

    recovered = False

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    async def step(self, number: int, node: Step) -> None:
        self.recovered = self.recovered or workflow.unsafe.is_replaying()
        await super().step(number, node)

    def result(self) -> dict[str, Any]:
        told = super().result()
        return {**told, "outcome": "recovered"} if self.recovered else told
