"""What each role of the platform takes of the machine: CPU time, as the kernel counts it.

Beside it what the whole machine did, whoever used it: where that is all of it, no role can be said
to be the bound by its own fault.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

import psutil

from harness.journal.records import CPU_S, MACHINE, MACHINE_IDLE, Gauge, now
from harness.platform.child import Children
from harness.platform.platform import Platform

EVERY_S: Final = 1.0
GENERATOR: Final = "generator"
_ROLES: Final = {"load": GENERATOR}  # the names that are not the role's


async def sample_roles(platform: Platform, children: Children) -> None:
    """Record the CPU time of each role of our children, each second, for ever."""
    while True:
        pids = [(_role(child.role), child.pid) for child in children.alive]
        found = await asyncio.to_thread(_used, pids)
        at = now()
        for role, seconds in found.items():
            platform.record(Gauge(**at, name=CPU_S, value=round(seconds, 3), detail=role))
        await asyncio.sleep(EVERY_S)


def _role(name: str) -> str:
    """`worker-calm-0` is a worker."""
    return _ROLES.get(name, name.partition("-")[0])


def _used(pids: list[tuple[str, int]]) -> dict[str, float]:
    """CPU seconds of each role since its processes began, and of the machine since it did."""
    used: dict[str, float] = {}
    for role, pid in pids:
        with contextlib.suppress(psutil.Error):
            top = psutil.Process(pid)
            for process in (top, *top.children(recursive=True)):
                times = process.cpu_times()
                used[role] = used.get(role, 0.0) + times.user + times.system
    whole = psutil.cpu_times()
    idle = whole.idle + getattr(whole, "iowait", 0.0)
    guest = getattr(whole, "guest", 0.0) + getattr(whole, "guest_nice", 0.0)  # in user already
    used[MACHINE] = sum(whole) - idle - guest
    used[MACHINE_IDLE] = idle
    return used
