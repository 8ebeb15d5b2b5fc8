"""Sagas that make more history than they need."""

from __future__ import annotations

import asyncio
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

from scenarios.reference.workflow import NOTHING, WORKFLOW_TYPE, ReferenceSaga

with workflow.unsafe.imports_passed_through():
    from scenarios.reference.program import Step

NOTES = 50
AT_ONCE = 6
REQUEST = "~request"


@workflow.defn(name="ReferenceSaga")
class NotesAtEveryStep(ReferenceSaga):
    """Keeps a diary in its memo, an event for each note."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    async def step(self, number: int, node: Step) -> None:
        for note in range(NOTES):
            workflow.upsert_memo({"note": f"step {number}, note {note}"})
        await super().step(number, node)


@workflow.defn(name="ReferenceSaga")
class ChildrenAllAtOnce(ReferenceSaga):
    """Starts a handful of empty children before each step, all at once."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    async def step(self, number: int, node: Step) -> None:
        empty = {
            "contract": self.argument["contract"],
            "tenant": self.tenant,
            "saga_id": f"{self.saga_id}.{number}",
            "nodes": [],
        }
        await asyncio.gather(
            *(
                workflow.execute_child_workflow(
                    WORKFLOW_TYPE, empty, id=f"{workflow.info().workflow_id}/{number}-{each}"
                )
                for each in range(AT_ONCE)
            )
        )
        await super().step(number, node)


@workflow.defn(name="ReferenceSaga")
class ChildForEachStep(ReferenceSaga):
    """Wraps each call of a service in a workflow of its own."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    async def _execute(self) -> None:
        own = workflow.info().workflow_id
        if own.endswith(REQUEST):
            await super()._execute()
            return
        for number, node in enumerate(self.argument["nodes"]):
            done = {"next": number, "results": [], "signals": []}
            until = [*self.argument["nodes"][:number], node]
            answer = await workflow.execute_child_workflow(
                WORKFLOW_TYPE,
                {**self.argument, "nodes": until, "progress": done},
                id=f"{own}/{number}{REQUEST}",
            )
            self.results[number] = answer["steps"][-1]["result"]
