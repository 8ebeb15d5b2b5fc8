"""Running a command that ends by itself: a version query, an installer, a build."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from harness.errors import UnavailableError

Progress = Callable[[str], None]

_LAST_LINES = 15
_BEAT_S = 5.0
_PASSWORD = re.compile(r"//[^/@\s]+@")


def silent(line: str) -> None:
    """A `Progress` that shows nothing."""


def complete(
    command: Sequence[str | Path],
    *,
    doing: str,
    deadline_s: float,
    progress: Progress = silent,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    advice: str = "",
) -> str:
    """Run `command` to its end and return what it printed, both streams in their order.

    `env` is its whole environment (default: ours). Every few seconds `progress` hears that it
    is still `doing`. Raises `UnavailableError` if it cannot be started, fails or outlives
    `deadline_s`; the message has `advice` (what to do then) and the last lines it printed. A
    command that is given up, or whose caller is interrupted, is ended with its children.
    """
    with tempfile.TemporaryFile() as output:
        code = _run(command, doing, deadline_s, progress, env, cwd, output)
        output.seek(0)
        text = output.read().decode("utf-8", "replace")
    if code == 0:
        return text
    problem = f"not done within {deadline_s:g} s" if code is None else f"ended with {code}"
    raise UnavailableError("; ".join(filter(None, (f"{doing}: {problem}", advice))) + _tail(text))


def _run(
    command: Sequence[str | Path],
    doing: str,
    deadline_s: float,
    progress: Progress,
    env: Mapping[str, str] | None,
    cwd: Path | None,
    output: IO[bytes],
) -> int | None:
    try:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=env,
            cwd=cwd,
            start_new_session=True,
        )
    except OSError as error:
        raise UnavailableError(f"{doing}: {command[0]}: {error.strerror}") from None
    try:
        return _wait(process, doing, deadline_s, progress)
    finally:
        _end(process)


def _wait(
    process: subprocess.Popen[bytes], doing: str, deadline_s: float, progress: Progress
) -> int | None:
    began = time.monotonic()
    while (left := began + deadline_s - time.monotonic()) > 0:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(min(_BEAT_S, left))
        progress(f"{doing}: {time.monotonic() - began:.0f} s")
    return None


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it with its whole group if it still runs: compilers are children of the command."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _tail(text: str) -> str:
    """The end of an output for a message; passwords in addresses are not shown."""
    lines = _PASSWORD.sub("//***@", text).strip().splitlines()[-_LAST_LINES:]
    return "; its last lines:\n" + "\n".join(f"    {line}" for line in lines) if lines else ""
