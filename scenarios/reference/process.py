"""How a reference process lives and ends: until SIGTERM, in bounded time, by `os._exit`."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import traceback
from collections.abc import Awaitable, Callable
from typing import Any, Final, NoReturn, TypeVar

from scenarios.reference.settings import BadEnvironment

STOP_WITHIN_S: Final = 9.0
EXIT_BAD_ENVIRONMENT: Final = 64

T = TypeVar("T")
Serve = Callable[[asyncio.Event], Awaitable[None]]
"""Serves until the event is set."""


async def unless_stopped(stop: asyncio.Event, work: Awaitable[T]) -> T | None:
    """What `work` gives, or None if the process is to stop before."""
    working, stopping = asyncio.ensure_future(work), asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if working.done():
        return working.result()
    working.cancel()
    return None


def say_ready(**declared: Any) -> None:
    """Print the line that the harness waits for."""
    print(f"HARNESS-READY {json.dumps(declared)}", flush=True)


def run(serve: Serve) -> NoReturn:
    """Run `serve` until SIGTERM, and end the process.

    Not by returning: a process that hosts the SDK can crash while the interpreter winds up.
    """
    code = 0
    try:
        asyncio.run(_until_sigterm(serve))
    except BadEnvironment as error:
        print(error, file=sys.stderr)
        code = EXIT_BAD_ENVIRONMENT
    except BaseException:  # noqa: BLE001 - the outer border of the process
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


async def _until_sigterm(serve: Serve) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    serving = asyncio.ensure_future(serve(stop))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not serving.done():
        await asyncio.wait({serving}, timeout=STOP_WITHIN_S)
    if serving.done():
        serving.result()
