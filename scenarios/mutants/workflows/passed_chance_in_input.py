"""Changed code: a module that passes through the sandbox throws dice."""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

from scenarios.reference.workflow import NOTHING, ReferenceSaga

with workflow.unsafe.imports_passed_through():
    from scenarios.mutants.workflows.dice import number
    from scenarios.reference.program import Effect


@workflow.defn(name="ReferenceSaga")
class PassedChanceInInput(ReferenceSaga):
    """Has a helper throw dice for amounts."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    def activity_argument(self, effect: Effect) -> dict[str, Any]:
        return {**super().activity_argument(effect), "amount": number()}
