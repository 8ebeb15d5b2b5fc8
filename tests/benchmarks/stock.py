"""`python -m tests.benchmarks.stock FOLDER`: the SDK's own replayer over a folder."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from tests.benchmarks.replayed import Saga

PATHS = sorted(Path(sys.argv[1]).iterdir())


async def main() -> None:
    async def histories() -> AsyncIterator[WorkflowHistory]:
        for path in PATHS:
            yield WorkflowHistory.from_json(path.stem, path.read_text())

    async with Replayer(workflows=[Saga]).workflow_replay_iterator(histories()) as results:
        async for result in results:
            assert result.replay_failure is None


asyncio.run(main())
sys.stdout.flush()
os._exit(0)
