"""The journal: what is written is read again, and whatever was cut or edited is noticed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from harness.errors import (
    EXIT_USAGE,
    EvidenceError,
    TamperedJournal,
    TruncatedJournal,
    UnknownJournalVersion,
    UsageError,
)
from harness.journal.manifest import (
    INTERRUPTED,
    MANIFEST,
    SALVAGED,
    Manifest,
    begin_manifest,
    read_manifest,
    write_manifest,
)
from harness.journal.read import Journal, hand_made_manifest, read_segments, read_trial
from harness.journal.records import (
    JOURNAL_VERSION,
    KINDS,
    UNDECODABLE,
    AuditEvent,
    Ending,
    Footer,
    Gauge,
    Header,
    History,
    LoadRun,
    Operation,
    Record,
    Timing,
)
from harness.journal.repeats import REPEATED, REPEATED_LISTS
from harness.journal.write import SegmentWriter
from harness.trial import Trial, open_trial
from tests.unit.records import AT, HISTORY, ONE_OF_EACH, SAMPLES


def recorded(folder: Path, *segments: Iterable[Record]) -> Trial:
    """An open trial with these segments, and the files that `ONE_OF_EACH` names."""
    trial = open_trial("verify", folder)
    (trial.histories / "alpha").mkdir()
    (trial.histories / "alpha" / "w.r.json").write_bytes(HISTORY)
    (trial.samples / "saga.bin").write_bytes(SAMPLES)
    for number, records in enumerate(segments):
        with SegmentWriter(trial.journal, f"writer-{number}", trial.id) as writer:
            for record in records:
                writer.write(record)
    return trial


def manifest_of(trial: Trial, **fields: Any) -> Manifest:
    return hand_made_manifest(trial_id=trial.id, **fields)


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    """A sealed trial with one record of each kind in its only segment."""
    trial = recorded(tmp_path / "trial", ONE_OF_EACH)
    trial.seal(manifest_of(trial))
    trial.release()
    return trial.folder


def segment_of(trial: Path) -> Path:
    return trial / "journal" / "writer-0.jsonl"


def resealed(folder: Path, **fields: Any) -> Path:
    """The trial sealed anew, as somebody would who edits the evidence and its digests with it."""
    manifest = read_manifest(folder)
    (folder / MANIFEST).unlink()
    Trial(folder, manifest.trial_id, -1).seal(msgspec.structs.replace(manifest, **fields))
    return folder


def all_of(journal: Journal) -> list[Record]:
    return [record for kind in KINDS for record in journal.of(kind)]


def test_one_of_each_kind_of_record_is_written_here() -> None:
    assert {type(record) for record in ONE_OF_EACH} == {*KINDS}


@pytest.mark.parametrize("record", ONE_OF_EACH, ids=lambda each: type(each).__name__)
def test_a_record_is_read_as_it_was_written(tmp_path: Path, record: Record) -> None:
    trial = recorded(tmp_path / "trial", [record])
    trial.seal(manifest_of(trial))
    assert all_of(read_trial(trial.folder)) == [record]


texts = st.text(max_size=20)
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
times = st.fixed_dictionaries({"at_ns": st.integers(0, 2**62), "wall_ns": st.integers(0, 2**62)})
operations = st.builds(
    lambda at, **fields: Operation(**at, **fields),
    times,
    name=texts,
    tenant=texts,
    ending=st.sampled_from(Ending),
    invoked_ns=st.integers(0, 2**62),
    args=st.dictionaries(texts, anything, max_size=3),
    result=anything,
    message=texts,
)
audit_events = st.builds(
    lambda at, **fields: AuditEvent(**at, **fields),
    times,
    seq=st.integers(0, 2**62),
    headers=st.lists(st.tuples(texts, texts), max_size=3),
    body=texts,
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@example(segments=[[], [ONE_OF_EACH[3]]])
@given(segments=st.lists(st.lists(operations | audit_events, max_size=6), min_size=1, max_size=3))
def test_whatever_several_processes_write_is_read_in_the_order_of_its_times(
    tmp_path_factory: pytest.TempPathFactory, segments: list[list[Record]]
) -> None:
    trial = recorded(tmp_path_factory.mktemp("any") / "trial", *segments)
    trial.seal(manifest_of(trial))
    journal = read_trial(trial.folder)
    written = [record for records in segments for record in records]
    for kind in (Operation, AuditEvent):
        expected = [record for record in written if isinstance(record, kind)]
        assert list(journal.of(kind)) == sorted(expected, key=lambda each: each.at_ns)


def test_a_segment_larger_than_a_piece_that_is_read_at_once_comes_back_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.journal.read._CHUNK_BYTES", 100)
    many = [Gauge(at_ns=n, wall_ns=n, name="open_sagas" * (n % 30), value=n) for n in range(300)]
    trial = recorded(tmp_path / "trial", many)
    trial.seal(manifest_of(trial))
    assert list(read_trial(trial.folder).of(Gauge)) == many


@pytest.mark.parametrize("kind", [kind for kind in KINDS if {kind} & {*REPEATED, *REPEATED_LISTS}])
def test_what_repeats_is_kept_once_and_reads_the_same(tmp_path: Path, kind: type[Record]) -> None:
    (record,) = [each for each in ONE_OF_EACH if isinstance(each, kind)]
    trial = recorded(tmp_path / "trial", [record] * 3)
    trial.seal(manifest_of(trial))
    first, *others = read_trial(trial.folder).of(kind)
    assert [first, *others] == [record] * 3
    for name in (*REPEATED.get(kind, ()), *REPEATED_LISTS.get(kind, ())):
        assert all(getattr(other, name) is getattr(first, name) for other in others), name


def test_a_history_and_a_samples_file_are_read_back(sealed: Path) -> None:
    journal = read_trial(sealed)
    (history,), (run,) = journal.of(History), journal.of(LoadRun)
    (event,) = journal.events(history)
    assert (event.id, event.type) == (1, "WORKFLOW_EXECUTION_STARTED")
    assert event.attributes == {"attempt": 1}
    assert journal.raw(run.samples, run.sha256) == SAMPLES


def test_what_is_read_cannot_be_changed_by_a_reader(sealed: Path) -> None:
    records = read_trial(sealed).of(Operation)
    with pytest.raises(AttributeError):
        records.sort()  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        records[0].name = "other"  # type: ignore[misc]


# --- cut, edited, foreign


def cut(trial: Path) -> None:
    segment_of(trial).write_bytes(segment_of(trial).read_bytes()[:-200])


def without_footer(trial: Path) -> None:
    lines = segment_of(trial).read_bytes().splitlines(keepends=True)
    segment_of(trial).write_bytes(b"".join(lines[:-1]))


def emptied(trial: Path) -> None:
    segment_of(trial).write_bytes(b"")


def headless(trial: Path) -> None:
    lines = segment_of(trial).read_bytes().splitlines(keepends=True)
    segment_of(trial).write_bytes(b"".join(lines[1:]))


def without_segment(trial: Path) -> None:
    segment_of(trial).unlink()


def without_manifest(trial: Path) -> None:
    (trial / MANIFEST).unlink()


def without_history(trial: Path) -> None:
    (trial / "histories" / "alpha" / "w.r.json").unlink()


def edited_byte(trial: Path) -> None:
    raw = segment_of(trial).read_bytes()
    assert raw.count(b'"attempt":2') == 2
    segment_of(trial).write_bytes(raw.replace(b'"attempt":2', b'"attempt":1'))


def edited_and_resealed(trial: Path) -> None:
    edited_byte(trial)
    resealed(trial)


def line_removed_and_resealed(trial: Path) -> None:
    lines = segment_of(trial).read_bytes().splitlines(keepends=True)
    segment_of(trial).write_bytes(b"".join([*lines[:3], *lines[4:]]))
    resealed(trial)


def line_added_after_the_footer(trial: Path) -> None:
    raw = segment_of(trial).read_bytes()
    lines = raw.splitlines(keepends=True)
    segment_of(trial).write_bytes(raw + lines[1] + lines[-1])
    resealed(trial)


def unknown_field(trial: Path) -> None:
    raw = segment_of(trial).read_bytes()
    segment_of(trial).write_bytes(raw.replace(b'"seconds":0.25', b'"seconds":0.25,"more":1'))
    resealed(trial)


def unknown_kind(trial: Path) -> None:
    raw = segment_of(trial).read_bytes()
    segment_of(trial).write_bytes(raw.replace(b'"kind":"timing"', b'"kind":"weather"'))
    resealed(trial)


def added_segment(trial: Path) -> None:
    with SegmentWriter(trial / "journal", "later", "trial") as writer:
        writer.write(ONE_OF_EACH[0])


def edited_manifest(trial: Path) -> None:
    path = trial / MANIFEST
    path.write_text(path.read_text().replace('"profile": "core"', '"profile": "load"'))


def manifest_with_another_field(trial: Path) -> None:
    path = trial / MANIFEST
    path.write_text(path.read_text().replace('"arm":', '"signed": "yes",\n "arm":'))


def manifest_that_is_none(trial: Path) -> None:
    (trial / MANIFEST).write_bytes(b"\xff\x00 not JSON")


def changed_history(trial: Path) -> None:
    (trial / "histories" / "alpha" / "w.r.json").write_bytes(HISTORY.replace(b'"1"', b'"2"'))


def changed_samples(trial: Path) -> None:
    (trial / "samples" / "saga.bin").write_bytes(b"faster samples")


def changed_samples_and_resealed(trial: Path) -> None:
    changed_samples(trial)
    resealed(trial)


def newer_manifest(trial: Path) -> None:
    manifest = json.loads((trial / MANIFEST).read_bytes())
    manifest |= {"journal_version": JOURNAL_VERSION + 1, "a_field_of_tomorrow": 1}
    (trial / MANIFEST).write_text(json.dumps(manifest))


def newer_segment(trial: Path) -> None:
    raw = segment_of(trial).read_bytes()
    version = b'"version":%d,' % (JOURNAL_VERSION + 1)
    raw = raw.replace(b'"version":%d,' % JOURNAL_VERSION, version + b'"more":1,', 1)
    segment_of(trial).write_bytes(raw.replace(b'"kind":"timing"', b'"kind":"tomorrow"'))
    resealed(trial)


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        *((each, TruncatedJournal) for each in (cut, without_footer, emptied, headless)),
        *((each, TruncatedJournal) for each in (without_segment, without_manifest)),
        (without_history, TruncatedJournal),
        *((each, TamperedJournal) for each in (edited_byte, edited_and_resealed)),
        (line_removed_and_resealed, TamperedJournal),
        (line_added_after_the_footer, TamperedJournal),
        *((each, TamperedJournal) for each in (unknown_field, unknown_kind, added_segment)),
        *((each, TamperedJournal) for each in (edited_manifest, manifest_with_another_field)),
        (manifest_that_is_none, TamperedJournal),
        *((each, TamperedJournal) for each in (changed_history, changed_samples)),
        (changed_samples_and_resealed, TamperedJournal),
        *((each, UnknownJournalVersion) for each in (newer_manifest, newer_segment)),
    ],
)
def test_damage_is_a_typed_error_in_one_line_that_names_the_file(
    sealed: Path, damage: Callable[[Path], None], error: type[EvidenceError]
) -> None:
    damage(sealed)
    with pytest.raises(EvidenceError) as raised:
        read_trial(sealed)
    assert type(raised.value) is error
    assert raised.value.exit_code == EXIT_USAGE
    assert str(sealed) in str(raised.value)
    assert "\n" not in str(raised.value)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_no_byte_of_a_sealed_trial_can_be_changed_unnoticed(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    trial = recorded(tmp_path_factory.mktemp("any") / "trial", ONE_OF_EACH)
    trial.seal(manifest_of(trial))
    path = data.draw(
        st.sampled_from(sorted(p for p in trial.folder.rglob("*") if p.suffix in PROTECTED))
    )
    raw = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= 1 << data.draw(st.integers(0, 7))
    before = msgspec.json.decode(path.read_bytes()) if path.name == MANIFEST else None
    path.write_bytes(raw)
    if before is not None and same_json(bytes(raw), before):
        return  # white space of the manifest says nothing
    with pytest.raises(EvidenceError):
        read_trial(trial.folder)


PROTECTED = {".jsonl", ".json", ".bin"}


def same_json(raw: bytes, before: object) -> bool:
    try:
        return bool(msgspec.json.decode(raw) == before)
    except UNDECODABLE:
        return False


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="no such trial folder"):
        read_trial(tmp_path / "nowhere")


def test_a_folder_that_is_no_trial_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TruncatedJournal, match=r"manifest\.json: missing"):
        read_trial(tmp_path)


# --- runs that did not come to their end


def test_an_interrupted_trial_is_read_with_segments_that_were_cut_off(tmp_path: Path) -> None:
    trial = recorded(tmp_path / "trial", ONE_OF_EACH, ONE_OF_EACH, ONE_OF_EACH[3:4])
    without_footer(trial.folder)
    second = trial.journal / "writer-1.jsonl"
    second.write_bytes(second.read_bytes().partition(b'"kind":"decision"')[0])
    (trial.journal / "writer-3.jsonl").touch()
    trial.seal(manifest_of(trial, ended=INTERRUPTED))
    journal = read_trial(trial.folder)
    assert not journal.complete
    assert len(journal.of(Timing)) == 1
    assert len(journal.of(Operation)) == 3
    assert [file.complete for file in journal.manifest.files[:4]] == [False, False, True, False]


def test_a_segment_that_was_cut_before_the_seal_may_not_be_cut_further(tmp_path: Path) -> None:
    trial = recorded(tmp_path / "trial", ONE_OF_EACH)
    without_footer(trial.folder)
    trial.seal(manifest_of(trial, ended=INTERRUPTED))
    cut(trial.folder)
    with pytest.raises(TamperedJournal):
        read_trial(trial.folder)


def test_a_trial_without_a_manifest_is_read_only_by_salvage(tmp_path: Path) -> None:
    trial = recorded(tmp_path / "trial", ONE_OF_EACH)
    cut(trial.folder)
    with pytest.raises(TruncatedJournal, match="--salvage"):
        read_trial(trial.folder)
    journal = read_trial(trial.folder, salvage=True)
    assert journal.manifest.ended == SALVAGED
    assert len(journal.of(Operation)) == 1


def test_salvage_knows_what_the_killed_run_was_asked(tmp_path: Path) -> None:
    trial = recorded(tmp_path / "trial", ONE_OF_EACH)
    begin_manifest(trial.folder, manifest_of(trial, profile="load", asked=["SLO-REL-1"]))
    manifest = read_trial(trial.folder, salvage=True).manifest
    assert (manifest.ended, manifest.profile, manifest.asked) == (SALVAGED, "load", ["SLO-REL-1"])
    assert manifest.ended_wall_ns == AT["wall_ns"]


def test_salvage_does_not_trust_a_segment_that_contradicts_its_footer(tmp_path: Path) -> None:
    trial = recorded(tmp_path / "trial", ONE_OF_EACH)
    edited_byte(trial.folder)
    with pytest.raises(TamperedJournal, match="footer"):
        read_trial(trial.folder, salvage=True)


def test_salvage_of_nothing_is_refused(tmp_path: Path) -> None:
    trial = recorded(tmp_path / "trial")
    with pytest.raises(TruncatedJournal, match="nothing to salvage"):
        read_trial(trial.folder, salvage=True)


def test_salvage_changes_nothing_for_a_sealed_trial(sealed: Path) -> None:
    assert all_of(read_trial(sealed, salvage=True)) == all_of(read_trial(sealed))
    edited_byte(sealed)
    with pytest.raises(TamperedJournal):
        read_trial(sealed, salvage=True)


def test_a_trial_that_is_being_written_shows_its_whole_lines(tmp_path: Path) -> None:
    trial = recorded(tmp_path / "trial", ONE_OF_EACH[:2])
    writer = SegmentWriter(trial.journal, "open", trial.id)
    writer.write(ONE_OF_EACH[3])
    assert not any(isinstance(each, Operation) for each in read_segments(trial.folder))
    writer.flush()
    assert ONE_OF_EACH[3] in read_segments(trial.folder)
    writer.close()


# --- writing


def test_a_segment_has_a_header_and_a_footer_that_vouches_for_all_before(tmp_path: Path) -> None:
    with SegmentWriter(tmp_path, "writer", "trial") as writer:
        writer.write(ONE_OF_EACH[0])
    lines = writer.path.read_bytes().splitlines(keepends=True)
    header = msgspec.json.decode(lines[0], type=Header)
    footer = msgspec.json.decode(lines[-1], type=Footer)
    assert (header.version, header.writer, header.trial_id) == (JOURNAL_VERSION, "writer", "trial")
    assert footer.records == 1
    assert footer.sha256 == hashlib.sha256(b"".join(lines[:-1])).hexdigest()


def test_a_segment_is_never_written_twice(tmp_path: Path) -> None:
    SegmentWriter(tmp_path, "writer", "trial").close()
    with pytest.raises(FileExistsError):
        SegmentWriter(tmp_path, "writer", "trial")


def test_a_record_for_a_segment_that_has_ended_is_not_lost_in_silence(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path, "writer", "trial")
    writer.close()
    writer.close()
    with pytest.raises(ValueError, match="ended"):
        writer.write(ONE_OF_EACH[0])


class FullDisk:
    """A file that takes some bytes and then no more."""

    def __init__(self, path: Path, room: int) -> None:
        self._file = path.open("ab", buffering=0)
        self._room = room

    def write(self, data: bytes) -> int:
        if not self._room:
            raise OSError(28, "No space left on device")
        taken = self._file.write(data[: self._room])
        self._room -= taken
        return taken

    def close(self) -> None:
        self._file.close()


def test_a_segment_that_could_not_be_written_to_its_end_gets_no_footer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = recorded(tmp_path / "trial")
    writer = SegmentWriter(trial.journal, "writer", trial.id)
    writer.write(ONE_OF_EACH[0])
    writer.flush()
    monkeypatch.setattr(writer, "_file", FullDisk(writer.path, room=40))
    writer.write(ONE_OF_EACH[1])
    with pytest.raises(OSError, match="No space"):
        writer.flush()
    writer.close()
    trial.seal(manifest_of(trial, ended=INTERRUPTED))
    journal = read_trial(trial.folder)
    assert all_of(journal) == [ONE_OF_EACH[0]]
    assert not journal.manifest.files[0].complete


# --- the trial's folder


def test_a_folder_that_holds_a_trial_is_not_written_again(sealed: Path) -> None:
    with pytest.raises(UsageError, match="holds a trial already"):
        open_trial("verify", sealed)


def test_two_runs_at_once_in_one_folder_are_refused(tmp_path: Path) -> None:
    trial = open_trial("verify", tmp_path / "trial")
    with pytest.raises(UsageError, match="another run is writing there"):
        open_trial("verify", tmp_path / "trial")
    trial.release()


def test_trials_have_ids_of_their_own_even_in_folders_of_one_name(tmp_path: Path) -> None:
    ids = {open_trial("verify", tmp_path / each / "results").id for each in ("a", "b")}
    assert len(ids) == 2


def test_a_run_that_could_not_begin_leaves_its_logs_and_a_folder_that_can_be_used(
    tmp_path: Path,
) -> None:
    trial = recorded(tmp_path / "trial", [])
    (trial.logs / "worker.log").write_text("no such module\n")
    (trial.logs / "engine.log").touch()
    trial.begin(manifest_of(trial))
    assert trial.discarded()
    trial.release()
    assert [path.name for path in trial.folder.rglob("*")] == ["logs", "worker.log"]
    open_trial("verify", trial.folder).release()


def test_a_run_that_could_not_begin_and_said_nothing_leaves_nothing(tmp_path: Path) -> None:
    trial = recorded(tmp_path / "trial", [])
    assert trial.discarded()
    trial.release()
    assert not trial.folder.exists()


def test_a_trial_in_which_something_was_driven_is_never_discarded(tmp_path: Path) -> None:
    trial = recorded(tmp_path / "trial", ONE_OF_EACH[:1])
    assert not trial.discarded()
    assert trial.journal.exists()
    trial.release()


def test_a_manifest_replaces_what_was_begun(tmp_path: Path) -> None:
    begin_manifest(tmp_path, hand_made_manifest(ended=INTERRUPTED))
    write_manifest(tmp_path, hand_made_manifest())
    assert [path.name for path in tmp_path.iterdir()] == [MANIFEST]
    assert read_manifest(tmp_path).ended == "complete"
