"""Judging a trial's folder: the same bytes every time, with the waivers of its own day."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.checks.check import Check, Evidence, Finding, failed, passed
from harness.errors import EvidenceError, TamperedJournal, TruncatedJournal, UnavailableError
from harness.journal.manifest import INTERRUPTED, read_manifest
from harness.journal.read import from_records, hand_made_manifest
from harness.journal.records import Part, Subject, Timing
from harness.journal.write import SegmentWriter
from harness.judging import VERDICTS, judge_journal, judge_trial, read_verdicts
from harness.outcome import EXIT_FAIL, EXIT_INCONCLUSIVE, EXIT_PASS, Outcome
from harness.trial import Trial, open_trial

AT: dict[str, Any] = {"at_ns": 1, "wall_ns": 1}
DAY_NS = 86_400_000_000_000
ENDED_NS = 20_500 * DAY_NS  # 2026-02-16
WAIVER = {
    "id": "DUR-5",
    "reason": "the upstream service cannot do better",
    "owner": "architecture",
    "expires": "2026-02-16",
}


def fails(_: Evidence) -> Finding:
    """ADR: "it must not"."""
    return failed("it does", late=0.1, shares={"b": 1, "a": 2})


def passes(_: Evidence) -> Finding:
    """ADR: "it must"."""
    return passed("it does")


@pytest.fixture(autouse=True)
def table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two checks, of real assertions, that need one timing each."""
    checks = tuple(
        Check(id=id_, subject=Subject.WORKER, needs={Timing: 1}, judge=judge_)
        for id_, judge_ in (("DUR-5", fails), ("DUR-7", passes))
    )
    monkeypatch.setattr("harness.judging.TABLE", checks)
    monkeypatch.setattr("harness.judging.CHECKED", frozenset({"DUR-5", "DUR-7"}))


def trial_with(folder: Path, **manifest: Any) -> Path:
    trial = open_trial("verify", folder)
    with SegmentWriter(trial.journal, "supervisor", trial.id) as writer:
        writer.write(Part(**AT, subject=Subject.WORKER, ours=True, name="reference"))
        writer.write(Timing(**AT, what="set-up", seconds=1.0))
    given: dict[str, Any] = {"ended_wall_ns": ENDED_NS, "asked": ["DUR-7"]}
    trial.seal(hand_made_manifest(trial_id=trial.id, **{**given, **manifest}))
    trial.release()
    return folder


def outcomes(folder: Path) -> dict[str, Outcome]:
    return {each.id: each.outcome for each in read_verdicts(folder).verdicts}


def test_judging_again_gives_the_same_bytes(tmp_path: Path) -> None:
    folder = trial_with(tmp_path / "trial", asked=["DUR-5", "DUR-7"], waivers=[WAIVER])
    judge_trial(folder)
    first = (folder / VERDICTS).read_bytes()
    (folder / VERDICTS).unlink()
    judge_trial(folder)
    assert (folder / VERDICTS).read_bytes() == first


def test_a_salvaged_trial_gives_the_same_bytes_too(tmp_path: Path) -> None:
    folder = trial_with(tmp_path / "trial")
    (folder / "manifest.json").unlink()
    written = []
    for _ in range(2):
        judge_trial(folder, salvage=True)
        written.append((folder / VERDICTS).read_bytes())
    assert written[0] == written[1]


def test_verdicts_are_read_as_they_were_judged(tmp_path: Path) -> None:
    folder = trial_with(tmp_path / "trial", asked=["DUR-5", "DUR-7"])
    _, judgement = judge_trial(folder)
    assert read_verdicts(folder) == judgement


def test_only_what_was_asked_is_judged(tmp_path: Path) -> None:
    folder = trial_with(tmp_path / "trial")
    assert judge_trial(folder)[1].exit_code == EXIT_PASS
    assert outcomes(folder) == {"DUR-7": Outcome.PASS}


def test_a_trial_that_was_asked_nothing_in_particular_is_judged_by_every_check(
    tmp_path: Path,
) -> None:
    folder = trial_with(tmp_path / "trial", asked=[])
    assert judge_trial(folder)[1].exit_code == EXIT_FAIL
    assert set(outcomes(folder)) == {"DUR-5", "DUR-7"}


def test_what_was_asked_and_has_no_check_here_is_inconclusive_not_forgotten(
    tmp_path: Path,
) -> None:
    folder = trial_with(tmp_path / "trial", asked=["DUR-7", "INV-ISO-6", "OLD-1"])
    assert judge_trial(folder)[1].exit_code == EXIT_INCONCLUSIVE
    assert outcomes(folder)["INV-ISO-6"] is Outcome.INCONCLUSIVE
    assert outcomes(folder)["OLD-1"] is Outcome.INCONCLUSIVE


def test_an_interrupted_run_never_passes_as_a_whole(tmp_path: Path) -> None:
    folder = trial_with(tmp_path / "trial", ended=INTERRUPTED)
    assert judge_trial(folder)[1].exit_code == EXIT_INCONCLUSIVE
    assert outcomes(folder) == {"DUR-7": Outcome.PASS}
    failing = trial_with(tmp_path / "other", ended=INTERRUPTED, asked=["DUR-5"])
    assert judge_trial(failing)[1].exit_code == EXIT_FAIL


def test_the_declared_meanings_of_the_trial_go_before_the_defaults(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: dict[str, Any] = {}

    def reads(evidence: Evidence) -> Finding:
        seen.update(evidence.parameters)
        return passed("read")

    check = Check(id="DUR-7", subject=Subject.WORKER, needs={Timing: 1}, judge=reads)
    monkeypatch.setattr("harness.judging.TABLE", (check,))
    manifest = hand_made_manifest(asked=["DUR-7"], parameters={"horizon_s": 7})
    judge_journal(from_records([Timing(**AT, what="x", seconds=0)], manifest=manifest))
    assert seen["horizon_s"] == 7
    assert "event_lag_ms" in seen


# --- waivers


def test_a_waived_failure_is_shown_as_such_and_fails_nothing(tmp_path: Path) -> None:
    folder = trial_with(tmp_path / "trial", asked=["DUR-5", "DUR-7"], waivers=[WAIVER])
    assert judge_trial(folder)[1].exit_code == EXIT_PASS
    assert outcomes(folder)["DUR-5"] is Outcome.WAIVED


def test_a_waiver_holds_to_the_end_of_its_day_and_is_judged_by_the_trials_own(
    tmp_path: Path,
) -> None:
    """Judged years later, a trial keeps its verdicts: the day is that on which it ended."""
    last = trial_with(tmp_path / "last", asked=["DUR-5"], waivers=[WAIVER])
    assert judge_trial(last)[1].exit_code == EXIT_INCONCLUSIVE  # nothing but a waived failure
    over = trial_with(
        tmp_path / "over", asked=["DUR-5"], waivers=[WAIVER], ended_wall_ns=ENDED_NS + DAY_NS
    )
    _, judgement = judge_trial(over)
    assert judgement.exit_code == EXIT_FAIL
    assert "expired" in judgement.waiver_problems[0]


def test_a_waiver_of_what_passes_fails_the_run(tmp_path: Path) -> None:
    folder = trial_with(tmp_path / "trial", waivers=[{**WAIVER, "id": "DUR-7"}])
    _, judgement = judge_trial(folder)
    assert judgement.exit_code == EXIT_FAIL
    assert "no longer needed" in judgement.waiver_problems[0]


# --- what cannot be judged


def test_a_changed_journal_is_not_judged(tmp_path: Path) -> None:
    folder = trial_with(tmp_path / "trial")
    segment = folder / "journal" / "supervisor.jsonl"
    segment.write_bytes(segment.read_bytes().replace(b'"seconds":1.0', b'"seconds":9.0'))
    with pytest.raises(TamperedJournal):
        judge_trial(folder)
    assert not (folder / VERDICTS).exists()


def test_a_trial_without_manifest_is_judged_only_by_salvage(tmp_path: Path) -> None:
    folder = trial_with(tmp_path / "trial")
    (folder / "manifest.json").unlink()
    with pytest.raises(TruncatedJournal):
        judge_trial(folder)
    assert judge_trial(folder, salvage=True)[1].exit_code != EXIT_PASS


def test_verdicts_that_are_missing_or_no_verdicts_are_an_error(tmp_path: Path) -> None:
    for content in (None, b"{}", b"\xff", b'{"verdicts": [{"id": 1}]}'):
        if content is not None:
            (tmp_path / VERDICTS).write_bytes(content)
        with pytest.raises(EvidenceError, match="harness recheck"):
            read_verdicts(tmp_path)


def test_verdicts_that_cannot_be_written_leave_the_journal_as_it_is(tmp_path: Path) -> None:
    folder = trial_with(tmp_path / "trial")
    (folder / VERDICTS).mkdir()
    with pytest.raises(UnavailableError, match="harness recheck"):
        judge_trial(folder)
    assert read_manifest(folder).ended == "complete"


def test_the_trial_may_have_been_moved(tmp_path: Path) -> None:
    folder = trial_with(tmp_path / "trial")
    judge_trial(folder)
    first = (folder / VERDICTS).read_bytes()
    moved = folder.rename(tmp_path / "elsewhere")
    judge_trial(moved)
    assert (moved / VERDICTS).read_bytes() == first


def test_a_trial_that_was_sealed_twice_keeps_its_digest(tmp_path: Path) -> None:
    folder = trial_with(tmp_path / "trial")
    before = read_manifest(folder)
    Trial(folder, before.trial_id, -1).seal(msgspec.structs.replace(before, files=[]))
    assert read_manifest(folder) == before
