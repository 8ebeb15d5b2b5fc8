"""The tool cache: a folder of the user's that outlives trials, shared by runs at the same time."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from harness.errors import UnavailableError

_POLL_S = 0.2


def cache_folder() -> Path:
    """`HARNESS_CACHE`, else `XDG_CACHE_HOME`/temporal-harness, else ~/.cache/temporal-harness.

    Always absolute; it need not exist yet. As its standard asks, a relative `XDG_CACHE_HOME`
    is ignored.
    """
    if own := os.environ.get("HARNESS_CACHE"):
        return Path(own).expanduser().absolute()
    xdg = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (xdg if xdg.is_absolute() else Path.home() / ".cache") / "temporal-harness"


@contextlib.contextmanager
def exclusive(name: str, *, deadline_s: float, waiting: Callable[[], None]) -> Iterator[Path]:
    """Hold the cache's lock `name`, shared with all processes of the machine; gives the folder.

    `waiting` is called once if another process holds it. The lock ends with its process, however
    that ends. Raises `UnavailableError` if it is not free within `deadline_s`, or if the folder
    cannot be written, then or while the lock is held.
    """
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"{name}.lock").open("ab") as lock:
            _acquire(lock.fileno(), folder / name, deadline_s, waiting)
            yield folder
    except OSError as error:
        raise UnavailableError(
            f"{error.filename or folder}: {error.strerror}; the harness keeps tools in {folder}, "
            "set HARNESS_CACHE to a folder that can be written"
        ) from None


@contextlib.contextmanager
def draft(folder: Path, name: str) -> Iterator[Path]:
    """A new folder beside what will be `name`, gone afterwards; the caller holds that lock.

    Drafts that a killed run left behind are removed first.
    """
    for stale in folder.glob(f"{name}.draft-*"):
        shutil.rmtree(stale, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=f"{name}.draft-") as made:
        yield Path(made)


def _acquire(descriptor: int, path: Path, deadline_s: float, waiting: Callable[[], None]) -> None:
    until = time.monotonic() + deadline_s
    told = False
    while not _try_lock(descriptor):
        if not told:
            waiting()
            told = True
        if time.monotonic() > until:
            raise UnavailableError(
                f"{path}: another run has been making it for {deadline_s:g} s; end that run"
            )
        time.sleep(_POLL_S)  # flock has no deadline of its own


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
