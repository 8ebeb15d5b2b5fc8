"""What the harness has running, on disk, so that the next start can end what a crash left.

One file for each supervisor, in the cache folder: its own pid and start time, its temporary
folder, and the pid and start time of each child. A process is only ever ended when both match.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
from pathlib import Path

import msgspec

from harness.errors import UnavailableError
from harness.journal.records import UNDECODABLE


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A process by pid and start time (clock ticks since boot: a pid alone may be used again)."""

    role: str
    pid: int
    started: int


class State(msgspec.Struct, kw_only=True):
    """The file's content."""

    supervisor: Known
    folder: str
    children: list[Known] = []


def start_time(pid: int) -> int | None:
    """A process's start time in clock ticks since boot, or None if it is gone (or a zombie)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return _start_time_elsewhere(pid)
    return None if fields[0] == "Z" else int(fields[19])


def _start_time_elsewhere(pid: int) -> int | None:
    if Path("/proc/self/stat").exists():
        return None
    import psutil  # only where there is no /proc

    try:
        return int(psutil.Process(pid).create_time() * 100)
    except psutil.Error:
        return None


class Registry:
    """This supervisor's file, and its temporary folder."""

    def __init__(self, running: Path) -> None:
        try:
            running.mkdir(parents=True, exist_ok=True)
            self.folder = Path(tempfile.mkdtemp(prefix="harness-"))
        except OSError as error:
            raise UnavailableError(
                f"{error.filename}: {error.strerror}; the harness keeps its state there, "
                "set HARNESS_CACHE or TMPDIR to a folder that can be written"
            ) from None
        pid = os.getpid()
        self._path = running / f"{pid}.json"
        self._state = State(
            supervisor=Known(role="supervisor", pid=pid, started=start_time(pid) or 0),
            folder=str(self.folder),
        )
        self._save()

    def remember(self, role: str, pid: int) -> None:
        """Record a child that was started."""
        self._state.children.append(Known(role=role, pid=pid, started=start_time(pid) or 0))
        self._save()

    def forget(self, pid: int) -> None:
        """A child has ended."""
        self._state.children = [child for child in self._state.children if child.pid != pid]
        self._save()

    def close(self) -> None:
        """Nothing runs any more: remove the folder and the file."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self._path.unlink(missing_ok=True)

    def _save(self) -> None:
        draft = self._path.with_suffix(".draft")
        draft.write_bytes(msgspec.json.encode(self._state))
        draft.replace(self._path)


def sweep(running: Path) -> list[str]:
    """End what supervisors that are gone left behind; says what was ended, one line each."""
    ended: list[str] = []
    for path in sorted(running.glob("*.json")) if running.is_dir() else []:
        try:
            state = msgspec.json.decode(path.read_bytes(), type=State)
        except (OSError, *UNDECODABLE):
            continue
        if start_time(state.supervisor.pid) == state.supervisor.started:
            continue  # it lives
        ended += [_ended(child) for child in state.children if _end(child)]
        if Path(state.folder).name.startswith("harness-"):
            shutil.rmtree(state.folder, ignore_errors=True)
        path.unlink(missing_ok=True)
    return ended


def _end(child: Known) -> bool:
    if not child.started or start_time(child.pid) != child.started:
        return False
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
        return True
    return False


def _ended(child: Known) -> str:
    return f"ended {child.role} (pid {child.pid}), left by a run that was killed"
