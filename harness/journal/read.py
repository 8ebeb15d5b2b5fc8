"""Reading a trial: one pass over its segments, records indexed by kind, every digest verified."""

from __future__ import annotations

import contextlib
import gc
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar, cast

import msgspec

from harness import __version__
from harness.errors import TamperedJournal, TruncatedJournal, UnknownJournalVersion
from harness.journal.manifest import (
    COMPLETE,
    JOURNAL,
    SALVAGED,
    Manifest,
    read_begun,
    read_manifest,
)
from harness.journal.records import (
    JOURNAL_VERSION,
    UNDECODABLE,
    AnyRecord,
    Footer,
    Header,
    History,
    LoadRun,
    Record,
)
from harness.journal.repeats import Repeats

R = TypeVar("R", bound=Record)
Records = Mapping[type[Record], tuple[Record, ...]]
_LINE: Final = msgspec.json.Decoder(AnyRecord | Header | Footer)
_AT_NS: Final = attrgetter("at_ns")
_CHUNK_BYTES: Final = 4 << 20  # a segment may be larger than the memory that is left
_KEPT_BYTES: Final = 16 << 20  # of histories whose events are kept decoded, which is ten times that


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
        records: Records,
        folder: Path | None = None,
        histories: Mapping[str, bytes] | None = None,
    ) -> None:
        self.manifest = manifest
        self._records = records
        self._folder = folder
        self._histories = dict(histories or {})
        self._events: dict[str, tuple[HistoryEvent, ...]] = {}
        self._kept_bytes = 0

    def of(self, kind: type[R]) -> Sequence[R]:
        """All records of a kind."""
        return cast("tuple[R, ...]", self._records.get(kind, ()))

    def events(self, history: History) -> tuple[HistoryEvent, ...]:
        """The events of a history; raises `TamperedJournal` on a changed file."""
        if history.path in self._events:
            return self._events[history.path]
        raw = self.raw(history.path, history.sha256)
        events = decode_events(raw)
        if self._kept_bytes < _KEPT_BYTES:
            self._kept_bytes += len(raw)
            self._events[history.path] = events
        return events

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
        return self.manifest.ended == COMPLETE


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
    found = _merged([_by_kind(records)])
    return Journal(manifest or hand_made_manifest(), found, None, histories)


def hand_made_manifest(**fields: Any) -> Manifest:
    """A complete manifest with nothing in it."""
    given: dict[str, Any] = {
        "trial_id": "hand-made",
        "arm": "verify",
        "profile": "core",
        "harness": __version__,
        "started_wall_ns": 0,
        "ended_wall_ns": 0,
        "ended": COMPLETE,
    }
    return Manifest(**{**given, **fields})


def read_trial(trial: Path, *, salvage: bool = False) -> Journal:
    """Read a trial's folder.

    Raises `TruncatedJournal` without a manifest or with a cut segment (unless the manifest says
    so, or `salvage`), `TamperedJournal` on any digest or count that does not match, be it a
    segment's, a history's or a samples file's, and `UnknownJournalVersion` for a newer journal.
    """
    with without_collections():
        try:
            manifest = read_manifest(trial)
        except TruncatedJournal:
            if not salvage:
                raise
            return _salvaged(trial)
        return _sealed(trial, manifest)


def _sealed(trial: Path, manifest: Manifest) -> Journal:
    segments = []
    for file in manifest.files:
        path = trial / file.path
        if file.path.startswith(f"{JOURNAL}/"):
            segments.append(read_segment(path, complete=file.complete, sha256=file.sha256))
        else:
            _require_digest(path, file.sha256)
    listed = {file.path for file in manifest.files}
    for path in sorted((trial / JOURNAL).glob("*.jsonl")):
        if path.relative_to(trial).as_posix() not in listed:
            raise TamperedJournal(f"{path}: not in the manifest; it was added later")
    journal = Journal(manifest, _merged(segments), trial)
    for history in journal.of(History):
        _require_digest(trial / history.path, history.sha256)
    for run in journal.of(LoadRun):
        _require_digest(trial / run.samples, run.sha256)
    return journal


def _salvaged(trial: Path) -> Journal:
    """What a killed run left: whole lines, and of the manifest what was known at its beginning."""
    segments = [read_segment(path, complete=False) for path in _segments(trial)]
    if not segments:
        raise TruncatedJournal(f"{trial}: nothing was recorded; there is nothing to salvage")
    records = _merged(segments)
    last_ns = max((each.wall_ns for found in records.values() for each in found), default=0)
    begun = read_begun(trial) or hand_made_manifest(trial_id=trial.name, ended_wall_ns=last_ns)
    manifest = msgspec.structs.replace(begun, ended=SALVAGED, ended_wall_ns=last_ns)
    return Journal(manifest, records, trial)


def read_segments(trial: Path) -> list[Record]:
    """The records of a trial that is still being written: whole lines, unsealed."""
    segments = [read_segment(path, complete=False) for path in _segments(trial)]
    return [record for by_kind in segments for found in by_kind.values() for record in found]


def _segments(trial: Path) -> list[Path]:
    return sorted((trial / JOURNAL).glob("*.jsonl"))


@contextlib.contextmanager
def without_collections() -> Iterator[None]:
    """Evidence is plain data without cycles; the collector would walk all of it, over and over."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


ByKind = dict[type[Record], list[Record]]


def read_segment(path: Path, *, complete: bool, sha256: str = "") -> ByKind:
    """The records of one segment by kind, in the order of the file.

    One that is not `complete` may lack its footer and end in the middle of a line. `sha256` is that
    of the whole file, if it is known.
    """
    digest, repeats = hashlib.sha256(), Repeats()
    found: ByKind = {}
    try:
        with path.open("rb") as stream:
            pieces = _pieces(stream)
            last = next(pieces)
            _require_header(path, last, complete=complete)
            for piece in pieces:
                digest.update(last)
                _add(found, _decoded(path, last), repeats)
                last = piece
    except OSError as error:
        raise TruncatedJournal(f"{path}: {error.strerror}; it is part of the trial") from None
    body_sha256 = digest.hexdigest()
    digest.update(last)
    footer = _footer(last)
    if footer is None:
        if complete:
            raise TruncatedJournal(f"{path}: it has no footer, so it was cut off")
        if last.endswith(b"\n"):
            _add(found, _decoded(path, last), repeats)
    if sha256 and digest.hexdigest() != sha256:
        raise TamperedJournal(f"{path}: its digest does not match the manifest; it was edited")
    _require_whole(path, found, footer, body_sha256)
    return found


def _pieces(stream: BinaryIO) -> Iterator[bytes]:
    """A file in pieces of whole lines; its first and its last line are pieces of their own."""
    held = stream.readline()
    while piece := stream.read(_CHUNK_BYTES):
        yield held
        held = piece + stream.readline()
    cut = held.rfind(b"\n", 0, len(held) - 1) + 1
    if cut:
        yield held[:cut]
    yield held[cut:]


def _require_header(path: Path, line: bytes, *, complete: bool) -> None:
    if not line.endswith(b"\n") and not complete:
        return  # it was cut off before anything was recorded
    try:
        version = msgspec.json.decode(line, type=_Version).version
    except UNDECODABLE:
        raise TruncatedJournal(f"{path}: it has no header") from None
    if version > JOURNAL_VERSION:
        raise UnknownJournalVersion(
            f"{path}: journal version {version}, this harness reads up to {JOURNAL_VERSION}; "
            "use the harness that wrote it or a newer one"
        )


class _Version(msgspec.Struct, tag_field="kind", tag="header"):
    """As much of a header as every version has."""

    version: int


def _add(found: ByKind, records: Iterable[Record], repeats: Repeats) -> None:
    for kind, some in _by_kind(records).items():
        repeats.share(kind, some)
        found.setdefault(kind, []).extend(some)


def _decoded(path: Path, lines: bytes) -> list[Record]:
    try:
        return list(_LINE.decode_lines(lines))
    except UNDECODABLE as error:
        raise TamperedJournal(f"{path}: a line does not decode ({error}); it was edited") from None


def _footer(line: bytes) -> Footer | None:
    try:
        return msgspec.json.decode(line, type=Footer)
    except UNDECODABLE:
        return None


def _require_whole(path: Path, found: ByKind, footer: Footer | None, body_sha256: str) -> None:
    headers, footers = found.pop(Header, []), found.pop(Footer, [])
    if len(headers) > 1 or footers:
        raise TamperedJournal(f"{path}: lines after its footer; they were added later")
    if footer is None:
        return
    count = sum(map(len, found.values()))
    if footer.records != count:
        raise TamperedJournal(f"{path}: {count} records, its footer says {footer.records}")
    if footer.sha256 != body_sha256:
        raise TamperedJournal(f"{path}: its digest does not match its footer; it was edited")


def _require_digest(path: Path, sha256: str) -> None:
    try:
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise TruncatedJournal(f"{path}: {error.strerror}; it is part of the trial") from None
    if found != sha256:
        raise TamperedJournal(f"{path}: its digest does not match its record; it was edited")


def _by_kind(records: Iterable[Record]) -> ByKind:
    found: ByKind = {}
    for record in records:
        found.setdefault(type(record), []).append(record)
    return found


def _merged(segments: Iterable[Mapping[type[Record], Sequence[Record]]]) -> Records:
    """All segments as one: of each kind the records in the order of their `at_ns`."""
    merged: ByKind = {}
    for by_kind in segments:
        for kind, found in by_kind.items():
            merged.setdefault(kind, []).extend(found)
    return {kind: tuple(sorted(found, key=_AT_NS)) for kind, found in merged.items()}
