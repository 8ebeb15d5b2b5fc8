"""Versions and rollouts, from a rollout told by hand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from harness.checks.check import Check
from harness.checks.rollout import CHECKS
from harness.checks.rollout.routing import binomial_test, noticed
from harness.contract.program import SagaProgram, to_json
from harness.contract.versions import is_semantic, numbers, same_major
from harness.journal.records import SAME_CODE, Ending, Operation, Part, Subject
from harness.outcome import Outcome
from tests.unit.journals import Story, Told, payloads

BY_ID = {check.id: check for check in CHECKS}
OLD, NEW = "1.0.0", "1.1.0"
PROBES = ("prom", "sett")
PARAMETERS = {"ramp_significance": 0.001, "ramp_resolution": 0.25, "version_spread_s": 1.0}


class Rollout(Story):
    """A rollout in the course of being told; each method is a step of the operator or a run."""

    def op(self, name: str, phase: str = "", result: Any = None, **fields: Any) -> None:
        at = self.at()
        args = {"phase": phase, **fields.pop("args", {})} if phase else fields.pop("args", {})
        given: dict[str, Any] = {"ending": Ending.OK, "status": "OK", **fields}
        self.add(
            Operation(
                **at, name=name, suite="rollout", tenant="alpha", invoked_ns=at["at_ns"],
                args=args, result=result, **given,
            )
        )  # fmt: skip

    def current(self, phase: str, build_id: str) -> None:
        self.op("set-current", phase, args={"build_id": build_id})

    def look(self, phase: str, old: str) -> None:
        self.op("look", phase, {"status": {OLD: old, NEW: "CURRENT"}, "current": NEW})

    def begun(self, phase: str, name: str, build_id: str, **started: Any) -> Told:
        """A run that a version has taken, and that waits."""
        run = Told("alpha", f"t/rollout/{name}", f"run-{name}")
        self.runs.append(run)
        self.op("start", phase, workflow_id=run.workflow_id, run_id=run.run_id)
        program = SagaProgram(tenant="alpha", saga_id=name, nodes=[])
        self.event(run, "WORKFLOW_EXECUTION_STARTED", input=payloads(to_json(program)), **started)
        self.task(run, build_id)
        return run

    def task(self, run: Told, build_id: str, **attributes: Any) -> None:
        """A workflow task, and an activity of the same worker."""
        version = {"deploymentVersion": {"deploymentName": "d", "buildId": build_id}}
        versioned = {**version, "versioningBehavior": "VERSIONING_BEHAVIOR_PINNED"}
        identity = f"worker of {build_id}"
        attributes |= versioned if build_id else {}
        self.event(run, "WORKFLOW_TASK_COMPLETED", identity=identity, **attributes)
        self.event(run, "ACTIVITY_TASK_STARTED", identity=identity)

    def ended(self, run: Told, status: str = "COMPLETED") -> None:
        self.event(run, f"WORKFLOW_EXECUTION_{status}")
        self.op("result", result={"status": status}, workflow_id=run.workflow_id, run_id=run.run_id)

    def goes_on(self, run: Told, build_id: str, status: str = "COMPLETED") -> None:
        """Told to go on, it does, and ends."""
        self.op("signal", workflow_id=run.workflow_id)
        self.event(run, "WORKFLOW_EXECUTION_SIGNALED")
        self.task(run, build_id)
        self.ended(run, status)

    def probes(self, phase: str, builds: Iterable[str]) -> None:
        """New runs, each taken by its version and ended."""
        for number, build_id in enumerate(builds):
            self.ended(self.begun(phase, f"{phase}-{number}", build_id))

    def spreads(self) -> None:
        self.passes(1100)


def rollout(
    *,
    promoted: str = NEW,
    back: str = OLD,
    old_goes_on_with: str = OLD,
    moved_fails: bool = False,
    ramped: int = 20,
    retired: str = "DRAINED",
    at_removal: str = "DRAINED",
    pinned: str = "DRAINING",
    override: bool = True,
    flying_ends: str = "COMPLETED",
) -> Rollout:
    """A sound rollout, or one with a defect."""
    story = Rollout()
    story.current("begin", OLD)
    old = [story.begun("old", f"old-{n}", OLD) for n in range(4)]
    moved = [story.begun("moved", f"moved-{n}", OLD) for n in range(4)]
    story.op("set-ramp", "ramp", args={"build_id": NEW, "percent": 20.0})
    story.spreads()
    story.probes("ramp", [NEW] * ramped + [OLD] * (80 - ramped))
    story.current("promote", NEW)
    story.probes("promote-early", [OLD])
    story.spreads()
    story.probes("promote", [promoted] * 5)
    for run in moved:
        if moved_fails:
            story.event(
                run,
                "WORKFLOW_TASK_FAILED",
                cause="WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR",
            )
        story.goes_on(run, NEW)
    flying = [story.begun("flying", f"flying-{n}", NEW) for n in range(3)]
    story.current("rollback", OLD)
    story.spreads()
    story.probes("rollback", [back] * 5)
    for run in flying:
        if flying_ends:
            story.goes_on(run, NEW, flying_ends)
        else:
            story.op("signal", workflow_id=run.workflow_id)
    story.current("settle", NEW)
    story.spreads()
    story.probes("settle", [promoted] * 5)
    for run in old:
        if old_goes_on_with:
            story.goes_on(run, old_goes_on_with)
        else:
            story.op("signal", workflow_id=run.workflow_id)
    story.look("retired", retired)
    start = {"versioningOverride": {"pinned": {}}} if override else {}
    pin = story.begun("pinned", "pinned", OLD, **start)
    story.look("pinned", pinned)
    story.goes_on(pin, OLD)
    story.look("removal", at_removal)
    story.op("remove", "removal", args={"build_id": OLD})
    return story


def clauses(story: Story, assertion_id: str, **parameters: Any) -> list[str]:
    """The clauses of a verdict that fail; `inconclusive` alone if that is what it is."""
    verdict = story.judge(BY_ID[assertion_id], **{**PARAMETERS, **parameters})
    if verdict.outcome is Outcome.INCONCLUSIVE:
        return ["inconclusive"]
    failed = [each.name for each in verdict.clauses if each.outcome is Outcome.FAIL]
    assert bool(failed) == (verdict.outcome is Outcome.FAIL)
    return failed


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_a_sound_rollout_passes(check: Check) -> None:
    verdict = rollout().judge(check, **PARAMETERS)
    assert (verdict.outcome, verdict.reason) == (Outcome.PASS, verdict.reason), verdict.reason


@pytest.mark.parametrize(
    ("assertion_id", "defect", "failing"),
    [
        ("INV-VER-1", {"promoted": ""}, ["run of no version"]),
        ("CMP-1", {"old_goes_on_with": NEW}, ["old run on another version"]),
        ("CMP-1", {"old_goes_on_with": ""}, ["old run did not end"]),
        ("CMP-2", {"moved_fails": True}, ["runs of its own major version do not replay"]),
        ("CMP-3", {"promoted": OLD}, ["new run on a deprecated version"]),
        ("CMP-3", {"retired": "RAMPING"}, ["deprecated version without a mark"]),
        ("CMP-3", {"pinned": "DRAINED"}, ["pin to a deprecated version not flagged"]),
        ("CMP-3", {"override": False}, ["pin to a deprecated version not flagged"]),
        ("ROL-1", {"old_goes_on_with": NEW}, ["task of a pinned run by another version"]),
        ("ROL-1", {"old_goes_on_with": ""}, ["old version stopped working"]),
        ("ROL-2", {"promoted": OLD}, ["new run not on the new version"]),
        ("ROL-3", {"ramped": 80}, ["share of the ramp"]),
        ("ROL-3", {"ramped": 0}, ["share of the ramp"]),
        ("ROL-4", {"back": NEW}, ["new run not on the version rolled back to"]),
        ("ROL-4", {"flying_ends": ""}, ["run of the withdrawn version did not end"]),
        ("ROL-4", {"flying_ends": "TERMINATED"}, ["run failed"]),
        ("ROL-7", {"at_removal": "DRAINING"}, ["removed before it was drained"]),
        ("ROL-7", {"old_goes_on_with": ""}, ["removed with open runs"]),
        ("CMP-3", {"retired": "DRAINING"}, ["inconclusive"]),
    ],
)
def test_a_defect_is_found(assertion_id: str, defect: dict[str, Any], failing: list[str]) -> None:
    assert clauses(rollout(**defect), assertion_id) == failing


@pytest.mark.parametrize("check", CHECKS[1:], ids=lambda check: check.id)
def test_without_a_rollout_nothing_is_said(check: Check) -> None:
    story = Story()
    story.saga([])
    verdict = story.judge(check, **PARAMETERS)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "no rollout was driven" in verdict.reason


@pytest.mark.parametrize("check", CHECKS[1:], ids=lambda check: check.id)
def test_a_rollout_that_the_engine_refused_is_inconclusive(check: Check) -> None:
    story = rollout()
    story.set(Operation, {"ending": Ending.FAIL, "status": "NOT_FOUND"}, name="set-current")
    assert clauses(story, check.id) == ["inconclusive"]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_a_worker_without_versions_is_not_asked(check: Check) -> None:
    story = rollout()
    story.add(
        Part(**story.at(), subject=Subject.WORKER, ours=False, name="w", lacks=["versioning"])
    )
    assert story.judge(check).outcome is Outcome.NOT_APPLICABLE


def test_a_start_while_a_change_spreads_may_land_on_the_old_version() -> None:
    verdict = rollout().judge(BY_ID["ROL-2"], **PARAMETERS)
    assert verdict.figures["of_these_on_the_old_version"] == 1
    assert clauses(rollout(), "ROL-2", version_spread_s=0.0) == ["new run not on the new version"]


def test_workers_that_were_told_no_version_are_not_judged() -> None:
    story = rollout(promoted="")
    story.add(Part(**story.at(), subject=Subject.WORKER, ours=True, name="python", version="sdk"))
    assert clauses(story, "INV-VER-1") == ["inconclusive"]


@pytest.mark.parametrize(
    ("assertion_id", "defect"),
    [
        ("CMP-1", {"old_goes_on_with": ""}),
        ("ROL-1", {"old_goes_on_with": ""}),
        ("ROL-2", {"promoted": ""}),
        ("ROL-4", {"flying_ends": ""}),
    ],
)
def test_on_a_starved_machine_a_run_that_does_not_end_says_nothing(
    assertion_id: str, defect: dict[str, Any]
) -> None:
    story = rollout(**defect)
    slow = next(run for run in story.runs if run.workflow_id.endswith("moved-0"))
    scheduled = story.event(slow, "WORKFLOW_TASK_SCHEDULED")
    story.passes(11_000)
    story.task(slow, OLD, scheduledEventId=scheduled["eventId"])
    for run in story.runs:  # no version at all took those
        if not defect.get("promoted", "x") and run.workflow_id.split("/")[-1][:4] in PROBES:
            run.events = run.events[:1]
    assert clauses(story, assertion_id) == ["inconclusive"]


def test_patch_markers_are_versions_too() -> None:
    story = rollout(promoted="")
    for run in story.runs:
        story.event(run, "MARKER_RECORDED", markerName="core_patch")
    assert clauses(story, "INV-VER-1") == []


@pytest.mark.parametrize(
    ("build_id", "failing"),
    [
        ("1.1.0-rc.1+build.7", []),
        ("v1.1.0", ["build id is no semantic version"]),
        ("main-4f2c1e", ["build id is no semantic version"]),
    ],
)
def test_every_build_id_is_a_semantic_version(build_id: str, failing: list[str]) -> None:
    story = rollout()
    details = {"deployment": "d", "build_id": build_id}
    story.add(Part(**story.at(), subject=Subject.WORKER, ours=True, name="python", details=details))
    assert clauses(story, "CMP-2") == failing


def test_another_major_version_need_not_replay_old_runs() -> None:
    story = rollout(moved_fails=True)
    story.change(
        Operation,
        lambda op: {"args": {**op.args, "build_id": "2.0.0"}} if op.args["build_id"] == NEW else {},
        name="set-current",
    )
    story.change(Operation, lambda op: {"args": {**op.args, "build_id": "2.0.0"}}, name="set-ramp")
    assert clauses(story, "CMP-2") == []


def test_the_same_code_under_two_build_ids_shows_no_compatibility() -> None:
    story = rollout()
    details = {"deployment": "d", "build_id": NEW, "code": SAME_CODE}
    story.add(Part(**story.at(), subject=Subject.WORKER, ours=True, name="python", details=details))
    assert clauses(story, "CMP-2") == ["inconclusive"]


def test_a_refused_pin_is_as_good_as_a_flagged_one() -> None:
    story = rollout()
    story.change(
        Operation,
        lambda op: (
            {"ending": Ending.FAIL, "status": "INVALID_ARGUMENT"}
            if op.args.get("phase") == "pinned"
            else {}
        ),
        name="start",
    )
    verdict = story.judge(BY_ID["CMP-3"], **PARAMETERS)
    assert verdict.figures["pinned_start"] == "refused"
    assert verdict.outcome is Outcome.PASS


def test_what_counts_as_deprecated_is_declared() -> None:
    assert clauses(rollout(), "CMP-3", deprecated_version="deleted") == ["inconclusive"]
    # nothing was started after the version drained, so nothing is known of it
    assert clauses(rollout(), "CMP-3", deprecated_version="drained") == ["inconclusive"]


# --- the test of a ramp


@pytest.mark.parametrize(("k", "fails"), [(5, False), (4, True), (29, False), (30, True)])
def test_the_share_of_a_ramp_at_its_limits(k: int, fails: bool) -> None:
    assert bool(clauses(rollout(ramped=k), "ROL-3")) == fails


def test_the_numbers_of_a_ramp_are_shown() -> None:
    test = binomial_test(80, 16, 0.2, PARAMETERS)
    assert test["p_value"] == 1.0
    assert test["interval_from"] < 0.2 < test["interval_to"]
    assert 0 < test["noticed_at_or_below"] < 0.2 < test["noticed_at_or_above"] < 0.5


def test_a_ramp_with_few_starts_is_inconclusive() -> None:
    story = rollout()
    for number in (*range(10, 20), *range(40, 80)):
        story.drop(Operation, name="start", workflow_id=f"t/rollout/ramp-{number}")
    assert clauses(story, "ROL-3") == ["inconclusive"]
    assert noticed(10, 0.2, 0.001)[0] == -1.0


# --- versions as text


@pytest.mark.parametrize(
    ("text", "semantic"),
    [
        ("0.0.0", True),
        ("1.2.3-alpha.1", True),
        ("1.2.3+20240501", True),
        ("1.2", False),
        ("01.2.3", False),
        ("1.2.3-", False),
        ("1.2.3-01", False),
        ("1.2.3 ", False),
        ("", False),
    ],
)
def test_semantic_versions(text: str, semantic: bool) -> None:
    assert is_semantic(text) == semantic


def test_compatible_is_what_has_the_same_major_number() -> None:
    assert same_major("1.0.0", "1.9.9")
    assert not same_major("1.0.0", "2.0.0")
    assert not same_major("0.1.0", "0.2.0"), "of 0 nothing is promised"
    assert not same_major("1.0.0", "one")


def test_versions_compare_by_their_numbers() -> None:
    assert numbers("1.32.0") > numbers("1.29.1")
    assert numbers("1.29.1-150.0") == (1, 29, 1)
    assert numbers("1.9.0") < numbers("1.29.1")
