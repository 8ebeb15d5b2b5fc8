"""The load process as the supervisor starts it: Locust without its web interface, one process.

It connects, prints `HARNESS-READY {"mode", "planned", "begin_ns"}`, drives the plan, and ends by
itself at the latest `deadline_s` after being ready. On SIGTERM and SIGINT it ends within seconds
and records what was measured. Its exit code is 0, 64 (settings), 69 (no engine at the beginning, no
disk) or 70 (its own fault); whether the platform kept its promises is for the checks to say.

Below the trial's folder it writes `samples/load.bin` (`samples.py`) and `journal/load.jsonl`: each
second the gauges `load.open` (sent and not ended: the backlog), `load.sent_per_s`,
`load.ended_per_s`, `load.lateness_max_ms`, `load.stall_max_ms` and `load.cpu_share`, and at the end
one `LoadRun`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from harness.load.settings import FILLED_PER_S, Settings, to_environment
from harness.platform.ports import free_ports

STARTS_WITHIN_S: Final = 30.0  # Locust's imports and the connection
SAYS: Final = "load: "  # begins what the process itself has to say, on standard error
_ENDS_WITHIN_S: Final = 10.0
_OURS: Final = ("HARNESS_LOAD_", "HARNESS_TENANTS", "TEMPORAL_")


def locust_command(
    settings: Settings,
    *,
    locust_file: Path,
    processes: int = 1,
    environment: Mapping[str, str] | None = None,
    python: str = sys.executable,
) -> tuple[list[str], dict[str, str]]:
    """The argument list and the whole environment of the load process.

    With several `processes` it is the master of so many, which it forks, and each sends its part.

    `environment` is what it inherits, by default this process's own, less what would set other
    options of Locust or other settings of ours. Raises `UsageError` for settings whose plan would
    be empty or too large.
    """
    settings.plan()
    inherited = _inherited(os.environ if environment is None else environment)
    command = [
        python,
        "-m",
        "locust",
        "--locustfile",
        str(locust_file),
        "--headless",
        "--users",
        str(processes),
        "--spawn-rate",
        str(processes),
        "--only-summary",
        "--loglevel",
        "WARNING",
    ]
    if processes > 1:
        port = str(free_ports(1)[0])  # where workers find their master
        command += ["--processes", str(processes), "--master-bind-port", port]
        command += ["--master-port", port, "--master-bind-host", "127.0.0.1"]
    return command, inherited | to_environment(settings)


def flood_command(settings: Settings, more: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """The argument list and the whole environment of the flooding process."""
    environment = _inherited(os.environ) | to_environment(settings) | dict(more)
    return [sys.executable, "-m", "scenarios.load.flood"], environment


def _inherited(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith(("LOCUST_", *_OURS))
    }


def starts_within_s(settings: Settings) -> float:
    """The longest that it takes to be ready: with namespaces to fill, their rows too."""
    return STARTS_WITHIN_S + len(settings.tenants) * settings.volume / FILLED_PER_S


def deadline_s(settings: Settings) -> float:
    """The longest that the process lives after being ready, seconds."""
    return settings.duration_s + settings.horizon_s + _ENDS_WITHIN_S
