"""Workflow code in whose module a client of the network is loaded."""

from __future__ import annotations

from typing import Any

import aiohttp  # noqa: F401 - the defect
from temporalio import workflow
from temporalio.common import RawValue

from scenarios.reference.workflow import NOTHING, ReferenceSaga


@workflow.defn(name="ReferenceSaga")
class ClientBeside(ReferenceSaga):
    """Does what the reference saga does."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)
