"""The workflow of the next build, 1.1.0: its sagas also say which build answers.

It takes the same commands for every program, so it replays the runs of 1.0.0.
"""

from __future__ import annotations

from typing import Any, Final

from temporalio import workflow
from temporalio.common import RawValue

from scenarios.reference.workflow import NOTHING, WORKFLOW_TYPE, ReferenceSaga

BUILD: Final = "1.1.0"


@workflow.defn(name=WORKFLOW_TYPE)
class NextSaga(ReferenceSaga):
    """`ReferenceSaga` with one more member in its answer to `state`."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    @workflow.query(name="state")
    def state(self) -> dict[str, Any]:
        """Contract §4.5, and the build."""
        return {**super().state(), "build": BUILD}
