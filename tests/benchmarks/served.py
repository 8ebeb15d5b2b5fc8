"""`python -m tests.benchmarks.served`: a worker for the benchmark of the replay frontend."""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta

from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import Worker

ACTIVITIES = 3


@workflow.defn
class Saga:
    """Three activities one after the other."""

    @workflow.run
    async def run(self, argument: dict[str, int]) -> dict[str, bool]:
        for _ in range(ACTIVITIES):
            await workflow.execute_activity(
                "rms.reserve",
                {"resource": "item", "amount": 1, "urgent": True},
                start_to_close_timeout=timedelta(seconds=10),
            )
        return {"done": True}


async def main() -> None:
    client = await Client.connect(os.environ["TEMPORAL_ADDRESS"])
    await Worker(client, task_queue="sagas", workflows=[Saga]).run()


if __name__ == "__main__":
    asyncio.run(main())
