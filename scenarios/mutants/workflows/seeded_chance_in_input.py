"""Changed code: activities are told a number of the run's own generator."""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

from scenarios.reference.workflow import NOTHING, ReferenceSaga

with workflow.unsafe.imports_passed_through():
    from scenarios.reference.program import Effect


@workflow.defn(name="ReferenceSaga")
class SeededChanceInInput(ReferenceSaga):
    """Throws dice as the SDK allows, which were not thrown before."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    def activity_argument(self, effect: Effect) -> dict[str, Any]:
        return {
            **super().activity_argument(effect),
            "amount": str(workflow.random().randrange(10**6)),
        }
