"""`python -m tests.benchmarks.stock FOLDER [MODULE]`: the SDK's own replayer over a folder."""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

MODULE = (*sys.argv[2:], "tests.benchmarks.replayed")[0]
PATHS = sorted(Path(sys.argv[1]).iterdir())


async def main() -> None:
    async def histories() -> AsyncIterator[WorkflowHistory]:
        for path in PATHS:
            yield WorkflowHistory.from_json(path.stem, path.read_text())

    async with Replayer(workflows=[importlib.import_module(MODULE).Saga]).workflow_replay_iterator(
        histories()
    ) as results:
        async for result in results:
            assert result.replay_failure is None


asyncio.run(main())
sys.stdout.flush()
os._exit(0)
