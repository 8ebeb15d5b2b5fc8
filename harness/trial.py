"""A trial's folder while it is written: made, locked, sealed with its manifest."""

from __future__ import annotations

import contextlib
import datetime
import errno
import fcntl
import os
import secrets
import shutil
from pathlib import Path

import msgspec

from harness.errors import UnavailableError, UsageError
from harness.journal.manifest import (
    HISTORIES,
    JOURNAL,
    MANIFEST,
    SAMPLES,
    File,
    Manifest,
    file_entry,
    write_manifest,
)
from harness.journal.records import Footer

LOCK = ".running"
LOGS = "logs"
LEAST_FREE_BYTES = 64 << 20


class Trial:
    """An open trial. `journal`, `histories`, `samples`, `logs` are its folders."""

    def __init__(self, folder: Path, trial_id: str, lock: int) -> None:
        self.folder = folder
        self.id = trial_id
        self.journal = folder / JOURNAL
        self.histories = folder / HISTORIES
        self.samples = folder / SAMPLES
        self.logs = folder / LOGS
        self._lock = lock

    def seal(self, manifest: Manifest) -> None:
        """Write the manifest, last of all, with every file's digest."""
        files = [_segment_entry(self.folder, path) for path in sorted(self.journal.glob("*.jsonl"))]
        files += [
            file_entry(self.folder, path, 0)
            for path in sorted(self.samples.glob("*"))
            if path.is_file()
        ]
        try:
            write_manifest(self.folder, msgspec.structs.replace(manifest, files=files))
        except OSError as error:
            raise UnavailableError(
                f"{self.folder}: {error.strerror}; what was recorded is kept, make room and judge "
                "it with: harness recheck --salvage"
            ) from None

    def release(self) -> None:
        """Another run may use the folder's parent again."""
        (self.folder / LOCK).unlink(missing_ok=True)
        os.close(self._lock)


def _segment_entry(folder: Path, path: Path) -> File:
    complete, records = _ending(path)
    return file_entry(folder, path, records, complete=complete)


def _ending(path: Path) -> tuple[bool, int]:
    """Whether a segment has its footer, and how many records it holds."""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - 4096))
        last = stream.read().rstrip(b"\n").rpartition(b"\n")[2]
    try:
        return True, msgspec.json.decode(last, type=Footer).records
    except msgspec.MsgspecError:
        return False, 0


def new_trial_id(arm: str) -> str:
    """A name that sorts by time: arm, date, time, four random hex digits."""
    moment = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H%M%S")
    return f"{arm}-{moment}-{secrets.token_hex(2)}"


def open_trial(arm: str, out: Path | None) -> Trial:
    """Make and lock a trial's folder: `out`, or a new one below `out/`.

    Raises `UsageError` for a folder that holds a trial already or is in use by a run,
    `UnavailableError` for one that cannot be written or a disk that is full.
    """
    trial_id = new_trial_id(arm)
    folder = out or Path("out") / trial_id
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = _locked(folder)
        if (folder / MANIFEST).exists() or (folder / JOURNAL).exists():
            os.close(lock)
            (folder / LOCK).unlink(missing_ok=True)
            raise UsageError(f"{folder}: holds a trial already; give --out a new or empty folder")
        _require_room(folder)
        trial = Trial(folder, out.name if out else trial_id, lock)
        for each in (trial.journal, trial.histories, trial.samples, trial.logs):
            each.mkdir()
    except OSError as error:
        raise UnavailableError(
            f"{folder}: {error.strerror}; the trial is written there, "
            "give --out a folder that can be written"
        ) from None
    return trial


def _locked(folder: Path) -> int:
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        if error.errno in (errno.EAGAIN, errno.EACCES):
            raise UsageError(
                f"{folder}: another run is writing there; give --out another folder"
            ) from None
        raise
    return lock


def _require_room(folder: Path) -> None:
    with contextlib.suppress(OSError):
        free = shutil.disk_usage(folder).free
        if free < LEAST_FREE_BYTES:
            raise UnavailableError(
                f"{folder}: {free >> 20} MiB free, a trial needs {LEAST_FREE_BYTES >> 20}; "
                "make room or give --out a folder on another disk"
            )
