"""Determinism: what the surroundings changed, and what showed in the field."""

from __future__ import annotations

from typing import Any

import pytest

from harness.checks.check import Check
from harness.checks.determinism import CHECKS
from harness.checks.determinism.surroundings import REQUIRED
from harness.journal.records import Ending, Operation, Part, Replay, Subject, Surroundings
from harness.outcome import Outcome
from scenarios.conformance.shapes import steps
from tests.unit.journals import Story

BY_ID: dict[str, Check] = {check.id: check for check in CHECKS}
DET_3, DET_7 = BY_ID["INV-DET-3"], BY_ID["INV-DET-7"]
COMMANDS = ["schedule_activity:aa", "start_timer:bb"]


# --- INV-DET-3


def replayed(
    runs: int = 5, names: tuple[str, ...] = ("", "east", "west"), same: tuple[str, ...] = ()
) -> Story:
    """Runs that were replayed in surroundings which differ in all but what is the `same`."""
    story = Story()
    story.add(Part(**story.at(), subject=Subject.WORKER, ours=True, name="python"))
    for name in names:
        seen = {each: "same" if each in same else f"{each} {name}" for each in (*REQUIRED, "cores")}
        story.add(Surroundings(**story.at(), name=name, seen=seen))
        for number in range(runs):
            add(story, name, f"run-{number}", COMMANDS)
    return story


def add(story: Story, name: str, run: str, commands: list[str], **fields: Any) -> None:
    given: dict[str, Any] = {"ending": Ending.OK, **fields}
    story.add(
        Replay(
            **story.at(), mode="perturbed" if name else "strict", tenant="alpha",
            workflow_id=f"w-{run}", run_id=run, surroundings=name, commands=commands, **given,
        )
    )  # fmt: skip


def test_the_same_commands_everywhere_pass() -> None:
    verdict = replayed().judge(DET_3)
    assert verdict.outcome is Outcome.PASS
    assert verdict.figures["histories_compared"] == 5
    assert verdict.figures["not_varied"] == ["clock"]


@pytest.mark.parametrize(
    ("commands", "said"),
    [
        (
            ["schedule_activity:aa", "start_timer:cc"],
            "command 2 is start_timer with other contents",
        ),
        (
            ["start_timer:bb", "schedule_activity:aa"],
            "command 1 is schedule_activity or start_timer",
        ),
        (["schedule_activity:aa"], "command 2 is start_timer or nothing"),
        ([*COMMANDS, "cancel_timer:dd"], "command 3 is nothing or cancel_timer"),
    ],
)
def test_other_commands_in_one_of_the_surroundings_fail(commands: list[str], said: str) -> None:
    story = replayed()
    story.set(Replay, {"commands": commands}, run_id="run-3", surroundings="west")
    verdict = story.judge(DET_3)
    assert verdict.outcome is Outcome.FAIL
    (witness,) = verdict.witnesses
    assert said in witness.text
    assert "west" in witness.text


def test_a_replay_that_ends_with_an_error_in_one_of_them_fails() -> None:
    story = replayed()
    story.set(
        Replay, {"ending": Ending.FAIL, "message": "KeyError"}, run_id="run-1", surroundings="east"
    )
    assert "KeyError" in story.judge(DET_3).witnesses[0].text


def test_commands_that_differ_from_the_recorded_ones_alike_everywhere_agree() -> None:
    """Whether they are the recorded ones is another assertion's business."""
    story = replayed()
    story.set(Replay, {"ending": Ending.FAIL, "commands": ["start_timer:ee"]}, run_id="run-1")
    assert story.judge(DET_3).outcome is Outcome.PASS


def test_a_replay_that_was_given_up_says_nothing() -> None:
    story = replayed(runs=6)
    given_up = {"ending": Ending.INFO, "commands": [], "message": "[TMPRL1101] blocked"}
    story.set(Replay, given_up, run_id="run-1", surroundings="east")
    assert story.judge(DET_3).outcome is Outcome.PASS


@pytest.mark.parametrize("name", REQUIRED)
def test_what_was_not_varied_leaves_it_open(name: str) -> None:
    verdict = replayed(same=(name,)).judge(DET_3)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert f"{name} was the same everywhere" in verdict.reason


def test_a_machine_with_one_core_is_told_and_no_excuse() -> None:
    verdict = replayed(same=("cores",)).judge(DET_3)
    assert verdict.outcome is Outcome.PASS
    assert verdict.figures["not_varied"] == ["clock", "cores"]


def test_few_histories_or_one_of_the_surroundings_leave_it_open() -> None:
    assert replayed(runs=4).judge(DET_3).outcome is Outcome.INCONCLUSIVE
    assert replayed(names=("",)).judge(DET_3).outcome is Outcome.INCONCLUSIVE


def test_workers_in_other_languages_are_not_applicable() -> None:
    story = replayed()
    story.set(Part, {"name": "rust"})
    assert story.judge(DET_3).outcome is Outcome.NOT_APPLICABLE


# --- INV-DET-7


def in_the_field(tasks: int = 10, runs: list[dict[str, Any]] | None = None) -> Story:
    """A saga with so many workflow tasks, and visibility's answer."""
    story = Story()
    told = story.saga(steps(1))
    for _ in range(tasks):
        story.event(told.run, "WORKFLOW_TASK_COMPLETED")
    asked(story, result={"runs": runs or []})
    return story


def asked(story: Story, **fields: Any) -> None:
    given: dict[str, Any] = {"ending": Ending.OK, "status": "OK", "tenant": "alpha", **fields}
    story.add(Operation(**story.at(), name="reported-problems", invoked_ns=1, **given))


def test_a_quiet_field_passes() -> None:
    assert in_the_field().judge(DET_7).outcome is Outcome.PASS


def test_a_task_that_failed_for_nondeterminism_fails() -> None:
    story = in_the_field()
    cause = "WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR"
    failure = {"message": "[TMPRL1100] no"}
    story.event(story.runs[0], "WORKFLOW_TASK_FAILED", cause=cause, failure=failure)
    verdict = story.judge(DET_7)
    assert verdict.outcome is Outcome.FAIL
    assert "TMPRL1100" in verdict.witnesses[0].text


@pytest.mark.parametrize("cause", ["RESET_WORKFLOW", "WORKFLOW_WORKER_UNHANDLED_FAILURE"])
def test_a_task_that_failed_otherwise_is_no_nondeterminism(cause: str) -> None:
    story = in_the_field()
    story.event(story.runs[0], "WORKFLOW_TASK_FAILED", cause=f"WORKFLOW_TASK_FAILED_CAUSE_{cause}")
    assert story.judge(DET_7).outcome is Outcome.PASS


def test_a_run_that_reports_problems_fails() -> None:
    run = {"workflow_id": "w", "run_id": "r", "problems": ["category=WorkflowTaskFailed"]}
    verdict = in_the_field(runs=[run]).judge(DET_7)
    assert verdict.outcome is Outcome.FAIL
    assert "alpha/w: category=WorkflowTaskFailed" in verdict.witnesses[0].text


def test_too_few_tasks_or_no_answer_leave_it_open() -> None:
    assert in_the_field(tasks=9).judge(DET_7).outcome is Outcome.INCONCLUSIVE
    story = in_the_field()
    story.drop(Operation, name="reported-problems")
    assert story.judge(DET_7).outcome is Outcome.INCONCLUSIVE
    asked(story, ending=Ending.FAIL, status="UNAVAILABLE")
    assert "UNAVAILABLE" in story.judge(DET_7).reason


def test_a_server_without_the_attribute_is_told_and_judged_by_its_histories() -> None:
    story = in_the_field()
    story.drop(Operation, name="reported-problems")
    asked(story, ending=Ending.FAIL, status="INVALID_ARGUMENT")
    verdict = story.judge(DET_7)
    assert verdict.outcome is Outcome.PASS
    assert "1 know no such attribute" in verdict.reason
