"""Workflow code that asks the process's environment."""

from __future__ import annotations

import os
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

from scenarios.reference.workflow import NOTHING, ReferenceSaga

with workflow.unsafe.imports_passed_through():
    from scenarios.reference.program import Step


@workflow.defn(name="ReferenceSaga")
class ByEnvironment(ReferenceSaga):
    """Waits before each step where a variable says so."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    async def step(self, number: int, node: Step) -> None:
        if os.environ.get("SLOWLY"):
            await workflow.sleep(0.001)
        await super().step(number, node)
