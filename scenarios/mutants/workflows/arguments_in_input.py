"""Changed code: activities are told how the process was called."""

from __future__ import annotations

import sys
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

from scenarios.reference.workflow import NOTHING, ReferenceSaga

with workflow.unsafe.imports_passed_through():
    from scenarios.reference.program import Effect


@workflow.defn(name="ReferenceSaga")
class ArgumentsInInput(ReferenceSaga):
    """Writes the process's arguments into amounts."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    def activity_argument(self, effect: Effect) -> dict[str, Any]:
        return {**super().activity_argument(effect), "amount": "".join(sys.argv)}
