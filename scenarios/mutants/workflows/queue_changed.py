"""Changed code that the stock replayer passes: where activities are sent."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

from scenarios.reference.workflow import NOTHING, ReferenceSaga

with workflow.unsafe.imports_passed_through():
    from scenarios.reference.program import Effect


@workflow.defn(name="ReferenceSaga")
class QueueChanged(ReferenceSaga):
    """Sends activities to a task queue of their own."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    def start_effect(self, effect: Effect) -> workflow.ActivityHandle[Any]:
        return workflow.start_activity(
            effect.activity_type,
            self.activity_argument(effect),
            task_queue="activities",
            start_to_close_timeout=timedelta(seconds=10),
        )
