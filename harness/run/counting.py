"""What the load arm does to tell what a workflow costs: bytes on the links, bytes in the store."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from typing import Final

import psutil

from harness.errors import DriveError, UsageError
from harness.journal.records import BYPASSING, IDLE, UNDER_LOAD, Gauge, now
from harness.platform.child import Children
from harness.platform.platform import Platform
from harness.run.beside import beside
from harness.run.conduct import timed
from harness.run.prepare import start_hosting
from harness.trial import Trial

MOST_WEIGHED: Final = 1000  # workflows of a load
WEIGHED_WITHIN_S: Final = 60.0
LOOKS_EVERY_S: Final = 3.0
SETTLES_S: Final = 1.0  # what workers and exporter still exchange when the last workflow has ended
LONG_RUN_S: Final = 300.0  # a run that may decide the other promises decides this one as well
IDLE_S: Final = (
    75.0  # more than a poll of an idle worker lasts, which the engine answers after 60 s
)
SHORT_IDLE_S: Final = 5.0
MOST_IDLE_S: Final = 3600.0


def idle_s(asked: float | None, duration_s: float) -> float:
    """How long the platform is left alone before a load; by default as befits its duration.

    Raises `UsageError` for what is no such time.
    """
    if asked is not None:
        if not 0 <= asked <= MOST_IDLE_S:
            raise UsageError(f"--idle {asked:g}: give 0 to {MOST_IDLE_S:g} seconds")
        return asked
    return IDLE_S if duration_s >= LONG_RUN_S else SHORT_IDLE_S


async def count_idle(platform: Platform, seconds: float) -> None:
    """Count what passes while nothing is asked of the platform."""
    if not platform.counts or not seconds:
        return
    platform.progress(f"counting what passes while nothing is asked, {seconds:g} s")
    with timed(platform, "idle: nothing is asked"):
        platform.counted_as(IDLE)
        await asyncio.sleep(seconds)
        platform.counted_as("")


@contextlib.asynccontextmanager
async def counted_load(platform: Platform) -> AsyncIterator[None]:
    """Count what passes within, and look who goes past the counting proxy.

    Raises `DriveError` if the proxy ended meanwhile: then it was us who broke the links.
    """
    if not platform.counts:
        yield
        return
    platform.counted_as(UNDER_LOAD)
    try:
        async with beside(_look(platform)):
            yield
            await asyncio.sleep(SETTLES_S)
            if not platform.counts:
                raise DriveError("the counting proxy ended during the load; see logs/counting.log")
    finally:
        platform.counted_as("")


async def _look(platform: Platform) -> None:
    while True:
        await asyncio.sleep(LOOKS_EVERY_S / 3)
        found = await asyncio.to_thread(bypassing, platform)
        if found is not None:
            platform.record(
                Gauge(**now(), name=BYPASSING, value=len(found), detail=", ".join(found))
            )
        await asyncio.sleep(LOOKS_EVERY_S * 2 / 3)


def bypassing(platform: Platform) -> list[str] | None:
    """Which of our processes have a connection to the engine itself; None if that cannot be seen.

    The engine's own, and the counting proxy's, are as they should be.
    """
    host, _, port = platform.address.rpartition(":")
    exempt = {platform.engine.pid if platform.engine else 0, platform.counting_pid}
    found: list[str] = []
    try:
        for process in psutil.Process(os.getpid()).children(recursive=True):
            if process.pid not in exempt and _connected(process, host, int(port)):
                found.append(f"{process.name()} ({process.pid})")
    except psutil.AccessDenied:
        return None
    return found


def _connected(process: psutil.Process, host: str, port: int) -> bool:
    try:
        connections = process.net_connections("tcp")
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return False
    return any(
        each.raddr
        and each.status == psutil.CONN_ESTABLISHED
        and each.raddr.port == port
        and (each.raddr.ip == host or not host[:1].isdigit())
        for each in connections
    )


async def weigh(platform: Platform, trial: Trial, children: Children) -> None:
    """Record what the engine keeps of the workflows of a load; without it nothing is concluded."""
    with timed(platform, "what the engine keeps of the workflows"):
        child = await start_hosting(
            platform,
            children,
            "weigh",
            trial=str(trial.folder.resolve()),
            trial_id=trial.id,
            most=MOST_WEIGHED,
            within_s=WEIGHED_WITHIN_S,
        )
        if await child.wait(WEIGHED_WITHIN_S + 10) is None:
            await child.kill()
