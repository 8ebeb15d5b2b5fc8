"""Changed code: nothing is waited for."""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

from scenarios.reference.workflow import NOTHING, ReferenceSaga

with workflow.unsafe.imports_passed_through():
    from scenarios.reference.program import Timer


@workflow.defn(name="ReferenceSaga")
class TimerRemoved(ReferenceSaga):
    """Takes no timer."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    async def timer(self, node: Timer) -> None:
        """Go on at once."""
