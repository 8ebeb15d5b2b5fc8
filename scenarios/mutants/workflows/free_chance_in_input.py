"""Changed code outside the sandbox: activities are told a throw of dice."""

from __future__ import annotations

import random
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

from scenarios.reference.workflow import NOTHING, ReferenceSaga

with workflow.unsafe.imports_passed_through():
    from scenarios.reference.program import Effect


@workflow.defn(name="ReferenceSaga", sandboxed=False)
class FreeChanceInInput(ReferenceSaga):
    """Throws dice for amounts, where nobody forbids it."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    def activity_argument(self, effect: Effect) -> dict[str, Any]:
        return {**super().activity_argument(effect), "amount": str(random.randrange(10**6))}
