"""Changed code that the stock replayer passes: what activities are told."""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

from scenarios.reference.workflow import NOTHING, ReferenceSaga

with workflow.unsafe.imports_passed_through():
    from scenarios.reference.program import Effect


@workflow.defn(name="ReferenceSaga")
class InputChanged(ReferenceSaga):
    """Writes amounts with two decimals."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    def activity_argument(self, effect: Effect) -> dict[str, Any]:
        argument = super().activity_argument(effect)
        return {**argument, "amount": f"{argument['amount']}.00"}
