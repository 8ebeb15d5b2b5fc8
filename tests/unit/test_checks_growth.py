"""The checks of growth measure histories to the byte and the event, and pass at their bounds."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest

from harness.catalogue import load_catalogue
from harness.checks.check import Check, Evidence
from harness.checks.growth import CHECKS
from harness.checks.growth.weight import weights
from harness.contract.program import Child, SagaProgram, step
from harness.journal.records import History, Program
from harness.outcome import Outcome
from tests.unit.journals import Story, payloads

BY_ID = {check.id: check for check in CHECKS}
CAP_6, IMP_3, IMP_4 = BY_ID["CAP-6"], BY_ID["IMP-3"], BY_ID["IMP-4"]
DEFAULTS = load_catalogue().defaults


def sagas(count: int = 6) -> Story:
    story = Story()
    for number in range(count):
        story.saga([step(0, "r"), step(1, "r")], case=f"saga-{number}")
    return story


def judged(story: Story, check: Check, **declared: Any) -> Any:
    return story.judge(check, **{**DEFAULTS, **declared})


def failing(story: Story, check: Check, **declared: Any) -> list[str]:
    found = judged(story, check, **declared)
    return [each.name for each in found.clauses if each.outcome is Outcome.FAIL]


@pytest.mark.parametrize("check", CHECKS, ids=BY_ID)
def test_nothing_recorded_is_inconclusive(check: Check) -> None:
    assert judged(Story(), check).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("check", CHECKS, ids=BY_ID)
def test_ordinary_sagas_pass_and_four_histories_are_too_few(check: Check) -> None:
    assert judged(sagas(), check).outcome is Outcome.PASS
    assert "are the least" in judged(sagas(4), check).reason


def _events(story: Story) -> int:
    return max(len(run.events) for run in story.runs)


def test_events_at_the_bound_pass_and_one_more_fails() -> None:
    story = sagas()
    most = _events(story)
    assert failing(story, CAP_6, history_events_most=most) == []
    assert failing(story, CAP_6, history_events_most=most - 1) == ["events"]


def test_bytes_are_what_the_engine_counted() -> None:
    """At the run's last workflow task; the exported JSON is more."""
    story = sagas()
    story.event(story.runs[0], "WORKFLOW_TASK_STARTED", historySizeBytes="70000")
    assert failing(story, CAP_6, history_bytes_most=70_000) == []
    assert failing(story, CAP_6, history_bytes_most=69_999) == ["bytes"]


def test_a_blob_is_all_payloads_of_a_field_in_decoded_bytes() -> None:
    story = sagas()
    one = {"metadata": {"encoding": "anNvbi9wbGFpbg=="}}
    listed = [{**one, "data": base64.b64encode(b"x" * size).decode()} for size in (1000, 24)]
    story.event(story.runs[0], "WORKFLOW_EXECUTION_SIGNALED", input={"payloads": listed})
    assert failing(story, CAP_6, blob_bytes_most=1024) == []
    assert failing(story, CAP_6, blob_bytes_most=1023) == ["blob"]
    assert failing(story, IMP_3, payload_bytes_most=1024) == []
    assert failing(story, IMP_3, payload_bytes_most=1023) == ["large payload"]


def test_what_is_open_is_counted_by_kind_and_at_a_time() -> None:
    story = sagas()
    run = story.runs[0]
    for _ in range(3):
        story.event(run, "START_CHILD_WORKFLOW_EXECUTION_INITIATED")
    story.event(run, "CHILD_WORKFLOW_EXECUTION_COMPLETED")
    story.event(run, "START_CHILD_WORKFLOW_EXECUTION_INITIATED")
    story.event(run, "ACTIVITY_TASK_SCHEDULED", activityType={"name": "rms.reserve"})
    assert failing(story, CAP_6, pending_most=3) == []
    assert failing(story, CAP_6, pending_most=2) == ["pending"]


def test_the_percentiles_are_shown_beside_what_is_declared() -> None:
    (events, *_) = judged(sagas(), CAP_6).figures["percentiles"]
    assert events["of"] == "events"
    assert events["p50"] <= events["most"] <= events["declared"] == 10_240


def test_a_payload_below_a_failure_is_found() -> None:
    """Details lie deep in an event."""
    story = sagas()
    detail = payloads({"record": "x" * 2000})
    info = {"applicationFailureInfo": {"details": detail}}
    story.event(story.runs[0], "ACTIVITY_TASK_FAILED", failure={"cause": info})
    assert failing(story, IMP_3, payload_bytes_most=2000) == ["large payload"]
    fields = {row["field"]: row for row in judged(story, IMP_3).figures["census"]}
    assert fields["failure"]["encoding"] == "json/plain"


def test_the_harness_s_own_probes_weigh_nothing() -> None:
    story = sagas()
    journal = story.journal()
    evidence = Evidence(journal, frozenset({History}), {})
    assert len(weights(evidence)) == 6


def _with_child(asked: bool) -> Story:
    story = sagas()
    child = SagaProgram(tenant="alpha", saga_id="s-child", nodes=[step(0, "r")])
    nodes = [Child(program=child)] if asked else [step(0, "r")]
    story.saga(nodes, case="parent")
    if not asked:
        story.saga([step(0, "r")], case="other")
        story.runs[-1].workflow_id = "wf-parent/0~request"
    parent = {"workflowId": "wf-parent", "runId": "run-7"}
    started = story.runs[-1].events[0]
    started["workflowExecutionStartedEventAttributes"]["parentWorkflowExecution"] = parent
    return story


def test_a_short_child_that_a_program_asked_for_is_no_request() -> None:
    assert failing(_with_child(asked=True), IMP_4) == []


def test_a_child_of_a_saga_that_was_delivered_again_was_asked_for() -> None:
    story = _with_child(asked=True)
    parent = next(p for p in story.records if isinstance(p, Program) and p.case == "parent")
    story.add(msgspec.structs.replace(parent, workflow_id="wf-parent~again"))
    assert failing(story, IMP_4) == []


def test_a_short_child_that_nobody_asked_for_is_a_request() -> None:
    assert failing(_with_child(asked=False), IMP_4) == ["workflow for a request"]
    assert failing(_with_child(asked=False), IMP_4, short_run_ms=1) == []
