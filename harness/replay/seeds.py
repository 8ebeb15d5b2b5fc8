"""Defects sown for the replays: later versions of a workflow whose history is kept beside this.

Each is outside the sandbox, so that a replay takes milliseconds. For the comparison between
surroundings there is one for each thing that they vary.
"""

from __future__ import annotations

import locale
import os
import sys
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.common import RetryPolicy

HISTORY: Final = Path(__file__).with_name("seeds.json")
TYPE: Final = "Seeded"
SOON: Final = timedelta(seconds=10)
AMOUNT: Final = 1


async def _course(
    amount: Any = AMOUNT, *, name: str = "seed.sow", queue: str | None = None,
    timer: timedelta = SOON, before: bool = False, timeout: timedelta = SOON,
) -> None:  # fmt: skip
    if before:
        await workflow.sleep(timer)
    await workflow.execute_activity(
        name, {"amount": amount}, task_queue=queue, start_to_close_timeout=timeout,
        retry_policy=RetryPolicy(maximum_attempts=3) if timeout != SOON else None,
    )  # fmt: skip
    if not before:
        await workflow.sleep(timer)


def _version(body: Callable[[], Any], result: Any = "sown") -> type:
    async def run(self: Any) -> Any:
        await body()
        return result

    run.__qualname__ = f"{TYPE}.run"  # the SDK takes no class of a function
    return workflow.defn(name=TYPE, sandboxed=False)(type(TYPE, (), {"run": workflow.run(run)}))


# by detector and name: what the code does otherwise
STOCK: Final[Mapping[str, type]] = {
    "activity-type": _version(lambda: _course(name="seed.reap")),
    "order": _version(lambda: _course(before=True)),
}
STRICT: Final[Mapping[str, type]] = {
    "input": _version(lambda: _course(2)),
    "task_queue": _version(lambda: _course(queue="elsewhere")),
    "start_to_fire_timeout": _version(lambda: _course(timer=timedelta(seconds=999))),
    "result": _version(lambda: _course(), "reaped"),
}
SOUND: Final[Mapping[str, type]] = {
    "as recorded": _version(lambda: _course()),
    "other timeouts and retries": _version(lambda: _course(timeout=timedelta(seconds=99))),
}
# by what surroundings vary: what depends on it
PERTURBED: Final[Mapping[str, type]] = {
    "hash_seed": _version(lambda: _course(hash("word"))),
    "time_zone": _version(lambda: _course(datetime.fromtimestamp(0).isoformat())),
    "locale": _version(lambda: _course(locale.setlocale(locale.LC_ALL))),
    "variables": _version(lambda: _course(os.environ.get("USER"))),
    "arguments": _version(lambda: _course(len(sys.argv))),
    "folder": _version(lambda: _course(str(Path.cwd()))),
}


def history() -> WorkflowHistory:
    """What the first version recorded."""
    return WorkflowHistory.from_json("seeded", HISTORY.read_text("utf-8"))
