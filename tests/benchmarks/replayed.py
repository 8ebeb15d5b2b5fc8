"""The workflow of the replay benchmark: in the sandbox, as the platform's own code would be."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow

ACTIVITIES = 16


@workflow.defn
class Saga:
    """So many activities one after the other, of six events each: a hundred events in all."""

    @workflow.run
    async def run(self, argument: dict[str, int]) -> dict[str, bool]:
        for _ in range(ACTIVITIES):
            await workflow.execute_activity(
                "rms.reserve",
                {"resource": "item", "amount": 1, "urgent": True},
                start_to_close_timeout=timedelta(seconds=10),
            )
        return {"done": True}
