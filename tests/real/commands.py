"""Running the command line as people do, and seeing whether anything of it is left."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import psutil

from harness.platform.registry import Known, State, start_time

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0


@dataclass
class Place:
    """A folder for a test, with a cache of its own by which all that it starts can be found."""

    folder: Path

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "HARNESS_CACHE": str(self.cache), "PYTHONPATH": str(ROOT)}

    def run(self, *argv: str, within_s: float = PATIENCE_S) -> subprocess.CompletedProcess[str]:
        """One command of the harness, to its end."""
        return self.python("-m", "harness", *argv, within_s=within_s)

    def python(self, *argv: str, within_s: float = PATIENCE_S) -> subprocess.CompletedProcess[str]:
        """One Python program, to its end, from the project's folder."""
        return subprocess.run(
            [sys.executable, *argv],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=within_s,
        )

    @contextmanager
    def started(self, *argv: str) -> Iterator[Supervisor]:
        """One command of the harness that runs, in a session of its own."""
        with subprocess.Popen(
            [sys.executable, "-m", "harness", *argv],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as popen:
            try:
                yield Supervisor(self, popen)
            finally:
                popen.kill()

    def left(self) -> list[str]:
        """What runs with this place's cache in its environment: a test wants nothing."""
        found = []
        for process in psutil.process_iter(["name", "cmdline"]):
            try:
                if process.environ().get("HARNESS_CACHE") == str(self.cache):
                    found.append(f"{process.pid} {' '.join(process.info['cmdline'])[-200:]}")
            except psutil.Error:
                continue
        return found

    def await_nothing_left(self, within_s: float) -> list[str]:
        """Wait until nothing is left; what still is when time is up."""
        deadline = time.monotonic() + within_s
        while (left := self.left()) and time.monotonic() < deadline:
            ended(int(left[0].split()[0]), within_s=0.2)
        return left

    def target(self, text: str) -> str:
        """A target file; its path."""
        path = self.folder / "target.yaml"
        path.write_text(text)
        return str(path)


@contextmanager
def clean_place(folder: Path, gone_within_s: float = 3.0) -> Iterator[Place]:
    """A place of which nothing may be left soon after; what is, is ended, and fails the test."""
    made = Place(folder)
    yield made
    left = made.await_nothing_left(gone_within_s)
    for each in left:
        kill(int(each.split()[0]))
    assert left == []


@dataclass
class Supervisor:
    """A running command and what its registry file says it has started."""

    place: Place
    popen: subprocess.Popen[str]
    said: dict[str, str] = field(default_factory=dict)

    def await_line(self, part: str) -> None:
        """Wait for a line of progress."""
        assert self.popen.stderr is not None
        said = []
        while line := self.popen.stderr.readline():
            said.append(line)
            if part in line:
                return
        raise AssertionError(f"it ended without saying {part!r}: {''.join(said)}")

    @property
    def state(self) -> State:
        """What its registry file says at this moment."""
        path = self.place.cache / "running" / f"{self.popen.pid}.json"
        return msgspec.json.decode(path.read_bytes(), type=State)

    def end(self, *signals: int) -> tuple[int, str, str]:
        """Send signals, and wait: exit code, output, progress."""
        for number in signals:
            self.popen.send_signal(number)
        out, err = self.popen.communicate(timeout=PATIENCE_S)
        return self.popen.returncode, out, err


def ended(pid: int, within_s: float) -> bool:
    """Wait for the end of a process that is nobody's child here."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        ready, _, _ = select.select([handle], [], [], within_s)
        return bool(ready)
    finally:
        os.close(handle)


def lives(process: Known) -> bool:
    """Whether a recorded process still runs."""
    return start_time(process.pid) == process.started


def kill(pid: int) -> None:
    """SIGKILL, awaited."""
    os.kill(pid, signal.SIGKILL)
    ended(pid, PATIENCE_S)


def manifest(trial: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((trial / "manifest.json").read_bytes())
    return found
