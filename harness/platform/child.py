"""One child process under its guard."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Protocol

from harness.contract.ready import READY
from harness.errors import EXIT_UNAVAILABLE, UnavailableError
from harness.platform.forks import Forks, ours
from harness.platform.registry import Registry
from harness.tools.cache import cache_folder

GUARD = Path(__file__).with_name("guard.py")
TAIL_LINES = 12
LONGEST_LINE = 4 << 20


class Guarded(Protocol):
    """A guard that was started, and through it its child's pipes."""

    @property
    def stdin(self) -> IO[bytes] | None: ...
    @property
    def stdout(self) -> IO[bytes] | None: ...
    def poll(self) -> int | None:
        """The exit code, or None while it runs."""


class Child:
    """A running process in a group of its own; made by `Children.start`.

    `pid` is the child's (and its group's) id. `lines` keeps its last output lines; all of its
    output goes to `log`.
    """

    def __init__(
        self,
        role: str,
        popen: Guarded,
        pid: int,
        log: Path,
        lifeline: int,
        registry: Registry,
    ) -> None:
        self.role = role
        self.pid = pid
        self.log = log
        self.lines: deque[str] = deque(maxlen=TAIL_LINES)
        self._popen = popen
        self._lifeline = lifeline
        self._registry = registry
        self._ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._on_line: asyncio.Queue[str | None] | None = None
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self._popen.stdout is not None
        reader = asyncio.StreamReader(limit=LONGEST_LINE)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), self._popen.stdout
        )
        with _opened(self.log) as log:
            while line := await _line(reader):
                self._keep(log, line)
        transport.close()
        if not self._ready.done():
            self._ready.set_exception(EOFError())
            self._ready.exception()  # an unawaited one is no news
        if self._on_line is not None:
            self._on_line.put_nowait(None)

    def _keep(self, log: IO[bytes], line: bytes) -> None:
        with contextlib.suppress(OSError):  # a full disk must not end the child's reader
            log.write(line)
        text = line.decode("utf-8", "replace").rstrip()
        if text.startswith(READY):
            if not self._ready.done():
                self._ready.set_result(text.removeprefix(READY))
        elif self._on_line is not None:
            self._on_line.put_nowait(text)
        else:
            self.lines.append(text)

    def requests(self) -> asyncio.Queue[str | None]:
        """From now on lines of output are queued here; None means end of file."""
        self._on_line = asyncio.Queue()
        return self._on_line

    def tell(self, line: str) -> None:
        """Write a line to the child's standard input; a child that is gone is no error."""
        assert self._popen.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._popen.stdin.write(line.encode() + b"\n")
            self._popen.stdin.flush()

    async def ready(self, within_s: float, what_to_do: str) -> str:
        """The JSON of its ready line; raises `UnavailableError` with its last lines if none came.

        One that says itself why it cannot begin, and ends with 69, has the word.
        """
        try:
            return await asyncio.wait_for(asyncio.shield(self._ready), within_s)
        except EOFError:
            code = await self.wait(5)
            if code == EXIT_UNAVAILABLE and self.lines:
                raise UnavailableError(self.lines[-1]) from None
            raise UnavailableError(
                f"{self.role}: exited with {code} before it was ready; {what_to_do}{self.tail()}"
            ) from None
        except TimeoutError:
            raise UnavailableError(
                f"{self.role}: not ready within {within_s:g} s; {what_to_do}{self.tail()}"
            ) from None

    def tail(self) -> str:
        """Its last lines of output, indented, or what else is known of them."""
        if not self.lines:
            return " (it printed nothing)"
        return "; its last lines:\n" + "\n".join(f"    {line}" for line in self.lines)

    @property
    def running(self) -> bool:
        """Whether the child still runs."""
        return self._popen.poll() is None

    def signal(self, number: int) -> None:
        """Send a signal to the whole group; a group that is gone is no error."""
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    async def wait(self, within_s: float) -> int | None:
        """Its exit code (128 + n for signal n), or None if it still runs."""
        deadline = asyncio.get_running_loop().time() + within_s
        while (code := self._popen.poll()) is None:
            if asyncio.get_running_loop().time() > deadline:
                return None
            await asyncio.sleep(0.01)
        await asyncio.wait({self._reader}, timeout=2)  # its last lines; the guard ended its group
        self._close()
        return code

    async def kill(self) -> None:
        """SIGKILL to the group, and wait until it is gone."""
        self.signal(signal.SIGKILL)
        await self.wait(10)

    async def stop(self, within_s: float = 10) -> int | None:
        """SIGTERM, and SIGKILL to what has not ended in time; returns the exit code."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        code = await self.wait(within_s)
        if code is None:
            await self.kill()
        return code

    def _close(self) -> None:
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1
            self._registry.forget(self.pid)


class Children:
    """All children of one supervisor. Use as an async context: leaving it ends every child.

    With `forks`, our own Python modules are forked from a process that has imported what they need.
    """

    def __init__(self, registry: Registry, logs: Path, forks: Forks | None = None) -> None:
        self.forks = forks
        self._registry = registry
        self._logs = logs
        self._started: list[Child] = []

    async def start(
        self,
        role: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stdin: bool = False,
        whole_env: bool = False,
        forked: bool = True,
    ) -> Child:
        """Start `command` in a group of its own under a guard.

        `env` is added to the environment, or is all of it with `whole_env`. One that is not to be
        `forked` has an interpreter of its own in any case. Raises `UnavailableError` if it cannot
        be started.
        """
        lifeline_read, lifeline = os.pipe()
        report, report_write = os.pipe()
        whole = {
            **({} if whole_env else os.environ),
            "PYTHONUNBUFFERED": "1",
            **(env or {}),
        }
        if ours(command):
            whole = _compiled_once(whole)
        try:
            popen = self._guarded(
                command, whole, cwd, (lifeline_read, report_write), stdin=stdin, forked=forked
            )
        except OSError as error:
            os.close(report)
            os.close(lifeline)
            raise UnavailableError(f"{role}: cannot be started: {error}") from None
        finally:
            os.close(lifeline_read)
            os.close(report_write)
        try:
            pid = await asyncio.to_thread(_reported_pid, report)
        except asyncio.CancelledError:
            os.close(lifeline)  # nobody would know of it: its guard ends it
            raise
        if pid is None:
            os.close(lifeline)
            raise UnavailableError(f"{role}: its guard ended before it started {command[0]}")
        self._registry.remember(role, pid)
        child = Child(role, popen, pid, self._logs / f"{role}.log", lifeline, self._registry)
        self._started.append(child)
        return child

    def _guarded(
        self,
        command: Sequence[str],
        env: Mapping[str, str],
        cwd: Path | None,
        guard: tuple[int, int],
        *,
        stdin: bool,
        forked: bool,
    ) -> Guarded:
        """Start a guard with its (lifeline, report), which starts the command."""
        if forked and self.forks is not None and self.forks.takes(command):
            return self.forks.fork(command, env, cwd, guard, stdin=stdin)
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(GUARD), *map(str, guard), "--", *command],
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=env,
            pass_fds=guard,
            start_new_session=True,
        )

    @property
    def alive(self) -> list[Child]:
        """Those that run."""
        return [child for child in self._started if child.running]

    async def stop_all(self) -> None:
        """End every child, the latest first, politely and then for certain."""
        for child in reversed(self._started):
            if child.running:
                await child.stop(5)
            await child.wait(5)
        self._started.clear()

    async def __aenter__(self) -> Children:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.shield(self.stop_all())


def _compiled_once(env: Mapping[str, str]) -> dict[str, str]:
    """Where Python is to leave no bytecode beside the sources, ours goes into the tool cache: a
    workflow sandbox imports for each run again."""
    if not env.get("PYTHONDONTWRITEBYTECODE") or "PYTHONPYCACHEPREFIX" in env:
        return dict(env)
    without = {name: each for name, each in env.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**without, "PYTHONPYCACHEPREFIX": str(cache_folder() / "bytecode")}


def _opened(log: Path) -> IO[bytes]:
    try:
        return log.open("ab", buffering=0)
    except OSError:  # a full disk: then there is no log
        return Path(os.devnull).open("ab", buffering=0)


async def _line(reader: asyncio.StreamReader) -> bytes:
    """The next line, empty at the end of file; one that is too long is cut out."""
    while True:
        try:
            return await reader.readline()
        except ValueError:
            continue


def _reported_pid(report: int) -> int | None:
    with os.fdopen(report, "rb") as stream:
        line = stream.readline()
    return int(line) if line else None
