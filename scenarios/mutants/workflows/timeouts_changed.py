"""Changed code that any replay may pass: timeouts and retry policies are no part of a promise."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue, RetryPolicy

from scenarios.reference.workflow import NOTHING, ReferenceSaga

with workflow.unsafe.imports_passed_through():
    from scenarios.reference.program import Effect


@workflow.defn(name="ReferenceSaga")
class TimeoutsChanged(ReferenceSaga):
    """Gives activities more time and fewer attempts."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    def start_effect(self, effect: Effect) -> workflow.ActivityHandle[Any]:
        return workflow.start_activity(
            effect.activity_type,
            self.activity_argument(effect),
            start_to_close_timeout=timedelta(seconds=99),
            retry_policy=RetryPolicy(maximum_attempts=2),
        )
