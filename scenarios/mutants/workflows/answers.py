"""A run that answers for one step too few."""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

from scenarios.reference.workflow import NOTHING, ReferenceSaga


@workflow.defn(name="ReferenceSaga")
class LastLeftOut(ReferenceSaga):
    """Answers without the result of its last step."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    def result(self) -> dict[str, Any]:
        whole = super().result()
        return {**whole, "steps": whole["steps"][:-1]}
