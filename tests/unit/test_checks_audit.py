"""The checks of the audit trail pass on a sound trail and name what is wrong with any other."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from harness.checks.audit import CHECKS as ALL
from harness.checks.check import Check
from harness.checks.histories import wall_ns
from harness.checks.verdict import judge
from harness.contract.program import Child, ContinueAsNew, SagaProgram, step
from harness.contract.transitions import AUDITED
from harness.journal.records import (
    AuditEvent,
    Decision,
    Effect,
    Operation,
    Program,
    Record,
)
from harness.outcome import Outcome
from tests.unit.journals import EPOCH_NS, Event, Story, audit_event

CHECKS = tuple(
    check
    for check in ALL
    if check.id in {"INV-AUD-1", "INV-AUD-2", *(f"EVT-{n}" for n in range(1, 7))}
)
"""The others have a module of their own: `test_checks_audit_content`."""
BY_ID = {check.id: check for check in CHECKS}
AUD_1, AUD_2 = BY_ID["INV-AUD-1"], BY_ID["INV-AUD-2"]
IDS = tuple(BY_ID)
EVT = {
    "EVT-1": "workflow.started",
    "EVT-2": "workflow.completed",
    "EVT-3": "workflow.failed",
    "EVT-4": "workflow.canceled",
    "EVT-5": "activity.completed",
    "EVT-6": "activity.failed",
}
Edit = Callable[[Event], Iterable[Event]]


def as_it_is(event: Event) -> list[Event]:
    """Leave an event alone."""
    return [event]


def told(edit: Edit = as_it_is, **emit: Any) -> Story:
    """Sagas that make every kind of transition, and their audit events."""
    story = Story()
    two = [step(0, "r"), step(1, "r")]
    story.saga(two, feeds=IDS)
    story.saga(two, feeds=IDS, plan={(1, "forward"): ["refuse"]})
    story.saga(two, feeds=IDS, end="canceled", tenant="beta")
    story.saga(two, feeds=IDS, end="terminated")
    story.saga(two, feeds=IDS, end="timed out")
    story.saga(two, feeds=IDS, end="open")
    story.saga([step(2, "r"), ContinueAsNew(), step(3, "r")], feeds=IDS)
    child = SagaProgram(tenant="alpha", saga_id="s-child", nodes=[step(0, "r")])
    story.saga([Child(program=child)], feeds=IDS)
    story.emit(edit, **emit)
    return story


def first_of(type_: str, edit: Edit) -> Edit:
    """`edit` applied to the first event of a type only."""
    seen: list[Event] = []

    def apply(event: Event) -> Iterable[Event]:
        if event["type"] != type_ or seen:
            return [event]
        seen.append(event)
        return edit(event)

    return apply


def outcomes(story: Story, **parameters: Any) -> dict[str, Outcome]:
    """The outcome of every check of the audit trail that does not pass."""
    found = {check.id: story.judge(check, **parameters).outcome for check in CHECKS}
    return {id_: outcome for id_, outcome in found.items() if outcome is not Outcome.PASS}


@pytest.mark.parametrize("check", CHECKS, ids=IDS)
def test_a_sound_trail_passes_and_says_how_much_was_checked(check: Check) -> None:
    """Every transition has its event: of children, continued and open runs as well."""
    verdict = told().judge(check)
    assert verdict.outcome is Outcome.PASS, verdict.reason
    assert any(character.isdigit() for character in verdict.reason)
    counted = verdict.figures["events"] if check is AUD_2 else verdict.figures["matched"]
    assert counted > 0


@pytest.mark.parametrize("check", CHECKS, ids=IDS)
def test_nothing_recorded_is_inconclusive(check: Check) -> None:
    """An empty journal proves nothing."""
    assert Story().judge(check).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("check", CHECKS, ids=IDS)
def test_what_was_not_driven_for_it_is_inconclusive(check: Check) -> None:
    """A sound trail of other sagas does not suffice."""
    story = told()
    story.set(Program, {"feeds": ["OTHER"]})
    verdict = story.judge(check)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "no saga was driven" in verdict.reason


@pytest.mark.parametrize("check", CHECKS, ids=IDS)
def test_sagas_that_never_ended_are_inconclusive(check: Check) -> None:
    """Something must have come to its end."""
    story = Story()
    story.saga([step(0, "r")], feeds=IDS, end="open")
    story.emit()
    assert story.judge(check).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(("check_id", "type_"), EVT.items())
def test_one_event_less_turns_its_type_and_the_whole_red(check_id: str, type_: str) -> None:
    """And no other check; the witness leads to the history."""
    story = told(first_of(type_, lambda _: []))
    assert outcomes(story) == {check_id: Outcome.FAIL, "INV-AUD-1": Outcome.FAIL}
    verdict = story.judge(BY_ID[check_id])
    assert verdict.reason == "1 missing"
    assert verdict.witnesses[0].path.startswith("histories/")
    assert type_ in verdict.witnesses[0].text


@pytest.mark.parametrize(("check_id", "type_"), EVT.items())
def test_an_event_without_its_transition_is_extra(check_id: str, type_: str) -> None:
    """A type without any transition in the histories is inconclusive for that type alone."""
    phantom = first_of(type_, lambda e: [e, {**e, "id": "x", "data": {**e["data"], "event_id": 2}}])
    story = told(phantom)
    assert outcomes(story) == {check_id: Outcome.FAIL, "INV-AUD-1": Outcome.FAIL}
    assert story.judge(AUD_1).reason == "1 extra"


@pytest.mark.parametrize("type_", EVT.values())
def test_a_wrong_type_is_the_fault_of_the_type_that_is_missing(type_: str) -> None:
    """What was emitted in its place does not turn red as well."""
    other = "workflow.failed" if type_ != "workflow.failed" else "workflow.canceled"
    story = told(first_of(type_, lambda event: [{**event, "type": other}]))
    red = next(check_id for check_id, name in EVT.items() if name == type_)
    assert outcomes(story) == {red: Outcome.FAIL, "INV-AUD-1": Outcome.FAIL}


@pytest.mark.parametrize("check_id", EVT)
def test_a_type_without_transition_is_inconclusive(check_id: str) -> None:
    """Nothing to emit proves nothing; other types of the same trail are judged."""
    story = Story()
    ends = {"EVT-2": "canceled", "EVT-4": ""}.get(check_id, "")
    nodes = [] if check_id == "EVT-5" else [step(0, "r")]
    story.saga(nodes, feeds=IDS, end=ends)
    if check_id == "EVT-1":
        story.runs[0].events.pop(0)
    story.emit()
    verdict = story.judge(BY_ID[check_id])
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "no recorded history has" in verdict.reason


def clause(story: Story, name: str, **parameters: Any) -> str:
    """The reason of a clause of INV-AUD-1 that fails, which must be the only one."""
    verdict = story.judge(AUD_1, **parameters)
    failing = [c for c in verdict.clauses if c.outcome is Outcome.FAIL]
    assert [c.name for c in failing] == [name], verdict.reason
    return failing[0].reason


def test_an_event_that_names_no_transition_is_extra() -> None:
    """Its transition is missing too, and it does not count for another."""
    story = told(first_of("workflow.started", lambda e: [{**e, "data": {"tenant": "alpha"}}]))
    verdict = story.judge(AUD_1)
    assert verdict.reason == "1 missing, 1 extra"


@pytest.mark.parametrize("run_id", ["run-99", "", 7])
def test_an_event_of_a_run_that_nobody_knows_is_extra(run_id: Any) -> None:
    """It tells of something that did not happen, in a workflow that was driven."""
    story = told()
    run = story.runs[0]
    event = audit_event(run, run.events[0], "WORKFLOW_EXECUTION_STARTED")
    story.deliver({**event, "id": "x", "data": {**event["data"], "run_id": run_id}})
    assert "nobody knows" in clause(story, "extra") or "names no run" in clause(story, "extra")


def test_an_event_of_a_workflow_that_was_not_driven_is_inconclusive() -> None:
    """It can be neither confirmed nor refuted, and is not passed over."""
    story = told()
    run = story.runs[0]
    event = audit_event(run, run.events[0], "WORKFLOW_EXECUTION_STARTED")
    data = {**event["data"], "run_id": "theirs", "workflow_id": "theirs"}
    story.deliver({**event, "id": "x", "data": data})
    assert outcomes(story) == {"INV-AUD-1": Outcome.INCONCLUSIVE, "EVT-1": Outcome.INCONCLUSIVE}


SEEN_BY: list[type[Record]] = [Operation, Effect, Decision]


@pytest.mark.parametrize("kind", SEEN_BY)
def test_events_of_a_known_run_without_history_are_counted(kind: type[Record]) -> None:
    """Histories may be sampled: what others saw of a run is no phantom."""
    story = told()
    gone = story.runs.pop(0)
    for other in {*SEEN_BY} - {kind}:
        story.drop(other, run_id=gone.run_id)
    verdict = story.judge(AUD_1)
    assert verdict.outcome is Outcome.PASS
    assert verdict.figures["events_of_runs_without_history"] == 4


def test_a_second_event_for_one_transition_is_a_duplicate() -> None:
    """Under another id it is another event."""
    story = told(first_of("activity.completed", lambda e: [e, {**e, "id": "again"}]))
    assert "came beside" in clause(story, "duplicate")
    assert outcomes(story) == {"EVT-5": Outcome.FAIL, "INV-AUD-1": Outcome.FAIL}


def test_an_identical_redelivery_is_allowed_and_counted() -> None:
    """Also in another content mode and with its members in another order."""
    story = told(lambda event: [event, dict(reversed(event.items()))])
    for record in story.all(AuditEvent)[::2]:
        event = json.loads(base64.b64decode(record.body))
        data = event.pop("data")
        lines = [("Content-Type", event.pop("datacontenttype"))]
        lines += [(f"ce-{name}", value) for name, value in event.items()]
        body = base64.b64encode(json.dumps(data).encode()).decode()
        story.set(AuditEvent, {"headers": lines, "body": body}, seq=record.seq)
    verdict = story.judge(AUD_1)
    assert verdict.outcome is Outcome.PASS, verdict.witnesses
    assert verdict.figures["redelivered"] == verdict.figures["transitions"]


def test_an_id_with_another_content_is_reused() -> None:
    """The producer must keep source and id unique."""
    story = told(
        first_of("activity.completed", lambda e: [e, {**e, "time": e["time"][:-2] + "1Z"}])
    )
    assert "another content" in story.judge(AUD_1).witnesses[0].text + clause_of_reuse(story)


def clause_of_reuse(story: Story) -> str:
    """Why the clause `reused id` fails."""
    return next(c.reason for c in story.judge(AUD_1).clauses if c.name == "reused id")


def test_one_id_for_all_events_is_seen() -> None:
    """Though every transition has its event."""
    story = told(lambda event: [{**event, "id": "1"}])
    assert "another content" in clause(story, "reused id")


@pytest.mark.parametrize(
    "edit",
    [
        lambda e: [{**e, "tenantid": "beta"}],
        lambda e: [{**e, "data": {**e["data"], "tenant": "beta"}}],
        lambda e: [
            {k: v for k, v in e.items() if k != "tenantid"} | {"data": {**e["data"], "tenant": 1}}
        ],
    ],
)
def test_an_event_that_names_another_tenant_or_none_is_seen(edit: Edit) -> None:
    """In its extension or in its data."""
    assert "alpha" in clause(told(first_of("workflow.started", edit)), "wrong tenant")


@pytest.mark.parametrize("member", ["workflow_id", "namespace", "transition"])
def test_an_event_that_contradicts_its_history_is_seen(member: str) -> None:
    """What it says of the transition must be so; what it does not say is another check's."""
    wrong = first_of("workflow.started", lambda e: [{**e, "data": {**e["data"], member: "other"}}])
    assert member in clause(told(wrong), "wrong content")
    silent = first_of("workflow.started", lambda e: [{**e, "data": {**e["data"], member: None}}])
    assert told(silent).judge(AUD_1).outcome is Outcome.PASS


@pytest.mark.parametrize(("lag_ms", "outcome"), [(1000, Outcome.PASS), (1000.1, Outcome.FAIL)])
def test_an_event_may_be_exactly_as_late_as_declared(lag_ms: float, outcome: Outcome) -> None:
    """A tenth of a millisecond more is late, and only that."""
    story = told()
    events = {(run.run_id, e["eventId"]): e for run in story.runs for e in run.events}
    for record in story.all(AuditEvent):
        data = json.loads(base64.b64decode(record.body))["data"]
        happened_ns = wall_ns(events[data["run_id"], str(data["event_id"])]["eventTime"])
        arrived_ns = happened_ns + int(lag_ms * 1_000_000)
        story.set(AuditEvent, {"wall_ns": arrived_ns}, seq=record.seq)
    verdict = story.judge(AUD_1, event_lag_ms=1000)
    assert verdict.outcome is outcome
    if outcome is Outcome.FAIL:
        clause(story, "late", event_lag_ms=1000)


def test_what_a_reset_copied_is_late_only_after_the_reset() -> None:
    """The copied events happened before their run existed."""
    story = Story()
    story.saga([step(0, "r")], feeds=IDS, end="open")
    story.passes(60_000)
    story.event(
        story.runs[0], "WORKFLOW_TASK_FAILED", cause="WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW"
    )
    story.event(story.runs[0], "WORKFLOW_EXECUTION_COMPLETED")
    story.emit()
    assert story.judge(AUD_1).outcome is Outcome.PASS


def test_an_event_that_the_sink_refused_must_come_again() -> None:
    """Only an acknowledged delivery counts."""
    story = told()
    last = story.all(AuditEvent)[-1]
    story.set(AuditEvent, {"status": 503}, seq=last.seq)
    assert "refused by the sink" in clause(story, "missing")
    story.deliver(json.loads(base64.b64decode(last.body)))
    assert story.judge(AUD_1).outcome is Outcome.PASS


def test_nothing_at_all_in_the_sink_is_a_failure() -> None:
    """The histories say what had to come."""
    story = told(lambda _: [])
    assert outcomes(story) == {
        **dict.fromkeys(IDS, Outcome.FAIL),
        "INV-AUD-2": Outcome.INCONCLUSIVE,
    }


def test_what_was_not_due_when_the_trial_ended_is_inconclusive() -> None:
    """Neither missing nor passed over."""
    story = told(first_of("workflow.failed", lambda _: []))
    ended = story.journal(ended_wall_ns=EPOCH_NS + story.now_ns + 9_000_000_000)
    (verdict,) = judge(ended, [AUD_1], {"INV-AUD-1": "M"}, {})
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "not due" in verdict.reason


def test_an_event_after_the_export_of_an_open_run_is_inconclusive() -> None:
    """The run may have gone on."""
    story = told()
    run = story.runs[5]
    assert not run.events[-1]["eventType"].startswith("EVENT_TYPE_WORKFLOW_EXECUTION")
    event = audit_event(run, run.events[0], "WORKFLOW_EXECUTION_COMPLETED")
    story.deliver({**event, "id": "x", "data": {**event["data"], "event_id": 99}})
    assert story.judge(AUD_1).outcome is Outcome.INCONCLUSIVE


def test_declared_meanings_decide_the_types() -> None:
    """Prefix, and the types of transitions that the ADR does not name."""
    renamed = {"workflow.timed_out": "workflow.failed", "workflow.terminated": None}
    story = told(
        lambda e: (
            [{**e, "type": f"com.example.{kind}"}]
            if (kind := renamed.get(e["type"], e["type"]))
            else []
        )
    )
    declared = {
        "event_type_prefix": "com.example.",
        "timed_out_event": "workflow.failed",
        "terminated_event": "none",
    }
    assert outcomes(story, **declared) == {}
    assert outcomes(story)["INV-AUD-1"] is Outcome.FAIL


def test_failures_of_each_attempt_cannot_be_proved() -> None:
    """Histories keep no event for an attempt that is retried."""
    story = told(
        first_of(
            "activity.failed",
            lambda e: [e, {**e, "id": "a", "data": {**e["data"], "event_id": 2}}],
        )
    )
    assert outcomes(story, activity_failed_event="each_attempt") == {
        "INV-AUD-1": Outcome.INCONCLUSIVE,
        "EVT-6": Outcome.INCONCLUSIVE,
    }


def test_types_outside_the_contract_are_counted_and_not_judged() -> None:
    """A platform may emit more than is asked."""
    story = told(first_of("workflow.started", lambda e: [e, {**e, "id": "x", "type": "audit.x"}]))
    verdict = story.judge(AUD_1)
    assert verdict.outcome is Outcome.PASS
    assert verdict.figures["events_of_other_types"] == 1


@pytest.mark.parametrize(
    ("edit", "rule"),
    [
        (lambda e: [{k: v for k, v in e.items() if k != "specversion"}], "CE-3.1.3-specversion"),
        (lambda e: [{**e, "time": "today"}], "CE-3.2.4-time"),
        (lambda e: [{**e, "Tenant": "alpha"}], "CE-3.4-name"),
    ],
)
def test_an_event_that_is_no_cloudevent_is_seen(edit: Edit, rule: str) -> None:
    """By its rule, which is the clause; completeness is not touched by it."""
    story = told(first_of("workflow.failed", edit))
    verdict = story.judge(AUD_2)
    assert verdict.outcome is Outcome.FAIL
    assert verdict.reason == f"1 {rule}"
    assert outcomes(story) == {"INV-AUD-2": Outcome.FAIL}


def test_rules_that_should_be_kept_are_counted() -> None:
    """The ADR's bare types have no reverse-DNS prefix."""
    verdict = told().judge(AUD_2)
    assert verdict.outcome is Outcome.PASS
    assert verdict.figures["rules_broken"] == {"CE-3.1.4-type-prefix": verdict.figures["events"]}


def test_refused_deliveries_are_judged_too() -> None:
    """An invalid event is one whatever the sink said to it."""
    story = told()
    story.deliver({"specversion": "1.0"}, status=503)
    assert story.judge(AUD_2).outcome is Outcome.FAIL


def test_every_type_of_the_contract_is_told_here() -> None:
    """The sound trail holds all transitions that are audited."""
    kinds = {e["eventType"].removeprefix("EVENT_TYPE_") for run in told().runs for e in run.events}
    assert set(AUDITED) <= kinds
