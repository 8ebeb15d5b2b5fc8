"""Changed code: activities are told what a module has counted."""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

from scenarios.reference.workflow import NOTHING, ReferenceSaga

with workflow.unsafe.imports_passed_through():
    from scenarios.reference.program import Effect


COUNTED = {"effects": 7000}


@workflow.defn(name="ReferenceSaga")
class CountInInput(ReferenceSaga):
    """Writes into amounts how many this process has seen."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    def activity_argument(self, effect: Effect) -> dict[str, Any]:
        COUNTED["effects"] += 1
        return {**super().activity_argument(effect), "amount": str(COUNTED["effects"])}
