"""Reading a trial: one pass over its segments, records indexed by kind, every digest verified."""

from __future__ import annotations

import hashlib
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec

from harness import __version__
from harness.errors import TamperedJournal, TruncatedJournal, UnknownJournalVersion
from harness.journal.manifest import JOURNAL, Manifest, read_manifest
from harness.journal.records import (
    JOURNAL_VERSION,
    AnyRecord,
    Footer,
    Header,
    History,
    LoadRun,
    Record,
)

R = TypeVar("R", bound=Record)
_LINE = msgspec.json.Decoder(AnyRecord | Header | Footer)


class HistoryEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One event of a recorded history: `type` without its `EVENT_TYPE_` prefix."""

    id: int
    type: str
    time: str
    attributes: dict[str, Any]


class Journal:
    """A read-only view of a trial's evidence.

    `of(kind)` gives the records of a kind in the order of their `at_ns`; `events(history)` the
    events of a recorded history; `raw(path)` the bytes of a samples file.
    """

    def __init__(
        self,
        manifest: Manifest,
        records: Mapping[type[Record], Sequence[Record]],
        folder: Path | None = None,
        histories: Mapping[str, bytes] | None = None,
    ) -> None:
        self.manifest = manifest
        self._records = records
        self._folder = folder
        self._histories = dict(histories or {})
        self._events: dict[str, tuple[HistoryEvent, ...]] = {}

    def of(self, kind: type[R]) -> Sequence[R]:
        """All records of a kind."""
        return cast("Sequence[R]", self._records.get(kind, ()))

    def events(self, history: History) -> tuple[HistoryEvent, ...]:
        """The events of a history, decoded once; raises `TamperedJournal` on a changed file."""
        if history.path not in self._events:
            raw = self.raw(history.path, history.sha256)
            self._events[history.path] = decode_events(raw)
        return self._events[history.path]

    def raw(self, path: str, sha256: str) -> bytes:
        """The bytes of a recorded file, verified against the digest its record carries."""
        body = self._histories.get(path)
        if body is None:
            if self._folder is None:
                raise TruncatedJournal(f"{path}: recorded but not there")
            try:
                body = (self._folder / path).read_bytes()
            except OSError as error:
                raise TruncatedJournal(f"{self._folder / path}: {error.strerror}") from None
        if hashlib.sha256(body).hexdigest() != sha256:
            raise TamperedJournal(f"{path}: its digest does not match its record; it was edited")
        return body

    @property
    def complete(self) -> bool:
        """Whether the run came to its own end."""
        return self.manifest.ended == "complete"


def decode_events(raw: bytes) -> tuple[HistoryEvent, ...]:
    """The events of a history in Temporal's JSON form."""
    return tuple(_event(event) for event in msgspec.json.decode(raw).get("events", ()))


def _event(event: dict[str, Any]) -> HistoryEvent:
    attributes: dict[str, Any] = next(
        (v for k, v in event.items() if k.endswith("EventAttributes")), {}
    )
    return HistoryEvent(
        id=int(event["eventId"]),
        type=event["eventType"].removeprefix("EVENT_TYPE_"),
        time=event.get("eventTime", ""),
        attributes=attributes,
    )


def from_records(
    records: Iterable[Record],
    *,
    manifest: Manifest | None = None,
    histories: Mapping[str, bytes] | None = None,
) -> Journal:
    """A journal made by hand, for the tests of checks."""
    return Journal(manifest or hand_made_manifest(), _indexed(records), None, histories)


def hand_made_manifest(**fields: Any) -> Manifest:
    """A complete manifest with nothing in it."""
    given: dict[str, Any] = {
        "trial_id": "hand-made",
        "arm": "verify",
        "profile": "core",
        "harness": __version__,
        "started_wall_ns": 0,
        "ended_wall_ns": 0,
        "ended": "complete",
    }
    return Manifest(**{**given, **fields})


def read_trial(trial: Path, *, salvage: bool = False) -> Journal:
    """Read a trial's folder.

    Raises `TruncatedJournal` without a manifest or with a cut segment (unless the manifest says
    so, or `salvage`), `TamperedJournal` on any digest or count that does not match, and
    `UnknownJournalVersion` for a newer journal.
    """
    try:
        manifest = read_manifest(trial)
    except TruncatedJournal:
        if not salvage:
            raise
        manifest = hand_made_manifest(
            trial_id=trial.name, ended="salvaged", ended_wall_ns=time.time_ns()
        )
        return Journal(manifest, _indexed(_salvaged(trial)), trial)
    records: list[Record] = []
    for file in manifest.files:
        if file.path.startswith(f"{JOURNAL}/"):
            records += _segment(trial / file.path, file.sha256, complete=file.complete)
    listed = {file.path for file in manifest.files}
    for path in sorted((trial / JOURNAL).glob("*.jsonl")):
        if path.relative_to(trial).as_posix() not in listed:
            raise TamperedJournal(f"{path}: not in the manifest; it was added later")
    journal = Journal(manifest, _indexed(records), trial)
    _verify_recorded_files(trial, journal)
    return journal


def _verify_recorded_files(trial: Path, journal: Journal) -> None:
    for run in journal.of(LoadRun):
        if not (trial / run.samples).is_file():
            raise TruncatedJournal(f"{trial / run.samples}: recorded but missing")


def _indexed(records: Iterable[Record]) -> dict[type[Record], Sequence[Record]]:
    index: defaultdict[type[Record], list[Record]] = defaultdict(list)
    for record in records:
        index[type(record)].append(record)
    for found in index.values():
        found.sort(key=lambda record: record.at_ns)
    return dict(index)


def _segment(path: Path, sha256: str, *, complete: bool) -> list[Record]:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise TruncatedJournal(f"{path}: {error.strerror}; it is named in the manifest") from None
    if hashlib.sha256(raw).hexdigest() != sha256:
        raise TamperedJournal(f"{path}: its digest does not match the manifest; it was edited")
    return _decode_segment(path, raw, complete=complete)


def _decode_segment(path: Path, raw: bytes, *, complete: bool) -> list[Record]:
    try:
        records: list[Record] = list(_LINE.decode_lines(raw))
    except msgspec.MsgspecError as error:
        if not complete:
            return _decode_cut(path, raw)
        raise TamperedJournal(f"{path}: a line does not decode ({error})") from None
    header = records[0] if records else None
    if not isinstance(header, Header):
        raise TruncatedJournal(f"{path}: it has no header")
    if header.version > JOURNAL_VERSION:
        raise UnknownJournalVersion(
            f"{path}: version {header.version}, this harness reads up to {JOURNAL_VERSION}"
        )
    footer = records[-1]
    if not isinstance(footer, Footer):
        if complete:
            raise TruncatedJournal(f"{path}: it has no footer, so its writer was cut off")
        return records[1:]
    if footer.records != len(records) - 2:
        raise TamperedJournal(
            f"{path}: {len(records) - 2} records, its footer says {footer.records}"
        )
    return records[1:-1]


def _decode_cut(path: Path, raw: bytes) -> list[Record]:
    whole, _, _ = raw.rpartition(b"\n")
    if not whole:
        return []
    try:
        return [r for r in _LINE.decode_lines(whole) if not isinstance(r, Header | Footer)]
    except msgspec.MsgspecError as error:
        raise TamperedJournal(f"{path}: a line does not decode ({error})") from None


def read_segments(trial: Path) -> list[Record]:
    """The records of a trial that is still being written: whole lines, unsealed."""
    paths = sorted((trial / JOURNAL).glob("*.jsonl"))
    return [record for path in paths for record in _decode_cut(path, path.read_bytes())]


def _salvaged(trial: Path) -> list[Record]:
    if not any((trial / JOURNAL).glob("*.jsonl")):
        raise TruncatedJournal(f"{trial}: nothing was recorded; there is nothing to salvage")
    return read_segments(trial)
