"""The embedded engine: the Temporal CLI's server, tuned so that it measures the platform.

Untuned, its single history shard is polled 20 times a second, which adds up to 50 ms to every hop,
and visibility is limited to 10 calls a second: an SLO would then judge the limiter.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from harness.errors import UnavailableError
from harness.platform.child import Child, Children
from harness.platform.ports import free_ports
from harness.tools.temporal import find_temporal, find_time_skipping

TRIES: Final = 3
SERVES_WITHIN_S: Final = 20.0
HTTP2_GREETING: Final = (
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
)  # empty settings
HTTP2_FRAME_HEAD: Final = 9

# Collecting garbage takes a fifth of the engine's time (measured: 62 against 50 ms of CPU for a
# workflow of four activities), so the heap may grow further before it does, up to a soft limit.
MEMORY: Final[Mapping[str, str]] = {"GOGC": "400", "GOMEMLIMIT": "2GiB"}
TUNED: Final[Mapping[str, Any]] = {
    "history.transferProcessorMaxPollRPS": 1000,
    "history.timerProcessorMaxPollRPS": 1000,
    "history.visibilityProcessorMaxPollRPS": 200,
    "frontend.namespaceRPS": 20000,
    "frontend.namespaceRPS.visibility": 500,
    "frontend.rps": 20000,
    "frontend.namespaceCount": 10000,
    "frontend.rps.namespaceReplicationInducingAPIs": 1000,  # registering namespaces
    # keep dispatch of one queue in one place: four partitions only add hops at these rates
    "matching.numTaskqueueReadPartitions": 1,
    "matching.numTaskqueueWritePartitions": 1,
    # the CLI asks its database for the search attributes, and for the namespace, at every task
    "system.forceSearchAttributesCacheRefreshOnRead": False,
    # pausing is a material change, and off by default
    "frontend.WorkflowPauseEnabled": True,
    # a version drains three minutes after its last run otherwise, and is looked at as seldom
    "matching.wv.VersionDrainageStatusVisibilityGracePeriod": "1s",
    "matching.wv.VersionDrainageStatusRefreshInterval": "1s",
    # all task queues of a deployment register at once, each with an update of the same workflow
    "history.maxInFlightUpdates": 1000,
    # so that a namespace of a second's retention shows that closed runs are deleted
    "system.namespaceMinRetentionLocal": "1s",
    "history.retentionTimerJitterDuration": "1s",
    # a poll for a run's end can miss it (the engine drops what it is told while it is busy), and
    # would then answer only when it expires, after 20 s
    "history.longPollExpirationInterval": "3s",
}


def engine_command(
    binary: Path,
    port: int,
    http_port: int,
    metrics_port: int,
    dynamic_config: Mapping[str, Any],
    database: Path | None = None,
) -> list[str]:
    """The command line of the embedded engine, on 127.0.0.1, tuned, then `dynamic_config`.

    Without `database` its state is in memory; with one it survives a restart.
    """
    command = [
        str(binary),
        "server",
        "start-dev",
        "--headless",
        "--ip",
        "127.0.0.1",
        "--port",
        str(port),
        "--http-port",
        str(http_port),
        "--metrics-port",
        str(metrics_port),
        "--log-level",
        "error",
        "--log-format",
        "json",
    ]
    if database is not None:
        command += ["--db-filename", str(database), "--sqlite-pragma", "synchronous=1"]
    for key, value in {**TUNED, **dynamic_config}.items():
        command += ["--dynamic-config-value", f"{key}={json.dumps(value)}"]
    return command


async def start_engine(
    children: Children, dynamic_config: Mapping[str, Any], database: Path | None = None
) -> tuple[Child, str]:
    """A started engine that serves, and its address; raises `UnavailableError`."""
    for _ in range(TRIES):
        port, http_port, metrics_port = free_ports(3)
        engine = await children.start(
            "engine",
            engine_command(
                find_temporal(), port, http_port, metrics_port, dynamic_config, database
            ),
            env={key: os.environ.get(key, value) for key, value in MEMORY.items()},
        )
        if await _serves(engine, port):
            return engine, f"127.0.0.1:{port}"
        await engine.kill()
    raise UnavailableError(f"engine: does not start{engine.tail()}")


async def start_time_skipping(children: Children) -> tuple[Child, str]:
    """A started server that skips time, and its address; raises `UnavailableError`.

    It is not a Temporal server: one clock for all workflows, no visibility, every namespace.
    """
    program = find_time_skipping()
    for _ in range(TRIES):
        (port,) = free_ports(1)
        server = await children.start(
            "time-skipping", [str(program), str(port), "--enable-time-skipping"]
        )
        if await _serves(server, port):
            return server, f"127.0.0.1:{port}"
        await server.kill()
    raise UnavailableError(f"time-skipping server: does not start{server.tail()}")


async def _serves(engine: Child, port: int) -> bool:
    """Wait until the engine serves; False if it ends instead, or never does.

    It looks for further ports itself, and ends when another process was quicker to take one; that
    it accepts a connection says nothing yet.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SERVES_WITHIN_S):
            while engine.running:
                with contextlib.suppress(OSError, EOFError):
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
                    with contextlib.closing(writer):
                        writer.write(HTTP2_GREETING)
                        await reader.readexactly(HTTP2_FRAME_HEAD)
                        return True
                await asyncio.sleep(0.02)
    return False
