"""Starting Python programs by forking a process that has imported what they need."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Final

import msgspec

from harness.platform.fork_server import Order

OURS: Final = ("harness.", "scenarios.")
GONE: Final = 137  # its guard was killed before it could say with what the child ended


def ours(command: Sequence[str]) -> bool:
    """Whether a command is a module of this product, run by this interpreter."""
    if command[0] != sys.executable or "-m" not in command[:-1]:
        return False
    return command[command.index("-m") + 1].startswith(OURS)


class Forked:
    """A guard that was forked, seen as `subprocess.Popen` would show it."""

    def __init__(self, stdin: IO[bytes] | None, stdout: IO[bytes], status: int) -> None:
        self.stdin = stdin
        self.stdout: IO[bytes] | None = stdout
        self._status = status
        self._code: int | None = None
        os.set_blocking(status, False)

    def poll(self) -> int | None:
        """The exit code, once the guard has ended."""
        if self._code is None:
            try:
                said = os.read(self._status, 16)
            except BlockingIOError:
                return None
            self._code = int(said) if said else GONE
            os.close(self._status)
        return self._code


class Forks:
    """Where a fork server listens."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def takes(self, command: Sequence[str]) -> bool:
        """Whether a command is a module of ours with nothing else asked of the interpreter; what
        others import may mind what was imported before."""
        return ours(command) and command[1] == "-m"

    def fork(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        folder: Path | None,
        guard: tuple[int, int],
        *,
        stdin: bool,
    ) -> Forked:
        """Start the command with the guard's (lifeline, report); raises `OSError`."""
        order = Order(
            module=command[2],
            arguments=list(command[3:]),
            environment=dict(environment),
            folder=str((folder or Path()).resolve()),
        )
        status, status_write = os.pipe()
        stdout, stdout_write = os.pipe()
        stdin_read, stdin_write = os.pipe() if stdin else (os.open(os.devnull, os.O_RDONLY), -1)
        theirs = [*guard, status_write, stdin_read, stdout_write]
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(str(self._path))
                socket.send_fds(connection, [b"\0"], theirs)
                connection.sendall(msgspec.json.encode(order))
        finally:
            for each in theirs[2:]:
                os.close(each)
        written = os.fdopen(stdin_write, "wb") if stdin else None
        return Forked(written, os.fdopen(stdout, "rb", buffering=0), status)
