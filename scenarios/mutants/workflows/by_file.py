"""Workflow code that reads a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

from scenarios.reference.workflow import NOTHING, ReferenceSaga

with workflow.unsafe.imports_passed_through():
    from scenarios.reference.program import Step


SWITCH = Path("slowly")


@workflow.defn(name="ReferenceSaga")
class ByFile(ReferenceSaga):
    """Waits before each step where a file says so."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    async def step(self, number: int, node: Step) -> None:
        if SWITCH.exists() and SWITCH.read_text():  # noqa: ASYNC240 - the defect
            await workflow.sleep(0.001)
        await super().step(number, node)
