"""A folder of histories: what is found in it, and what is said of files that are none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.cli import run
from harness.errors import UsageError
from harness.journal.records import History, now
from harness.journal.write import SegmentWriter
from harness.replay.corpus import find
from harness.replay.recorded import Unreadable, read

RUN_ID = "01a2069a-fc4b-7883-a955-1051a869d2ff"
OTHER_RUN_ID = "dbdf6e20-ccb1-4a22-8444-54b06f6be8d0"
STARTED = {
    "eventId": "1",
    "eventTime": "2026-01-02T03:04:05Z",
    "eventType": "EVENT_TYPE_WORKFLOW_EXECUTION_STARTED",
    "workflowExecutionStartedEventAttributes": {
        "workflowType": {"name": "Saga"},
        "taskQueue": {"name": "sagas"},
        "originalExecutionRunId": RUN_ID,
        "workflowId": "saga-7",
    },
}
SCHEDULED = {"eventId": "2", "eventType": "EVENT_TYPE_WORKFLOW_TASK_SCHEDULED"}
STRANGE = {"eventId": "3", "eventType": "EVENT_TYPE_WORKFLOW_TELEPORTED"}


def written(folder: Path, *events: dict[str, Any], name: str = "saga.json") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"events": list(events)}))
    return path


def why_unreadable(folder: Path) -> str:
    (entry,) = find(folder)
    with pytest.raises(Unreadable) as caught:
        read(entry)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_history_says_of_itself_what_it_is(tmp_path: Path) -> None:
    written(tmp_path, STARTED, SCHEDULED)
    (entry,) = find(tmp_path)
    found = read(entry)
    assert (found.workflow_type, found.task_queue) == ("Saga", "sagas")
    assert (found.workflow_id, found.run_id) == ("saga-7", RUN_ID)
    assert [event.event_id for event in found.events] == [1, 2]


def test_kinds_as_they_were_once_written_are_read(tmp_path: Path) -> None:
    written(tmp_path, {**STARTED, "eventType": "WorkflowExecutionStarted"})
    (entry,) = find(tmp_path)
    assert read(entry).workflow_type == "Saga"


def test_a_run_that_a_reset_made_has_the_id_that_the_reset_gave_it(tmp_path: Path) -> None:
    reset = {
        "eventId": "2",
        "eventType": "EVENT_TYPE_WORKFLOW_TASK_FAILED",
        "workflowTaskFailedEventAttributes": {"newRunId": OTHER_RUN_ID},
    }
    written(tmp_path, STARTED, reset)
    (entry,) = find(tmp_path)
    assert read(entry).run_id == OTHER_RUN_ID


@pytest.mark.parametrize("inside", ["", "histories"])
def test_of_a_trials_histories_the_trial_says_namespace_and_ids(
    tmp_path: Path, inside: str
) -> None:
    path = written(tmp_path, STARTED, SCHEDULED, name="histories/alpha/saga.json")
    (tmp_path / "journal").mkdir()
    with SegmentWriter(tmp_path / "journal", "drive", "trial") as writer:
        writer.write(
            History(
                **now(),
                tenant="alpha",
                namespace="acme-prod",
                workflow_id="verify.saga-7",
                run_id=OTHER_RUN_ID,
                workflow_type="ReferenceSaga",
                status="RUNNING",
                path=path.relative_to(tmp_path).as_posix(),
                events=2,
                sha256="",
            )
        )
    (entry,) = find(tmp_path / inside)
    assert (entry.name, entry.tenant) == ("alpha/saga.json", "alpha")
    assert (entry.namespace, entry.run_id) == ("acme-prod", OTHER_RUN_ID)
    assert read(entry).workflow_id == "verify.saga-7"


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda path: path.write_text("hello"), "not JSON"),
        (lambda path: path.write_text(""), "an empty file"),
        (lambda path: path.write_bytes(b"\xff\xfe{}"), "not JSON"),
        (lambda path: path.write_text("[1, 2]"), "no history"),
        (lambda path: path.write_text('{"events": []}'), "without events"),
        (lambda path: path.write_text('{"events": [7]}'), "no history"),
        (lambda path: path.write_text('{"events": [{"eventType": 9000}]}'), "not known here"),
    ],
)
def test_a_file_that_is_no_history_says_why(
    tmp_path: Path, write: Callable[[Path], object], said: str
) -> None:
    write(tmp_path / "saga.json")
    assert said in why_unreadable(tmp_path)


def test_a_file_cut_off_anywhere_is_said_to_be_cut_off(tmp_path: Path) -> None:
    whole = written(tmp_path, STARTED, SCHEDULED).read_bytes()
    for length in range(1, len(whole)):
        (tmp_path / "saga.json").write_bytes(whole[:length])
        assert "cut off" in why_unreadable(tmp_path), whole[:length]


@pytest.mark.parametrize("events", [(SCHEDULED,), (STARTED, {**SCHEDULED, "eventId": "5"})])
def test_a_history_with_a_gap_is_said_to_be_cut_off(
    tmp_path: Path, events: tuple[dict[str, Any], ...]
) -> None:
    written(tmp_path, *events)
    assert "cut off" in why_unreadable(tmp_path)


def test_a_history_of_a_newer_server_is_said_to_be_one(tmp_path: Path) -> None:
    written(tmp_path, STARTED, SCHEDULED, STRANGE)
    assert "newer server?): WORKFLOW_TELEPORTED" in why_unreadable(tmp_path)


@pytest.mark.parametrize("folder", ["missing", "empty", "a-file"])
def test_a_folder_without_histories_is_refused(tmp_path: Path, folder: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a-file").touch()
    with pytest.raises(UsageError, match=folder):
        find(tmp_path / folder)


# --- the command's options


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "one of --worker"),
        (("--worker", "w", "--workflows", "m"), "one of --worker"),
        (("--worker", "w '"), "No closing quotation"),
        (("--worker", "w", "--format", "sarif"), "sarif"),
        (("--worker", "w", "--task-within", "0"), "--task-within 0"),
        (("--worker", "w", "--at-once", "-1"), "--at-once -1"),
        (("--worker", "w", "--cwd", "no-such-folder"), "no-such-folder"),
    ],
)
def test_wrong_options_are_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], said: str
) -> None:
    written(tmp_path, STARTED, SCHEDULED)
    assert run(["replay", "--histories", str(tmp_path), *options]) == 64
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_a_missing_folder_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["replay", "--histories", str(tmp_path / "none"), "--worker", "w"]) == 64
    (line,) = capsys.readouterr().err.splitlines()
    assert "none: is not there" in line
