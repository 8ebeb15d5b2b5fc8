"""What mutants share, and what an earlier run of them left."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.checks.table import PROFILES
from harness.cli.mutants import all_mutants, request_of
from harness.journal.manifest import INTERRUPTED
from harness.journal.read import hand_made_manifest, read_trial
from harness.journal.records import Gauge
from harness.journal.write import SegmentWriter
from harness.mutant import Mutant
from harness.platform.breakage import NOTHING, Breakage
from harness.run.kept import kept_trial, said_as_driven
from harness.run.mutant_trial import SharedDrive, takes_over
from harness.run.mutants import jobs_by_cores
from harness.run.request import Request
from harness.trial import OWN, open_trial
from tests.unit.records import ONE_OF_EACH

NAME = "input-changed"
BEAT = next(each for each in ONE_OF_EACH if isinstance(each, Gauge))


def mutant(name: str) -> Mutant:
    return next(each for each in all_mutants() if each.name == name)


def request(name: str = NAME, *, full: bool = False) -> Request:
    return request_of(mutant(name), full=full)


def left_by(asked: Request, folder: Path, **fields: str) -> Path:
    """A sealed trial, as a run of `asked` leaves it."""
    trial = open_trial("verify", folder)
    with SegmentWriter(trial.journal, OWN, trial.id) as writer:
        writer.write(BEAT)
    environment = dict(said_as_driven(NAME, asked).environment)
    trial.seal(hand_made_manifest(trial_id=trial.id, environment=environment, **fields))
    trial.release()
    return folder


# --- what an earlier run left


def test_a_whole_trial_of_the_same_drive_is_judged_again(tmp_path: Path) -> None:
    folder = left_by(request(), tmp_path / NAME)
    journal = kept_trial(NAME, request(), folder)
    assert journal is not None
    assert journal.of(Gauge) == (BEAT,)


@pytest.mark.parametrize(
    "other",
    [
        request(full=True),
        replace(request(), breakage=Breakage(workflows="scenarios.reference.workflow")),
        replace(request(), seed=7),
        replace(request(), parameters={**request().parameters, "horizon_s": 1}),
        replace(request(), cases=("compensated",)),
    ],
    ids=["asked", "breakage", "seed", "parameters", "cases"],
)
def test_a_trial_that_was_driven_otherwise_is_driven_anew(tmp_path: Path, other: Request) -> None:
    folder = left_by(other, tmp_path / NAME)
    assert kept_trial(NAME, request(), folder) is None
    assert not folder.exists()


def test_a_trial_of_another_mutant_is_driven_anew(tmp_path: Path) -> None:
    assert kept_trial("queue-changed", request(), left_by(request(), tmp_path / NAME)) is None


def test_an_interrupted_trial_is_driven_anew(tmp_path: Path) -> None:
    folder = left_by(request(), tmp_path / NAME, ended=INTERRUPTED)
    assert kept_trial(NAME, request(), folder) is None


def test_an_edited_trial_is_driven_anew(tmp_path: Path) -> None:
    folder = left_by(request(), tmp_path / NAME)
    segment = folder / "journal" / f"{OWN}.jsonl"
    segment.write_bytes(segment.read_bytes().replace(b'"value":', b'"value": '))
    assert kept_trial(NAME, request(), folder) is None


def test_where_there_is_nothing_everything_is_driven(tmp_path: Path) -> None:
    assert kept_trial(NAME, request(), tmp_path / NAME) is None


# --- one drive for several


@pytest.mark.parametrize("name", ["input-changed", "next-build-swapped", "hash-in-input"])
def test_what_is_only_replayed_takes_over_a_drive(name: str) -> None:
    assert takes_over(request(name))
    assert takes_over(request(name, full=True))


@pytest.mark.parametrize(
    "name",
    [
        "clock-read",  # is read alone
        "never-asks",  # another worker drives
        "other-commands-same-major",  # another build is rolled out in the drive
        "tenant-not-deleted",
    ],
)
def test_what_is_broken_while_it_is_driven_takes_over_none(name: str) -> None:
    assert not takes_over(request(name))


def test_what_is_broken_beside_the_replay_too_takes_over_none() -> None:
    both = Breakage(workflows="scenarios.reference.workflow", doubles=("pdp-blind",))
    assert not both.after_drive
    assert not NOTHING.after_drive


def shared(*requests: Request) -> Request:
    return SharedDrive(requests, Path("shared"), goes_on=False).request()


def test_the_drive_has_all_that_is_asked_of_a_sound_platform() -> None:
    drive = shared(request("input-changed"), request("child-changed"), request("never-asks"))
    assert drive.cases == ("plain", "child")
    assert drive.asked == ("INV-DET-2",)
    assert drive.breakage == NOTHING


def test_a_whole_profile_has_all_cases() -> None:
    drive = shared(request("input-changed", full=True), request("child-changed", full=True))
    assert drive.cases == ()
    assert set(drive.asked) == set(PROFILES["core"])


def test_a_trial_begins_with_what_it_takes_over(tmp_path: Path) -> None:
    recorded = left_by(request(), tmp_path / "shared")
    trial = open_trial("verify", tmp_path / NAME, recorded)
    trial.take_over(recorded)
    with SegmentWriter(trial.journal, OWN, trial.id) as writer:
        writer.write(BEAT)
    trial.seal(hand_made_manifest(trial_id=trial.id))
    trial.release()
    assert read_trial(trial.folder).of(Gauge) == (BEAT, BEAT)
    assert read_trial(recorded).of(Gauge) == (BEAT,)
    assert read_trial(trial.folder).manifest.trial_id == read_trial(recorded).manifest.trial_id


def test_whole_profiles_do_not_share_the_cores() -> None:
    assert jobs_by_cores(whole=True) < jobs_by_cores(whole=False)


def test_a_folder_that_is_no_trial_is_left_alone(tmp_path: Path) -> None:
    own = tmp_path / NAME / "notes.txt"
    own.parent.mkdir()
    own.write_text("mine")
    assert kept_trial(NAME, request(), own.parent) is None
    assert own.read_text() == "mine"
