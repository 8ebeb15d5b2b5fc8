"""The embedded engine: the Temporal CLI's server, tuned so that it measures the platform.

Untuned, its single history shard is polled 20 times a second, which adds up to 50 ms to every hop,
and visibility is limited to 10 calls a second: an SLO would then judge the limiter.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

TUNED: Final[Mapping[str, Any]] = {
    "history.transferProcessorMaxPollRPS": 1000,
    "history.timerProcessorMaxPollRPS": 1000,
    "history.visibilityProcessorMaxPollRPS": 200,
    "frontend.namespaceRPS": 20000,
    "frontend.namespaceRPS.visibility": 500,
    "frontend.rps": 20000,
    "frontend.namespaceCount": 10000,
    # keep dispatch of one queue in one place: four partitions only add hops at these rates
    "matching.numTaskqueueReadPartitions": 1,
    "matching.numTaskqueueWritePartitions": 1,
    # pausing is a material change, and off by default
    "frontend.WorkflowPauseEnabled": True,
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
