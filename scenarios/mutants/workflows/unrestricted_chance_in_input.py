"""Changed code: dice are thrown in a section without restrictions."""

from __future__ import annotations

import random
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

from scenarios.reference.workflow import NOTHING, ReferenceSaga

with workflow.unsafe.imports_passed_through():
    from scenarios.reference.program import Effect


@workflow.defn(name="ReferenceSaga")
class UnrestrictedChanceInInput(ReferenceSaga):
    """Lifts the restrictions to throw dice for amounts."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    def activity_argument(self, effect: Effect) -> dict[str, Any]:
        with workflow.unsafe.sandbox_unrestricted():
            amount = str(random.randrange(10**6))
        return {**super().activity_argument(effect), "amount": amount}
