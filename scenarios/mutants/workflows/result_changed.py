"""Changed code that the stock replayer passes: what a run answers."""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

from scenarios.reference.workflow import NOTHING, ReferenceSaga


@workflow.defn(name="ReferenceSaga")
class ResultChanged(ReferenceSaga):
    """Spells its outcome otherwise."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    def result(self) -> dict[str, Any]:
        return {**super().result(), "outcome": "done"}
