"""Changed code: activities are told words in the order of a set."""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

from scenarios.reference.workflow import NOTHING, ReferenceSaga

with workflow.unsafe.imports_passed_through():
    from scenarios.reference.program import Effect


@workflow.defn(name="ReferenceSaga")
class SetOrderInInput(ReferenceSaga):
    """Writes a step's words into amounts, as a set has them."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    def activity_argument(self, effect: Effect) -> dict[str, Any]:
        return {
            **super().activity_argument(effect),
            "amount": "".join({effect.step.service, effect.operation, effect.step.resource}),
        }
