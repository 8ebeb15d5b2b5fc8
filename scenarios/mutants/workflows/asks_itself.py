"""Workflow code that asks the PDP itself."""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

from scenarios.reference.workflow import NOTHING, ReferenceSaga

with workflow.unsafe.imports_passed_through():
    import aiohttp

    from scenarios.reference.program import Step


@workflow.defn(name="ReferenceSaga")
class AsksItself(ReferenceSaga):
    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    async def step(self, number: int, node: Step) -> None:
        """Asks, then runs the activity."""
        async with aiohttp.ClientSession() as http, http.post("http://127.0.0.1:9/ask"):
            await super().step(number, node)
