"""A trial's folder while it is written: made, locked, sealed with its manifest."""

from __future__ import annotations

import contextlib
import datetime
import errno
import fcntl
import os
import secrets
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from harness.errors import UnavailableError, UsageError
from harness.journal.manifest import (
    DRAFT,
    HISTORIES,
    JOURNAL,
    MANIFEST,
    SAMPLES,
    File,
    Manifest,
    begin_manifest,
    file_entry,
    read_manifest,
    write_manifest,
)
from harness.journal.records import UNDECODABLE, Footer

LOCK = ".running"
LOGS = "logs"
OWN = "supervisor"  # the segment of the supervisor itself
LEAST_FREE_BYTES = 64 << 20
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Trial:
    """An open trial. `journal`, `histories`, `samples`, `logs` are its folders, `seed` its own."""

    def __init__(self, folder: Path, trial_id: str, lock: int) -> None:
        self.folder = folder
        self.id = trial_id
        self.journal = folder / JOURNAL
        self.histories = folder / HISTORIES
        self.samples = folder / SAMPLES
        self.logs = folder / LOGS
        self.seed = zlib.crc32(trial_id.encode()) or 1
        self._lock = lock

    def take_over(self, recorded: Path) -> None:
        """Begin with the evidence of another trial; its supervisor's segment gets another name."""
        with self._on_disk():
            for path in sorted(recorded.rglob("*")):
                name = path.relative_to(recorded)
                if path.is_file() and name.parts[0] not in (LOCK, MANIFEST, DRAFT):
                    if name == Path(JOURNAL, f"{OWN}.jsonl"):
                        name = Path(JOURNAL, f"{OWN}-of-the-drive.jsonl")
                    (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                    os.link(path, self.folder / name)

    def begin(self, manifest: Manifest) -> None:
        """Write what is known now, for the case that the run is killed."""
        with self._on_disk():
            begin_manifest(self.folder, manifest)

    def discarded(self) -> bool:
        """Remove a trial in which nothing was driven, all but its logs; false if something was."""
        if any(_lines(path) > 2 for path in self.journal.glob("*.jsonl") if path.stem != OWN):
            return False
        for each in (self.journal, self.histories, self.samples):
            shutil.rmtree(each, ignore_errors=True)
        for path in (*self.logs.glob("*"), self.folder / DRAFT):
            if path.name == DRAFT or not path.stat().st_size:
                path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # there are logs
            self.logs.rmdir()
            (self.folder / LOCK).unlink(missing_ok=True)
            self.folder.rmdir()
        return True

    def seal(self, manifest: Manifest) -> None:
        """Write the manifest, last of all, with every file's digest."""
        files = [_segment_entry(self.folder, path) for path in sorted(self.journal.glob("*.jsonl"))]
        files += [
            file_entry(self.folder, path, 0)
            for path in sorted(self.samples.glob("*"))
            if path.is_file()
        ]
        with self._on_disk():
            write_manifest(self.folder, msgspec.structs.replace(manifest, files=files))

    @contextlib.contextmanager
    def _on_disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UnavailableError(
                f"{self.folder}: {error.strerror}; what was recorded is kept, make room and judge "
                f"it with: harness recheck --salvage {self.folder}"
            ) from None

    def release(self) -> None:
        """Another run may use the folder's parent again."""
        (self.folder / LOCK).unlink(missing_ok=True)
        os.close(self._lock)


def _lines(path: Path) -> int:
    with path.open("rb") as stream:
        return sum(1 for _ in stream)


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
    except UNDECODABLE:
        return False, 0


def new_trial_id(arm: str) -> str:
    """A name that sorts by time: arm, date, time, four random hex digits."""
    moment = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H%M%S")
    return f"{arm}-{moment}-{secrets.token_hex(2)}"


def open_trial(arm: str, out: Path | None, recorded: Path | None = None) -> Trial:
    """Make and lock a trial's folder: `out`, or a new one below `out/`, named as the trial.

    Its id is new in either case: workflow ids begin with it, and an engine remembers them. Only one
    that takes over the drive of a `recorded` trial has that one's.
    Raises `UsageError` for a folder that holds a trial already or is in use by a run,
    `UnavailableError` for one that cannot be written or a disk that is full.
    """
    trial_id = read_manifest(recorded).trial_id if recorded else new_trial_id(arm)
    folder = out or Path("out") / trial_id
    try:
        folder.mkdir(parents=True, exist_ok=True)
        trial = Trial(folder, trial_id, _locked(folder))
        try:
            _prepare(trial)
        except BaseException:
            trial.release()
            raise
    except OSError as error:
        raise UnavailableError(
            f"{folder}: {error.strerror}; the trial is written there, "
            "give --out a folder that can be written"
        ) from None
    return trial


def _prepare(trial: Trial) -> None:
    if (trial.folder / MANIFEST).exists() or trial.journal.exists():
        raise UsageError(f"{trial.folder}: holds a trial already; give --out a new or empty folder")
    _require_room(trial.folder)
    for each in (trial.journal, trial.histories, trial.samples):
        each.mkdir()
    trial.logs.mkdir(exist_ok=True)  # a run that could not begin leaves its logs


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
