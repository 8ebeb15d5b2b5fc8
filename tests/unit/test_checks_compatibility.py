"""Old histories against new code, the life of patches, and the detectors' own test."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest

from harness.checks.check import Check
from harness.checks.compatibility import CHECKS
from harness.checks.determinism import CHECKS as DETERMINISM
from harness.checks.determinism.detectors import LEAST
from harness.checks.verdict import Verdict, judge
from harness.journal.read import from_records
from harness.journal.records import (
    Difference,
    Ending,
    Part,
    PatchCall,
    Precedent,
    Replay,
    Seed,
    SourceScan,
    Subject,
)
from harness.outcome import Outcome
from tests.unit.journals import Story

BY_ID: dict[str, Check] = {check.id: check for check in (*CHECKS, *DETERMINISM)}
VER_2, VER_3, DET_8 = BY_ID["INV-VER-2"], BY_ID["INV-VER-3"], BY_ID["INV-DET-8"]
AT: dict[str, int] = {"at_ns": 1, "wall_ns": 1}
WORKER = Part(**AT, subject=Subject.WORKER, ours=True, name="python")


# --- INV-VER-2


def old(origin: str, run: str, workflow_type: str = "Saga") -> Precedent:
    return Precedent(
        **AT, origin=origin, build="b1" if origin == "kept" else "", workflow_id=f"w-{run}",
        run_id=run, workflow_type=workflow_type, closed=origin == "kept", path=f"{run}.json",
        sha256="0" * 64,
    )  # fmt: skip


def replayed(origin: str, run: str, **fields: Any) -> Replay:
    given: dict[str, Any] = {"ending": Ending.OK, **fields}
    return Replay(**AT, mode=origin, tenant="", workflow_id=f"w-{run}", run_id=run, **given)


def both() -> Story:
    story = Story()
    story.add(WORKER)
    for origin in ("open", "kept"):
        story.add(old(origin, origin))
        story.add(replayed(origin, origin))
    return story


def test_old_histories_that_replay_pass() -> None:
    verdict = both().judge(VER_2)
    assert verdict.outcome is Outcome.PASS
    assert verdict.figures == {"open_runs": 1, "kept_histories": 1, "builds": ["b1"]}


@pytest.mark.parametrize("origin", ["open", "kept"])
def test_one_that_does_not_replay_fails(origin: str) -> None:
    story = both()
    story.set(Replay, {"ending": Ending.FAIL, "message": "[TMPRL1100] no"}, mode=origin)
    verdict = story.judge(VER_2)
    assert verdict.outcome is Outcome.FAIL
    assert "TMPRL1100" in verdict.witnesses[0].text
    assert sum(each.outcome is Outcome.FAIL for each in verdict.clauses) == 1


def test_other_contents_are_shown() -> None:
    story = both()
    difference = Difference(
        event_id=5, attribute="input", recorded="1", replayed="2", severity="error"
    )
    story.set(Replay, {"ending": Ending.FAIL, "differences": [difference]}, mode="kept")
    assert "event 5 input: recorded 1, replayed 2" in story.judge(VER_2).witnesses[0].text


@pytest.mark.parametrize("origin", ["open", "kept"])
def test_without_either_it_is_open(origin: str) -> None:
    story = both()
    story.drop(Replay, mode=origin)
    story.drop(Precedent, origin=origin)
    assert story.judge(VER_2).outcome is Outcome.INCONCLUSIVE


def test_one_that_was_not_replayed_is_not_forgotten() -> None:
    story = both()
    story.add(old("kept", "other", workflow_type=""))
    verdict = story.judge(VER_2)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "1 old histories were not replayed, of types (unreadable)" in verdict.reason


def test_one_with_an_unknown_kind_leaves_it_open() -> None:
    story = both()
    story.set(Replay, {"ending": Ending.INFO, "message": "not compared: x"}, mode="open")
    assert "not compared: x" in story.judge(VER_2).reason


# --- INV-VER-3


def scanned(*calls: PatchCall, types: tuple[str, ...] = ("Saga",)) -> SourceScan:
    return SourceScan(
        **AT, workflows="flows", classes=["flows.Saga"], functions=1, files={},
        patches=list(calls), types=list(types),
    )  # fmt: skip


def asks(patch_id: str, call: str = "patched", line: int = 1, workflow: str = "S") -> PatchCall:
    return PatchCall(id=patch_id, call=call, file="flows.py", line=line, workflow=workflow)


def history(*marks: tuple[str, bool], still_open: bool, type_: str = "Saga") -> dict[str, Any]:
    """A kept history with these markers, of (id, deprecated)."""
    events = [
        {
            "eventId": str(number), "eventTime": "2026-01-01T00:00:00Z",
            "eventType": "EVENT_TYPE_MARKER_RECORDED",
            "markerRecordedEventAttributes": {
                "markerName": "core_patch",
                "details": {"patch-data": {"payloads": [{"data": _data(patch_id, deprecated)}]}},
            },
        }
        for number, (patch_id, deprecated) in enumerate(marks, 1)
    ]  # fmt: skip
    return {"events": events, "closed": not still_open, "type": type_}


def _data(patch_id: str, deprecated: bool) -> str:
    return base64.b64encode(
        json.dumps({"id": patch_id, "deprecated": deprecated}).encode()
    ).decode()


def census(scan: SourceScan, *histories: dict[str, Any]) -> Verdict:
    records: list[Any] = [WORKER, scan]
    files = {}
    for number, each in enumerate(histories):
        raw = json.dumps({"events": each["events"]}).encode()
        files[f"{number}.json"] = raw
        records.append(
            Precedent(
                **AT, origin="kept", build="b1", workflow_id=f"w-{number}", run_id=f"r-{number}",
                workflow_type=each["type"], closed=each["closed"], path=f"{number}.json",
                sha256=hashlib.sha256(raw).hexdigest(),
            )
        )  # fmt: skip
    journal = from_records(records, histories=files)
    (verdict,) = judge(journal, [VER_3], {"INV-VER-3": "M"}, {})
    assert "crashed" not in verdict.reason, verdict.reason
    return verdict


OPEN = history(still_open=True)


def test_each_stage_of_a_patchs_life_passes() -> None:
    verdict = census(
        scanned(asks("new"), asks("later", "deprecate_patch", 2)),
        history(("later", False), ("new", False), still_open=True),
        history(("gone", True), still_open=False),
    )
    assert verdict.outcome is Outcome.PASS
    assert (verdict.figures["patched"], verdict.figures["deprecated"]) == (["new"], ["later"])
    assert verdict.figures["removed"] == ["gone"]


def test_removed_while_an_open_run_holds_it_fails() -> None:
    held = history(("gone", False), still_open=True)
    verdict = census(scanned(), held, history(("gone", True), still_open=False))
    assert [c.name for c in verdict.clauses if c.outcome is Outcome.FAIL] == [
        "removed while an open run holds its marker"
    ]


def test_removed_without_having_been_deprecated_fails() -> None:
    verdict = census(scanned(), OPEN, history(("gone", False), still_open=False))
    assert [c.name for c in verdict.clauses if c.outcome is Outcome.FAIL] == [
        "removed without having been deprecated"
    ]


@pytest.mark.parametrize(
    "calls",
    [
        (asks("x"), asks("x", "deprecate_patch", 2)),
        (asks("x"), asks("x", line=2, workflow="Other")),
    ],
    ids=["patched and deprecated", "of two workflows"],
)
def test_an_id_that_stands_for_two_things_fails(calls: tuple[PatchCall, ...]) -> None:
    assert census(scanned(*calls), OPEN).outcome is Outcome.FAIL


@pytest.mark.parametrize(
    "calls",
    [
        (asks("x"), asks("x", line=2)),
        (asks("x"), asks("x", workflow="Other")),
    ],
    ids=["asked twice by one workflow", "in a helper of two workflows"],
)
def test_one_change_in_several_places_is_one(calls: tuple[PatchCall, ...]) -> None:
    assert census(scanned(*calls), OPEN).outcome is Outcome.PASS


def test_markers_of_workflows_that_are_not_this_modules_do_not_count() -> None:
    other = history(("gone", False), still_open=True, type_="Other")
    assert census(scanned(asks("x")), other).outcome is Outcome.PASS


def test_code_without_patches_has_nothing_to_show() -> None:
    assert census(scanned(), OPEN).outcome is Outcome.NOT_APPLICABLE


def test_a_computed_id_and_no_open_run_leave_it_open() -> None:
    assert "is computed" in census(scanned(asks("")), OPEN).reason
    assert "no history of an open run" in census(scanned(asks("x"))).reason


# --- INV-DET-8


def sown() -> Story:
    story = Story()
    story.add(WORKER)
    for detector, (defects, sound) in LEAST.items():
        for number in range(defects + sound):
            name, is_sound = f"{detector}-{number}", number >= defects
            if detector != "surroundings":
                story.add(
                    Seed(
                        **story.at(), detector=detector, name=name, sound=is_sound,
                        alarmed=not is_sound,
                    )
                )  # fmt: skip
            for place in ("", "east") if detector == "surroundings" else ():
                story.add(
                    Replay(
                        **story.at(), mode="sound" if is_sound else "seed", tenant="",
                        workflow_id=name, run_id=name, ending=Ending.OK, surroundings=place,
                        commands=["start_timer:aa" if is_sound else f"start_timer:{place}"],
                    )
                )  # fmt: skip
    return story


def test_detectors_that_name_everything_sown_pass() -> None:
    verdict = sown().judge(DET_8)
    assert verdict.outcome is Outcome.PASS
    assert verdict.figures["defects_named"] == verdict.figures["defects_sown"] == 27


@pytest.mark.parametrize("detector", ["source", "stock", "strict"])
def test_a_defect_that_was_missed_fails(detector: str) -> None:
    story = sown()
    story.set(Seed, {"alarmed": False}, name=f"{detector}-0")
    verdict = story.judge(DET_8)
    assert verdict.outcome is Outcome.FAIL
    assert f"{detector}-0" in verdict.witnesses[0].text


def test_surroundings_that_find_nothing_fail() -> None:
    story = sown()
    story.set(Replay, {"commands": ["start_timer:aa"]}, run_id="surroundings-2")
    assert "surroundings-2" in story.judge(DET_8).witnesses[0].text


def test_an_alarm_at_something_sound_fails() -> None:
    story = sown()
    story.set(Seed, {"alarmed": True}, name="source-16")
    verdict = story.judge(DET_8)
    assert [c.name for c in verdict.clauses if c.outcome is Outcome.FAIL] == [
        "something sound raised an alarm"
    ]


@pytest.mark.parametrize("detector", ["source", "stock", "strict"])
def test_a_detector_that_was_hardly_tried_leaves_it_open(detector: str) -> None:
    story = sown()
    story.drop(Seed, name=f"{detector}-0")
    assert f"{detector} was tried on" in story.judge(DET_8).reason
