"""The reference platform for people: started, printed, ended with Ctrl-C. Nothing is kept."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import tempfile
from pathlib import Path

from harness.journal.write import SegmentWriter
from harness.platform.breakage import NOTHING
from harness.platform.child import Children
from harness.platform.platform import Platform
from harness.platform.registry import Registry, sweep
from harness.run.prepare import prepare
from harness.run.request import Progress
from harness.target.parse import reference_target
from harness.tools.cache import cache_folder


def up(progress: Progress, *, with_worker: bool) -> int:
    """Run until SIGINT or SIGTERM; returns 0."""
    for line in sweep(cache_folder() / "running"):
        progress(line)
    folder = Path(tempfile.mkdtemp(prefix="harness-up-"))
    try:
        asyncio.run(_up(progress, folder, with_worker=with_worker))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


async def _up(progress: Progress, folder: Path, *, with_worker: bool) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    (folder / "journal").mkdir()
    registry = Registry(cache_folder() / "running")
    with SegmentWriter(folder / "journal", "supervisor", "up") as segment:
        try:
            async with Children(registry, folder) as children:
                platform = Platform(
                    reference_target(),
                    NOTHING,
                    children,
                    segment,
                    folder,
                    registry.folder,
                    progress,
                    ours=True,
                    trial_id="up",
                )
                starting = asyncio.create_task(_start(platform, children, with_worker))
                await asyncio.wait(
                    {starting, asyncio.create_task(stop.wait())},
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if starting.done():
                    starting.result()
                    print(_addresses(platform), flush=True)
                    await stop.wait()
                starting.cancel()
        finally:
            registry.close()


async def _start(platform: Platform, children: Children, with_worker: bool) -> None:
    await asyncio.gather(platform.start_engine(), platform.start_doubles())
    await prepare(platform, children)
    if with_worker:
        await platform.start_worker("calm")
    await platform.start_exporter()


def _addresses(platform: Platform) -> str:
    env = platform.worker_environment("calm")
    lines = [f"export {name}={_quoted(value)}" for name, value in sorted(env.items())]
    return "\n".join(
        [
            "# the reference platform is up; what a worker or Locust is told:",
            *lines,
            "# end it with Ctrl-C",
        ]
    )


def _quoted(value: str) -> str:
    return f"'{value}'" if json.dumps(value) != f'"{value}"' or " " in value else value
