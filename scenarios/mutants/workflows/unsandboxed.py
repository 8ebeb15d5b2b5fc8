"""Workflow code that opts out of the sandbox."""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

from scenarios.reference.workflow import NOTHING, ReferenceSaga


@workflow.defn(name="ReferenceSaga", sandboxed=False)
class Unsandboxed(ReferenceSaga):
    """Does what the reference saga does, outside."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)
