"""Changed code: activities have other names."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

from scenarios.reference.workflow import NOTHING, ReferenceSaga

with workflow.unsafe.imports_passed_through():
    from scenarios.reference.program import Effect


@workflow.defn(name="ReferenceSaga")
class ActivityRenamed(ReferenceSaga):
    """Asks for the second version of each operation."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    def start_effect(self, effect: Effect) -> workflow.ActivityHandle[Any]:
        step = replace(effect.step, operation=f"{effect.step.operation}.v2")
        return super().start_effect(replace(effect, step=step))
