"""MIT-4 passes on misfits that end before anything runs, and names every other end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import harness.contract
from harness.checks.validation import CHECKS
from harness.contract.program import step
from harness.journal.records import Ending, Operation, Program
from harness.outcome import Outcome
from scenarios.conformance.misfits import draw, neighbours
from scenarios.reference.program import Misfit, parse
from tests.unit.journals import Story, Told, failure, payloads

(MIT_4,) = CHECKS
SCHEMA = jsonschema.Draft202012Validator(
    json.loads((Path(harness.contract.__file__).parent / "schemas" / "program.json").read_bytes())
)


# --- what is drawn


@pytest.mark.parametrize("seed", range(12))
def test_what_is_drawn_fits_neither_the_schema_nor_the_reference_worker(seed: int) -> None:
    for misfit in draw(seed, "alpha", "s"):
        assert not SCHEMA.is_valid(misfit.argument), misfit
        with pytest.raises(Misfit):
            parse(misfit.argument)


def test_the_neighbours_fit_both() -> None:
    for argument in neighbours("alpha", "s").values():
        assert SCHEMA.is_valid(argument)
        assert parse(argument).tenant == "alpha"


def test_a_seed_gives_the_same_misfits_and_another_seed_others() -> None:
    first, again, other = (repr(draw(seed, "alpha", "s")) for seed in (1, 1, 2))
    assert first == again != other


# --- the check


def refused(story: Story, kind: str, *, closing: str = "FAILED") -> Told:
    """A run whose argument does not fit, as a sound worker ends it."""
    workflow_id = f"wf-misfit-{kind}"
    run = Told("alpha", workflow_id, f"run-{len(story.runs) + 1}")
    story.runs.append(run)
    story.add(
        Operation(
            **story.at(), name="misfit", tenant="alpha", workflow_id=workflow_id,
            run_id=run.run_id, ending=Ending.OK, status="OK", invoked_ns=story.now_ns,
            args={"kind": kind, "argument": "{}"},
        )
    )  # fmt: skip
    story.event(run, "WORKFLOW_EXECUTION_STARTED", input=payloads({}))
    story.event(run, "WORKFLOW_TASK_COMPLETED")
    attributes = failure("InvalidInput") if closing == "FAILED" else {}
    story.event(run, f"WORKFLOW_EXECUTION_{closing}", **attributes)
    return run


def validated(misfits: int = 12, fitting: int = 3) -> Story:
    story = Story()
    for number in range(misfits):
        refused(story, f"kind-{number}")
    for number in range(fitting):
        story.saga([step(0, "r")], feeds=["MIT-4"], case=f"fits-{number}")
    return story


def failing(story: Story) -> list[str]:
    verdict = story.judge(MIT_4)
    return [each.name for each in verdict.clauses if each.outcome is Outcome.FAIL]


def test_misfits_that_were_refused_and_neighbours_that_ran_pass() -> None:
    verdict = validated().judge(MIT_4)
    assert verdict.outcome is Outcome.PASS, verdict.reason
    assert verdict.figures["refused_in_the_first_task"] == 12


@pytest.mark.parametrize(("misfits", "fitting"), [(0, 0), (11, 3), (12, 2), (12, 0)])
def test_too_few_of_either_are_inconclusive(misfits: int, fitting: int) -> None:
    assert validated(misfits, fitting).judge(MIT_4).outcome is Outcome.INCONCLUSIVE


def test_one_that_is_refused_at_the_door_counts_as_refused() -> None:
    story = validated(11)
    story.add(
        Operation(
            **story.at(), name="misfit", tenant="alpha", workflow_id="wf", ending=Ending.FAIL,
            status="INVALID_ARGUMENT", invoked_ns=0, args={"kind": "at-the-door"},
        )
    )  # fmt: skip
    assert story.judge(MIT_4).outcome is Outcome.PASS


def test_one_that_completes_is_taken() -> None:
    story = validated()
    refused(story, "taken", closing="COMPLETED")
    assert failing(story) == ["misfit taken"]


def test_one_that_fails_with_another_type_is_taken() -> None:
    story = validated()
    attributes: dict[str, Any] = failure("SagaFailed")
    story.runs[0].events[-1]["workflowExecutionFailedEventAttributes"] = attributes
    assert failing(story) == ["misfit taken"]


def test_a_failed_workflow_task_is_not_for_good() -> None:
    story = validated()
    story.event(refused(story, "task"), "WORKFLOW_TASK_FAILED")
    assert failing(story) == ["refused, but not for good"]


def test_a_second_attempt_of_the_run_is_not_for_good() -> None:
    story = validated()
    refused(story, "again")
    run = refused(story, "again")
    story.drop(Operation, run_id=run.run_id)
    assert failing(story) == ["refused, but not for good"]


@pytest.mark.parametrize("event", ["ACTIVITY_TASK_SCHEDULED", "TIMER_STARTED"])
def test_work_before_the_refusal_fails(event: str) -> None:
    story = validated()
    run = refused(story, "works")
    last = run.events.pop()
    story.event(run, event)
    run.events.append({**last, "eventId": "9"})
    assert failing(story) == ["worked before it refused"]


def test_a_question_to_the_pdp_on_its_behalf_is_work() -> None:
    story = validated()
    (op,) = story.all(Operation, workflow_id="wf-misfit-kind-0")
    who = {
        "tenant": "alpha", "saga_id": "s", "step": 0, "direction": "forward", "attempt": 1,
        "workflow_id": op.workflow_id, "run_id": op.run_id, "idempotency_key": "k",
    }  # fmt: skip
    story.called(who, step(0, "r"), "reserve", "ok")
    assert failing(story) == ["worked before it refused"]


def test_an_argument_that_fits_and_is_refused_fails() -> None:
    story = validated()
    story.saga([step(0, "r")], feeds=["MIT-4"], case="refused", plan={(0, "forward"): ["refuse"]})
    assert failing(story) == ["fitting input refused"]
    story.set(Program, {"feeds": []}, case="refused")
    assert failing(story) == []


def test_a_neighbour_that_was_too_slow_is_not_judged() -> None:
    story = validated()
    run = story.runs[-1]
    run.events[-1]["eventType"] = "EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT"
    assert failing(story) == []
    assert "2 arguments that fit" in story.judge(MIT_4).reason


def test_one_that_no_worker_looked_at_is_not_judged() -> None:
    """Nobody answered its workflow task in time: that says nothing of its argument."""
    story = validated()
    run = refused(story, "waiting", closing="TIMED_OUT")
    run.events = [event for event in run.events if "TASK" not in event["eventType"]]
    assert failing(story) == []
