"""The tool cache, its lock, and commands that end by themselves."""

from __future__ import annotations

import multiprocessing
import threading
from pathlib import Path
from typing import Any

import pytest

from harness.errors import UnavailableError
from harness.tools import cache
from harness.tools.command import complete


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tool cache."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize(
    ("own", "xdg", "expected"),
    [
        ("/own", "/xdg", "/own"),
        ("~/own", "", "/home/someone/own"),
        ("", "/xdg", "/xdg/temporal-harness"),
        ("", "relative", "/home/someone/.cache/temporal-harness"),
        ("", "", "/home/someone/.cache/temporal-harness"),
    ],
)
def test_where_the_cache_is(
    own: str, xdg: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.setenv("HARNESS_CACHE", own)
    monkeypatch.setenv("XDG_CACHE_HOME", xdg)
    assert cache.cache_folder() == Path(expected)


def test_a_cache_of_a_relative_name_is_absolute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", "here")
    assert cache.cache_folder() == Path.cwd() / "here"


def test_a_cache_that_cannot_be_made_says_which_setting_moves_it(folder: Path) -> None:
    folder.write_text("a file")
    with (
        pytest.raises(UnavailableError, match="HARNESS_CACHE"),
        cache.exclusive("x", deadline_s=1, waiting=lambda: None),
    ):
        pass


def test_the_lock_is_waited_for_and_said_once(folder: Path) -> None:
    said: list[str] = []
    with (
        cache.exclusive("x", deadline_s=1, waiting=lambda: None),
        pytest.raises(UnavailableError, match=r"another run .* for 0.5 s"),
        cache.exclusive("x", deadline_s=0.5, waiting=lambda: said.append("waiting")),
    ):
        pass
    assert said == ["waiting"]
    with cache.exclusive("x", deadline_s=0, waiting=lambda: said.append("again")):
        assert said == ["waiting"]


def _hold(held: Any) -> None:
    with cache.exclusive("x", deadline_s=5, waiting=lambda: None):
        held.set()
        threading.Event().wait()


def test_the_lock_of_a_killed_process_is_free(folder: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    held = spawn.Event()
    process = spawn.Process(target=_hold, args=(held,))
    process.start()
    try:
        assert held.wait(30)
    finally:
        process.kill()
        process.join()
    with cache.exclusive("x", deadline_s=0, waiting=lambda: None):
        pass


def test_drafts_of_a_killed_run_are_removed(folder: Path) -> None:
    stale = folder / "x.draft-killed"
    stale.mkdir(parents=True)
    other = folder / "y.draft-other"
    other.mkdir()
    with cache.draft(folder, "x") as fresh:
        assert fresh.is_dir()
        assert not stale.exists()
    assert not fresh.exists()
    assert other.exists()


def test_a_failed_command_shows_what_to_do_and_its_last_lines_without_passwords() -> None:
    script = "for i in $(seq 40); do echo line $i; done; echo https://me:secret@host/x >&2; exit 3"
    with pytest.raises(UnavailableError) as caught:
        complete(["sh", "-c", script], doing="trying", deadline_s=10, advice="do that")
    lines = str(caught.value).splitlines()
    assert lines[0] == "trying: ended with 3; do that; its last lines:"
    assert lines[-2:] == ["    line 40", "    https://***@host/x"]
    assert len(lines) == 16


def test_a_command_that_outlives_its_deadline_is_ended_with_its_children(tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    script = f"(sleep 1; touch {alive}) & echo started; wait"
    with pytest.raises(UnavailableError, match=r"not done within 0.3 s(.|\n)*started"):
        complete(["sh", "-c", script], doing="trying", deadline_s=0.3)
    complete(["sleep", "1.2"], doing="waiting for what must not happen", deadline_s=10)
    assert not alive.exists()


def test_a_command_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(UnavailableError, match=r"trying: /not/there: No such file"):
        complete(["/not/there"], doing="trying", deadline_s=1)
