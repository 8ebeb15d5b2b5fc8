"""What workers take of the machine under a load: CPU time and memory, as the kernel counts them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

import psutil

from harness.journal.records import WORKER_CPU_S, WORKER_RSS_BYTES, Gauge, now
from harness.platform.platform import Platform
from harness.run.beside import beside

EVERY_S: Final = 1.0


@contextlib.asynccontextmanager
async def usage_sampled(platform: Platform) -> AsyncIterator[None]:
    """Record what the workers use, each second, at the beginning and at the end.

    Of workers that others start nothing is recorded, nor where the kernel does not tell.
    """
    async with beside(_sample(platform)):
        yield
        await asyncio.to_thread(_record, platform)


async def _sample(platform: Platform) -> None:
    while await asyncio.to_thread(_record, platform):  # noqa: ASYNC110 - a clock, no event
        await asyncio.sleep(EVERY_S)


def _record(platform: Platform) -> bool:
    """Record one sample of all workers together; False if there is nothing to be seen."""
    cpu_s = rss_bytes = 0.0
    try:
        for worker in platform.workers.values():
            top = psutil.Process(worker.pid)
            for process in (top, *top.children(recursive=True)):
                with process.oneshot():
                    times = process.cpu_times()
                    cpu_s += times.user + times.system
                    rss_bytes += process.memory_info().rss
    except psutil.Error:  # one that ended takes its count with it, so the sum would go back
        return bool(platform.workers)
    if not platform.workers:
        return False
    times_now = now()
    platform.record(Gauge(**times_now, name=WORKER_CPU_S, value=round(cpu_s, 3)))
    platform.record(Gauge(**times_now, name=WORKER_RSS_BYTES, value=rss_bytes))
    return True
