"""Changed code that the stock replayer passes: how long timers last."""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

from scenarios.reference.workflow import NOTHING, ReferenceSaga

with workflow.unsafe.imports_passed_through():
    from scenarios.reference.program import Timer


@workflow.defn(name="ReferenceSaga")
class TimerChanged(ReferenceSaga):
    """Waits twice as long."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    async def timer(self, node: Timer) -> None:
        await super().timer(Timer(duration_ms=2 * node.duration_ms))
