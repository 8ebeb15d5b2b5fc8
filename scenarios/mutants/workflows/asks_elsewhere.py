"""Workflow code that asks the PDP in a helper which another module imports for it."""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

from scenarios.reference.workflow import NOTHING, ReferenceSaga

with workflow.unsafe.imports_passed_through():
    from scenarios.reference import answer


@workflow.defn(name="ReferenceSaga")
class AsksElsewhere(ReferenceSaga):
    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    def may_be_applied(self, cause: str) -> bool:
        """Opens a session by which to ask."""
        return answer.new_session().closed or super().may_be_applied(cause)
