"""INV-DET-9: what a worker answered to recorded histories, and what is too little to say."""

from __future__ import annotations

from typing import Any

import pytest

from harness.checks.check import Check
from harness.checks.determinism import CHECKS
from harness.checks.determinism.wire import CLAUSES, LEAST_COLD, LEAST_WARM
from harness.journal.records import Difference, Ending, Replay
from harness.outcome import Outcome
from scenarios.conformance.shapes import steps
from tests.unit.journals import Story, Told

BY_ID: dict[str, Check] = {check.id: check for check in CHECKS}
DET_1, DET_2, DET_9 = (BY_ID[f"INV-DET-{number}"] for number in (1, 2, 9))


def told(warm: int = LEAST_WARM, cold: int = LEAST_COLD, runs: int = LEAST_WARM) -> Story:
    """Runs of which so many were served warm, and cold, and answered as recorded."""
    story = Story()
    for number in range(runs):
        story.saga(steps(1), case=f"case-{number}", feeds=("INV-DET-9",))
        story.runs[-1].events.append(
            {"eventId": "99", "eventType": "EVENT_TYPE_WORKFLOW_TASK_COMPLETED"}
        )
    for number, run in enumerate(story.runs):
        if number < warm:
            serve(story, run, "wire-warm")
        if number < cold:
            serve(story, run, "wire-cold")
    return story


def serve(story: Story, run: Told, mode: str, **fields: Any) -> None:
    given: dict[str, Any] = {"ending": Ending.OK, "tasks": 2, "compared": 2, **fields}
    story.add(
        Replay(
            **story.at(), mode=mode, tenant=run.tenant, workflow_id=run.workflow_id,
            run_id=run.run_id, **given,
        )
    )  # fmt: skip


def differs(attribute: str, severity: str = "error") -> Difference:
    return Difference(
        event_id=5, attribute=attribute, recorded="1", replayed="2", severity=severity
    )


def failing(story: Story) -> list[str]:
    verdict = story.judge(DET_9)
    assert verdict.outcome is Outcome.FAIL, verdict.reason
    assert "event 5" in verdict.witnesses[0].text
    assert verdict.witnesses[0].path == story.runs[0].path
    return [clause.name for clause in verdict.clauses if clause.outcome is Outcome.FAIL]


def test_histories_answered_as_recorded_pass() -> None:
    verdict = told().judge(DET_9)
    assert verdict.outcome is Outcome.PASS, verdict.reason
    assert verdict.figures["histories"] == LEAST_WARM
    assert verdict.figures["commands_compared"] == 2 * (LEAST_WARM + LEAST_COLD)
    assert {clause.name for clause in verdict.clauses} == {*CLAUSES, "coverage"}


@pytest.mark.parametrize("mode", ["wire-warm", "wire-cold"])
@pytest.mark.parametrize(
    ("attribute", "clause"),
    [
        ("task", "tasks"),
        ("command", "commands"),
        ("ACTIVITY_TASK_SCHEDULED.input", "contents"),
        ("WORKFLOW_EXECUTION_COMPLETED.result", "contents"),
    ],
)
def test_another_answer_fails_its_clause(mode: str, attribute: str, clause: str) -> None:
    story = told()
    fields = {"ending": Ending.FAIL, "differences": [differs(attribute)]}
    story.set(Replay, fields, mode=mode, run_id=story.runs[0].run_id)
    assert failing(story) == [clause]


def test_legal_evolution_is_counted_and_passes() -> None:
    story = told()
    timeout = differs("ACTIVITY_TASK_SCHEDULED.start_to_close_timeout", "info")
    story.set(Replay, {"differences": [timeout]}, mode="wire-cold")
    verdict = story.judge(DET_9)
    assert verdict.outcome is Outcome.PASS
    assert verdict.figures["legal_evolution"] == LEAST_COLD


@pytest.mark.parametrize(
    ("story", "said"),
    [
        (told(LEAST_WARM - 1, runs=LEAST_WARM - 1), "least that says something"),
        (told(cold=LEAST_COLD - 1), "from the beginning at every task"),
        (told(LEAST_WARM, runs=LEAST_WARM + 1), "1 recorded histories were not served"),
    ],
)
def test_too_little_is_inconclusive(story: Story, said: str) -> None:
    verdict = story.judge(DET_9)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert said in verdict.reason


def test_a_history_that_could_not_be_judged_is_inconclusive_and_says_why() -> None:
    story = told()
    fields = {"ending": Ending.INFO, "message": "marker 'x' is not known"}
    story.set(Replay, fields, mode="wire-warm", run_id=story.runs[3].run_id)
    verdict = story.judge(DET_9)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "marker 'x' is not known" in verdict.reason


def test_answers_without_a_command_in_them_say_nothing() -> None:
    story = told()
    story.set(Replay, {"compared": 0})
    assert story.judge(DET_9).outcome is Outcome.INCONCLUSIVE


def test_where_nothing_is_replayed_in_process_the_workers_answers_are_judged() -> None:
    story = told()
    assert story.judge(DET_2).outcome is Outcome.PASS
    assert story.judge(DET_1).outcome is Outcome.INCONCLUSIVE
    for run in story.runs:
        serve(story, run, "wire-whole", compared=0, tasks=1)
    assert story.judge(DET_1).outcome is Outcome.PASS
    fields = {"ending": Ending.FAIL, "differences": [differs("history")]}
    story.set(Replay, fields, mode="wire-whole", run_id=story.runs[0].run_id)
    assert story.judge(DET_1).outcome is Outcome.FAIL
