"""The manifest: written last, it says what a trial holds and how it ended."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import (
    EvidenceError,
    TamperedJournal,
    TruncatedJournal,
    UnknownJournalVersion,
)
from harness.journal.records import JOURNAL_VERSION, UNDECODABLE

MANIFEST = "manifest.json"
DRAFT = f".{MANIFEST}"
COMPLETE = "complete"
INTERRUPTED = "interrupted"
SALVAGED = "salvaged"
WHY_ENDED = "ended because"  # in `environment`, where it was not by the user
JOURNAL = "journal"
HISTORIES = "histories"
SAMPLES = "samples"


class File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of the trial: path below its folder, records or rows, SHA-256 of its bytes."""

    path: str
    records: int
    sha256: str
    complete: bool = True


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a trial is: versions, what was asked, what was declared, its files, its end.

    `ended` is complete, interrupted, or salvaged (by `--salvage`, for a trial that was not sealed).
    `parameters` are the declared meanings by name, `not_driven` the reasons why something asked for
    could not be driven, by catalogue ID, `waivers` those in force.
    """

    trial_id: str
    arm: str
    profile: str
    harness: str
    journal_version: int = JOURNAL_VERSION
    started_wall_ns: int
    ended_wall_ns: int
    ended: str
    seed: int = 0
    asked: list[str] = []
    tenants: dict[str, str] = {}
    parameters: dict[str, Any] = {}
    environment: dict[str, str] = {}
    target: dict[str, Any] = {}
    not_driven: dict[str, str] = {}
    waivers: list[dict[str, str]] = []
    files: list[File] = []
    digest: str = ""

    def sealed(self) -> Manifest:
        """This manifest with its own digest filled in."""
        return msgspec.structs.replace(self, digest=_digest(self))


def _digest(manifest: Manifest) -> str:
    bare = msgspec.structs.replace(manifest, digest="")
    return hashlib.sha256(msgspec.json.encode(bare, order="sorted")).hexdigest()


def begin_manifest(trial: Path, manifest: Manifest) -> None:
    """Write what is known at the beginning: all that a killed run leaves for `--salvage`."""
    (trial / DRAFT).write_bytes(_body(manifest))


def write_manifest(trial: Path, manifest: Manifest) -> None:
    """Write `manifest.json` at once or not at all, in place of what was begun."""
    draft = trial / DRAFT
    draft.write_bytes(_body(manifest))
    draft.replace(trial / MANIFEST)


def _body(manifest: Manifest) -> bytes:
    return msgspec.json.format(msgspec.json.encode(manifest.sealed()), indent=1) + b"\n"


def read_begun(trial: Path) -> Manifest | None:
    """What was begun and never sealed; None where it cannot be read either."""
    try:
        return _read(trial / DRAFT)
    except EvidenceError:
        return None


def read_manifest(trial: Path) -> Manifest:
    """Read and verify a trial's manifest; raises the matching `EvidenceError`."""
    if not trial.is_dir():
        raise EvidenceError(f"{trial}: no such trial folder; give the path printed by the run")
    return _read(trial / MANIFEST)


def _read(path: Path) -> Manifest:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise TruncatedJournal(
            f"{path}: missing, so this is no trial, or its run was killed before its end; "
            "judge what is there with: harness recheck --salvage (inconclusive at best)"
        ) from None
    except OSError as error:
        raise EvidenceError(f"{path}: {error.strerror}; it cannot be read") from None
    try:
        version = msgspec.json.decode(raw, type=dict[str, Any]).get("journal_version", 0)
        if isinstance(version, int) and version > JOURNAL_VERSION:
            raise UnknownJournalVersion(
                f"{path}: journal version {version}, this harness reads up to {JOURNAL_VERSION}; "
                "use the harness that wrote it or a newer one"
            )
        manifest = msgspec.json.decode(raw, type=Manifest)
    except UNDECODABLE as error:
        raise TamperedJournal(f"{path}: not a manifest ({error}); it was edited") from None
    if manifest.digest != _digest(manifest):
        raise TamperedJournal(f"{path}: its digest does not match its content; it was edited")
    return manifest


def file_entry(trial: Path, path: Path, records: int, *, complete: bool = True) -> File:
    """The manifest entry of a finished file."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return File(
        path=path.relative_to(trial).as_posix(), records=records, sha256=digest, complete=complete
    )
