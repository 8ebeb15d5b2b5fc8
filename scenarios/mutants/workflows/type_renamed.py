"""A deploy of changed code: the workflow type has another name, and open runs find nobody."""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

from scenarios.reference.workflow import NOTHING, ReferenceSaga


@workflow.defn(name="Saga")
class Renamed(ReferenceSaga):
    """The same under a shorter name."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)
