"""Running the command line as a user does, in a session and with a tool cache of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
WITHIN_S = 150


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a command ended with."""

    code: int
    out: str
    err: str


def harness(*arguments: str | Path, cache: Path, cwd: Path = ROOT) -> Done:
    """Run one command to its end."""
    with started(*arguments, cache=cache, cwd=cwd) as process:
        out, err = process.communicate(timeout=WITHIN_S)
    return Done(code=process.returncode, out=out, err=err)


@contextlib.contextmanager
def started(
    *arguments: str | Path, cache: Path, cwd: Path = ROOT
) -> Iterator[subprocess.Popen[str]]:
    """A running command; what is left of its session is ended afterwards."""
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        start_new_session=True,
        env={**os.environ, "HARNESS_CACHE": str(cache), "PYTHONPATH": str(ROOT)},
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def recorded_children(cache: Path) -> dict[str, int]:
    """Role and pid of every child that supervisors have on record now."""
    found: dict[str, int] = {}
    for path in (cache / "running").glob("*.json"):
        with contextlib.suppress(ValueError, OSError):
            for child in json.loads(path.read_text())["children"]:
                found[child["role"]] = child["pid"]
    return found


def wait_for_role(cache: Path, beginning: str, within_s: float = 60) -> dict[str, int]:
    """The children as soon as one has a role that begins so."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        children = recorded_children(cache)
        if any(role.startswith(beginning) for role in children):
            return children
        time.sleep(0.05)
    raise AssertionError(f"no {beginning} within {within_s} s: {recorded_children(cache)}")


def alive(pids: dict[str, int]) -> dict[str, int]:
    """Those that still run (a zombie does not)."""
    return {role: pid for role, pid in pids.items() if _runs(pid)}


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def gone(pids: dict[str, int], within_s: float) -> dict[str, int]:
    """Those that still run after that time at the most."""
    deadline = time.monotonic() + within_s
    while (left := alive(pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left
