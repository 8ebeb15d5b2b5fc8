"""Changed code that the stock replayer passes: what a continued run is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

from scenarios.reference.workflow import NOTHING, ReferenceSaga

with workflow.unsafe.imports_passed_through():
    from scenarios.reference.program import Progress


@workflow.defn(name="ReferenceSaga")
class ContinuationChanged(ReferenceSaga):
    """Forgets the signals when it continues as new."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    def reached(self, next_node: int) -> Progress:
        return replace(super().reached(next_node), signals=())
