"""The guard of a child: whatever becomes of the supervisor, the child's group ends with it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.errors import UnavailableError
from harness.platform.child import GUARD, Child, Children
from harness.platform.registry import Registry, start_time

HOLDS_ITS_OUTPUT = "sleep 60 & echo $!; wait"


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    made = Registry(tmp_path / "running")
    yield made
    made.close()


class Guarded:
    """A guard as a supervisor starts it, seen through its pipes."""

    def __init__(self, *command: str) -> None:
        lifeline_read, self.lifeline = os.pipe()
        report, report_write = os.pipe()
        self.report = report
        pipes = (str(lifeline_read), str(report_write))
        self.popen = subprocess.Popen(
            [sys.executable, "-I", "-S", str(GUARD), *pipes, "--", *command],
            stdout=subprocess.PIPE,
            pass_fds=(lifeline_read, report_write),
            start_new_session=True,
        )
        os.close(lifeline_read)
        os.close(report_write)

    def line(self) -> bytes:
        """The next line of output."""
        assert self.popen.stdout is not None
        return self.popen.stdout.readline()

    def output(self) -> bytes:
        """All output that is left; it ends when nobody of the group does any more."""
        assert self.popen.stdout is not None
        return self.popen.stdout.read()


def test_when_the_supervisor_is_gone_the_whole_group_is() -> None:
    guarded = Guarded("sh", "-c", HOLDS_ITS_OUTPUT)
    child = int(os.read(guarded.report, 20))
    assert os.getpgid(child) == child
    assert guarded.line()  # its own child runs as well, and holds the output
    os.close(guarded.lifeline)
    assert guarded.output() == b""
    assert guarded.popen.wait(5) == 137
    assert start_time(child) is None


def test_a_supervisor_that_died_before_it_was_told_the_pid_leaves_nothing_either() -> None:
    guarded = Guarded("sh", "-c", HOLDS_ITS_OUTPUT)
    os.close(guarded.report)
    os.close(guarded.lifeline)
    guarded.output()
    assert guarded.popen.wait(5) == 137


def test_a_child_that_ends_takes_along_what_it_left_in_its_group() -> None:
    guarded = Guarded("sh", "-c", "sleep 60 & exit 3")
    guarded.output()
    assert guarded.popen.wait(5) == 3
    os.close(guarded.lifeline)


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["sh", "-c", "exit 7"], 7),
        (["sh", "-c", "kill -9 $$"], 137),
        (["sh", "-c", "kill -15 $$"], 143),
        (["/no/such/program"], 127),
    ],
)
def test_the_guard_ends_with_the_code_of_its_child(command: list[str], code: int) -> None:
    guarded = Guarded(*command)
    assert guarded.popen.wait(5) == code
    os.close(guarded.lifeline)


async def test_a_child_says_when_it_is_ready_and_ends_with_its_context(
    tmp_path: Path, registry: Registry
) -> None:
    async with Children(registry, tmp_path) as children:
        child = await children.start(
            "worker", ["sh", "-c", "echo one; echo 'HARNESS-READY {\"a\": 1}'; sleep 60"]
        )
        assert await child.ready(10, "") == '{"a": 1}'
        assert child.running
    assert not child.running
    assert start_time(child.pid) is None
    assert (tmp_path / "worker.log").read_text().splitlines()[0] == "one"


async def test_a_signal_right_after_the_start_reaches_the_child(
    tmp_path: Path, registry: Registry
) -> None:
    """The group is there as soon as its pid is known."""
    async with Children(registry, tmp_path) as children:
        for number in range(5):
            child = await children.start(f"worker-{number}", ["sleep", "60"])
            child.signal(signal.SIGKILL)
            assert await child.wait(5) == 137


async def test_a_child_that_does_not_heed_sigterm_is_killed(
    tmp_path: Path, registry: Registry
) -> None:
    async with Children(registry, tmp_path) as children:
        deaf = "trap '' TERM; echo HARNESS-READY {}; while :; do sleep 1; done"
        child = await children.start("worker", ["sh", "-c", deaf])
        await child.ready(10, "")
        assert await child.stop(0.1) is None
        assert not child.running


async def failing_child(children: Children, script: str, within_s: float = 10) -> str:
    child = await children.start("worker-calm-0", ["sh", "-c", script])
    with pytest.raises(UnavailableError) as raised:
        await child.ready(within_s, "check worker.command")
    return str(raised.value)


async def test_a_child_that_exits_at_once_is_told_with_its_last_lines(
    tmp_path: Path, registry: Registry
) -> None:
    async with Children(registry, tmp_path) as children:
        told = await failing_child(children, "echo no such module >&2; exit 4")
    assert told.startswith("worker-calm-0: exited with 4 before it was ready; check worker.command")
    assert told.endswith("    no such module")


async def test_a_child_that_never_gets_ready_is_told_with_its_last_lines(
    tmp_path: Path, registry: Registry
) -> None:
    async with Children(registry, tmp_path) as children:
        told = await failing_child(children, "echo still connecting; sleep 60", within_s=0.5)
    assert "not ready within 0.5 s" in told
    assert told.endswith("    still connecting")


async def test_a_child_that_knows_why_it_cannot_begin_has_the_word(
    tmp_path: Path, registry: Registry
) -> None:
    async with Children(registry, tmp_path) as children:
        told = await failing_child(children, "echo the port 7801 is in use; exit 69")
    assert told == "the port 7801 is in use"


async def test_empty_lines_and_endless_ones_do_not_end_the_reading(
    tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.platform.child.LONGEST_LINE", 1000)
    script = "echo; head -c 5000 /dev/zero | tr '\\0' x; echo; echo; echo last"
    async with Children(registry, tmp_path) as children:
        child = await children.start("drive", ["sh", "-c", f"sleep 0.2; {script}"])
        lines = child.requests()
        said = []
        while (line := await asyncio.wait_for(lines.get(), 10)) is not None:
            said.append(line)
    assert (said[0], said[-1]) == ("", "last")


async def test_all_that_a_child_said_is_known_once_it_has_ended(
    tmp_path: Path, registry: Registry
) -> None:
    async with Children(registry, tmp_path) as children:
        child = await children.start("replay", ["sh", "-c", "echo why; exit 69"])
        assert await child.wait(10) == 69
        assert list(child.lines) == ["why"]


async def test_a_folder_that_is_not_there_is_no_bug(tmp_path: Path, registry: Registry) -> None:
    async with Children(registry, tmp_path) as children:
        with pytest.raises(UnavailableError, match="cannot be started"):
            await children.start("worker", ["true"], cwd=tmp_path / "nowhere")


async def test_a_start_that_is_cancelled_leaves_no_child(
    tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C in the moment between the start of a guard and the report of its child's pid."""

    async def never(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("harness.platform.child.asyncio.to_thread", never)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    in_thread = asyncio.get_running_loop().run_in_executor
    async with Children(registry, tmp_path) as children:
        script = f"exec 9> {pipe}; echo $$ >&9; sleep 60"
        starting = asyncio.create_task(children.start("worker", ["sh", "-c", script]))
        with await in_thread(None, pipe.open) as said:
            assert await in_thread(None, said.readline)
            starting.cancel()
            await asyncio.wait({starting})
            await asyncio.wait_for(in_thread(None, said.read), 5)  # until nobody holds the pipe


async def test_a_child_that_is_gone_can_be_told_and_signalled_without_harm(
    tmp_path: Path, registry: Registry
) -> None:
    async with Children(registry, tmp_path) as children:
        child: Child = await children.start("drive", ["true"], stdin=True)
        assert await child.wait(5) == 0
        child.tell("anybody?")
        child.signal(signal.SIGTERM)
        await child.kill()
