"""Changed code that any one place replays the same: the local hour is told to activities."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

from scenarios.reference.workflow import NOTHING, ReferenceSaga

with workflow.unsafe.imports_passed_through():
    from scenarios.reference.program import Effect


@workflow.defn(name="ReferenceSaga")
class ZoneInInput(ReferenceSaga):
    """Writes the local hour of an instant into amounts."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    def activity_argument(self, effect: Effect) -> dict[str, Any]:
        return {**super().activity_argument(effect), "amount": f"{datetime.fromtimestamp(0):%H.%M}"}
