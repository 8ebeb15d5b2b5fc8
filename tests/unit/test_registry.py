"""What a run that was killed left behind: ended by pid and start time, and nothing else is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from harness.errors import UnavailableError
from harness.platform.registry import Known, Registry, State, start_time, sweep

Start = Callable[[], "subprocess.Popen[bytes]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts processes that lead a group of their own and wait; all are ended afterwards."""
    started: list[subprocess.Popen[bytes]] = []

    def one() -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen(["sleep", "60"], start_new_session=True))
        return started[-1]

    yield one
    for each in started:
        each.kill()
        each.wait()


@pytest.fixture
def running(tmp_path: Path) -> Path:
    folder = tmp_path / "running"
    folder.mkdir()
    return folder


def known(process: subprocess.Popen[bytes], later: int = 0) -> Known:
    began = start_time(process.pid)
    assert began
    return Known(role="worker-calm-0", pid=process.pid, started=began + later)


def gone() -> Known:
    """A supervisor that has ended."""
    ended = subprocess.Popen(["true"], start_new_session=True)
    ended.wait()
    return Known(role="supervisor", pid=ended.pid, started=1)


def left_behind(running: Path, *children: Known, supervisor: Known, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    path = running / f"{supervisor.pid}.json"
    state = State(supervisor=supervisor, folder=str(folder), children=list(children))
    path.write_bytes(msgspec.json.encode(state))
    return path


def test_a_child_of_a_dead_supervisor_is_ended_and_named(
    running: Path, tmp_path: Path, start: Start
) -> None:
    child, folder = start(), tmp_path / "harness-abc"
    path = left_behind(running, known(child), supervisor=gone(), folder=folder)
    (line,) = sweep(running)
    assert "worker-calm-0" in line
    assert str(child.pid) in line
    assert child.wait(5) == -signal.SIGKILL
    assert not path.exists()
    assert not folder.exists()


def test_the_whole_group_of_a_child_is_ended(running: Path, tmp_path: Path) -> None:
    script = "sleep 60 & echo $!; wait"
    with subprocess.Popen(
        ["sh", "-c", script], start_new_session=True, stdout=subprocess.PIPE
    ) as leader:
        assert leader.stdout is not None
        assert leader.stdout.readline()  # its own child runs as well, and holds the output
        left_behind(running, known(leader), supervisor=gone(), folder=tmp_path / "harness-a")
        assert len(sweep(running)) == 1
        leader.wait(5)
        assert leader.stdout.read() == b""


def test_a_process_that_has_the_pid_by_chance_is_left_alone(
    running: Path, tmp_path: Path, start: Start
) -> None:
    stranger = start()
    left_behind(running, known(stranger, later=1), supervisor=gone(), folder=tmp_path / "harness-a")
    assert sweep(running) == []
    assert stranger.poll() is None


def test_a_child_whose_start_time_is_unknown_is_left_alone(
    running: Path, tmp_path: Path, start: Start
) -> None:
    child = start()
    unknown = Known(role="worker", pid=child.pid, started=0)
    left_behind(running, unknown, supervisor=gone(), folder=tmp_path / "harness-a")
    assert sweep(running) == []
    assert child.poll() is None


def test_a_child_that_has_ended_is_no_news(running: Path, tmp_path: Path, start: Start) -> None:
    child = start()
    about = known(child)
    child.kill()
    child.wait()
    left_behind(running, about, supervisor=gone(), folder=tmp_path / "harness-a")
    assert sweep(running) == []
    assert list(running.iterdir()) == []


def test_a_supervisor_that_lives_keeps_all_it_has(
    running: Path, tmp_path: Path, start: Start
) -> None:
    supervisor, child, folder = start(), start(), tmp_path / "harness-abc"
    path = left_behind(running, known(child), supervisor=known(supervisor), folder=folder)
    assert sweep(running) == []
    assert child.poll() is None
    assert path.exists()
    assert folder.exists()


def test_a_stranger_with_the_supervisors_pid_does_not_protect_what_was_left(
    running: Path, tmp_path: Path, start: Start
) -> None:
    stranger, child = start(), start()
    left_behind(
        running, known(child), supervisor=known(stranger, later=1), folder=tmp_path / "harness-a"
    )
    assert len(sweep(running)) == 1
    assert child.wait(5) == -signal.SIGKILL
    assert stranger.poll() is None


def test_a_folder_that_is_not_ours_by_its_name_is_never_removed(
    running: Path, tmp_path: Path
) -> None:
    precious = tmp_path / "precious"
    left_behind(running, supervisor=gone(), folder=precious)
    sweep(running)
    assert precious.exists()


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"{}", b'{"supervisor": 1}'])
def test_a_file_that_cannot_be_read_is_passed_over(running: Path, content: bytes) -> None:
    (running / "1.json").write_bytes(content)
    assert sweep(running) == []


def test_nothing_to_sweep_is_no_error(tmp_path: Path) -> None:
    assert sweep(tmp_path / "never-made") == []


def test_a_registry_says_what_runs_and_leaves_nothing(running: Path, start: Start) -> None:
    registry, child = Registry(running), start()
    registry.remember("worker-calm-0", child.pid)
    path = running / f"{os.getpid()}.json"
    state = msgspec.json.decode(path.read_bytes(), type=State)
    assert state.supervisor.pid == os.getpid()
    assert state.supervisor.started == start_time(os.getpid())
    assert state.children == [known(child)]
    assert Path(state.folder).is_dir()
    assert sweep(running) == []  # this process lives
    registry.forget(child.pid)
    assert msgspec.json.decode(path.read_bytes(), type=State).children == []
    registry.close()
    assert list(running.iterdir()) == []
    assert not Path(state.folder).exists()


def test_a_cache_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UnavailableError, match="HARNESS_CACHE") as raised:
        Registry(tmp_path / "file" / "running")
    assert str(tmp_path / "file") in str(raised.value)


def test_a_process_that_has_ended_has_no_start_time_not_even_as_a_zombie() -> None:
    zombie = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    assert start_time(zombie.pid) is None
    zombie.wait()
    assert start_time(zombie.pid) is None
