"""What audit events say, their order, chain, schemas, second family; replays and changes."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from harness.checks.audit import CHECKS
from harness.checks.audit.arrivals import parsed
from harness.checks.check import Check
from harness.checks.verdict import judge
from harness.contract.program import ContinueAsNew, step
from harness.contract.transitions import AUDITED, CHANGES, RESET, SECOND_FAMILY, kind_of
from harness.journal.records import AuditEvent, Ending, Process, Program, Replay
from harness.outcome import Outcome
from scenarios.reference.audit_event import GENESIS, SCHEMA_VERSION, sealed
from tests.unit.journals import Event, Story, Told, audit_event

OLD = {"INV-AUD-1", "INV-AUD-2", *(f"EVT-{n}" for n in range(1, 7))}
NEW = {check.id: check for check in CHECKS if check.id not in OLD}
IDS = tuple(check.id for check in CHECKS)
DECLARED: dict[str, Any] = {
    "audit_family": "required", "tamper_evidence": "hash_chain", "material_state_changes": [
        "signal", "update", "cancel_requested", "reset", "search_attributes", "options", "pause",
    ],
}  # fmt: skip
RESET_CAUSE = "WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW"
TYPES = {**AUDITED, **CHANGES}
Edit = Callable[[Event], Iterable[Event]]


def as_it_is(event: Event) -> list[Event]:
    """Leave an event alone."""
    return [event]


def whole(run: Told, event: Event, kind: str) -> Event:
    """All that the contract asks of an event, but the chain."""
    name = TYPES[kind]
    attributes = next((v for k, v in event.items() if k.endswith("EventAttributes")), {})
    info = (attributes.get("failure") or {}).get("applicationFailureInfo") or {}
    made = audit_event(run, event, kind) if kind in AUDITED else _of_change(run, event, kind)
    data = {**made["data"], "workflow_type": "ReferenceSaga", "actor": "somebody"}
    data["outcome"] = name.rsplit(".", 1)[1]
    reason = info.get("type") or {"terminated": "told to", "timed_out": "timeout"}.get(
        data["outcome"]
    )
    scheduled = attributes.get("scheduledEventId")
    if reason:
        data["reason"] = reason
    if name.startswith("activity."):
        [of] = [e for e in run.events if e["eventId"] == scheduled]
        scheduled_attributes = of["activityTaskScheduledEventAttributes"]
        data |= {"activity_type": scheduled_attributes["activityType"]["name"], "attempt": 1}
    return {
        **made,
        "data": data,
        "sequence": f"{int(event['eventId']):010d}",
        "correlationid": run.workflow_id,
        "dataschema": f"urn:harness:event:{name}:{SCHEMA_VERSION.get(name, 1)}",
    }


def _of_change(run: Told, event: Event, kind: str) -> Event:
    made = audit_event(run, event, "WORKFLOW_EXECUTION_STARTED")
    pascal = "".join(word.capitalize() for word in kind.split("_"))
    data = {**made["data"], "transition": pascal}
    return {**made, "type": CHANGES[kind], "data": data}


def twin(event: Event) -> Event:
    """The event of the second family beside it."""
    name = f"workflow.execution.{event['data']['outcome']}"
    schema = f"urn:harness:event:{name}:1"
    return {**event, "id": f"{event['id']}:execution", "type": name, "dataschema": schema}


def told(
    edit: Edit = as_it_is, *, seal: Callable[[Event, str], Event] = sealed, wire: Edit = as_it_is
) -> Story:
    """Runs that meet every transition and change, replayed, with all their events.

    `edit` changes events before they are chained, `wire` what is sent.
    """
    story = Story()
    two = [step(0, "r"), step(1, "r")]
    story.saga(two, feeds=IDS, group="crash")
    story.saga(two, feeds=IDS, plan={(1, "forward"): ["deny"]})
    story.saga(two, feeds=IDS, plan={(1, "forward"): ["refuse"]})
    story.saga(two, feeds=IDS, end="canceled")
    story.saga(two, feeds=IDS, end="terminated")
    story.saga(two, feeds=IDS, end="timed out")
    story.saga([step(2, "r"), ContinueAsNew(), step(3, "r")], feeds=IDS)
    changed = story.saga(two, feeds=IDS, end="open").run
    for kind in (RESET, *(each for each in CHANGES if each != RESET)):
        if kind == RESET:
            story.event(changed, "WORKFLOW_TASK_FAILED", cause=RESET_CAUSE)
        else:
            story.event(changed, kind)
    emit(story, edit, seal, wire)
    replay(story)
    return story


def emit(story: Story, edit: Edit, seal: Callable[[Event, str], Event], wire: Edit) -> None:
    """Deliver the events of all runs, chained."""
    story.passes(50)
    for run in story.runs:
        head = GENESIS
        for event in run.events:
            attributes = next((v for k, v in event.items() if k.endswith("EventAttributes")), {})
            kind = kind_of(event["eventType"].removeprefix("EVENT_TYPE_"), attributes)
            if kind not in TYPES:
                continue
            made = whole(run, event, kind)
            for each in [*([twin(made)] if kind in SECOND_FAMILY else []), made]:
                for edited in edit(each):
                    link = seal(edited, head)
                    head = link.get("chainhash", head)
                    for sent in wire(link):
                        story.deliver(sent)


def replay(story: Story) -> None:
    """The crash group's worker is killed, is back, and answers for its closed run."""
    for event in ("killed", "ready"):
        story.add(Process(**story.at(), role="worker-crash-0", group="crash", pid=7, event=event))
    run = story.runs[0]
    story.add(
        Replay(
            **story.at(), mode="query", tenant=run.tenant, workflow_id=run.workflow_id,
            run_id=run.run_id, ending=Ending.OK,
        )
    )  # fmt: skip


def on(type_: str, edit: Edit, every: bool = False) -> Edit:
    """`edit` applied to the first event of a type (or to every one)."""
    seen: list[Event] = []

    def apply(event: Event) -> Iterable[Event]:
        if event["type"] != type_ or (seen and not every):
            return [event]
        seen.append(event)
        return edit(event)

    return apply


def red(story: Story, check_id: str, **more: Any) -> set[str]:
    """The clauses of a check that fail."""
    verdict = story.judge(NEW[check_id], **{**DECLARED, **more})
    return {c.name for c in verdict.clauses if c.outcome is Outcome.FAIL}


@pytest.mark.parametrize("check", NEW.values(), ids=NEW)
def test_a_sound_trail_passes(check: Check) -> None:
    verdict = told().judge(check, **DECLARED)
    assert verdict.outcome is Outcome.PASS, (verdict.reason, verdict.witnesses)
    assert any(character.isdigit() for character in verdict.reason)


@pytest.mark.parametrize("check", NEW.values(), ids=NEW)
def test_nothing_recorded_is_inconclusive(check: Check) -> None:
    assert Story().judge(check, **DECLARED).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("check", NEW.values(), ids=NEW)
def test_what_was_not_driven_for_it_is_inconclusive(check: Check) -> None:
    story = told()
    story.set(Program, {"feeds": ["OTHER"]})
    verdict = story.judge(check, **DECLARED)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "no saga was driven" in verdict.reason


@pytest.mark.parametrize("check", NEW.values(), ids=NEW)
def test_no_events_at_all_never_pass(check: Check) -> None:
    assert told(lambda _: []).judge(check, **DECLARED).outcome is not Outcome.PASS


def changed(**members: Any) -> Edit:
    """Other attributes."""
    return lambda event: [{**event, **members}]


def said(**members: Any) -> Edit:
    """Other data; None takes a member away."""
    return lambda e: [
        {**e, "data": {k: v for k, v in {**e["data"], **members}.items() if v is not None}}
    ]


def without(*names: str) -> Edit:
    """Without these attributes."""
    return lambda event: [{k: v for k, v in event.items() if k not in names}]


def again(event: Event) -> list[Event]:
    """The same once more under another id."""
    return [event, {**event, "id": f"{event['id']}:again"}]


def nothing(_: Event) -> list[Event]:
    """Not emitted."""
    return []


EARLIER = "2024-05-01T10:00:00Z"
DONE = "activity.completed"
PHANTOM: Edit = lambda e: [e, {**e, "id": "x", "data": {**e["data"], "event_id": 0}}]  # noqa: E731


@pytest.mark.parametrize(
    ("check_id", "clause", "edit"),
    [
        ("INV-AUD-4", "without transition", on(DONE, PHANTOM)),
        ("INV-AUD-5", "no order", on(DONE, without("sequence"))),
        ("INV-AUD-5", "sequence", on(DONE, changed(sequence="0"))),
        ("INV-AUD-5", "time", changed(time="2019-01-01T00:00:00Z")),
        ("INV-AUD-5", "time", on(DONE, changed(time="noon"))),
        ("INV-AUD-5", "time backwards", on("workflow.completed", changed(time=EARLIER))),
        ("INV-AUD-6", "actor", on(DONE, said(actor=None))),
        ("INV-AUD-6", "tenant", on(DONE, lambda e: without("tenantid")(said(tenant=None)(e)[0]))),
        ("INV-AUD-6", "reason", on("workflow.failed", said(reason=None))),
        ("INV-AUD-6", "reason", on("workflow.terminated", said(reason=None))),
        ("INV-AUD-6", "correlation", on(DONE, without("correlationid"))),
        ("INV-AUD-6", "correlation changes", on(DONE, changed(correlationid="another"))),
        ("INV-AUD-6", "wrong type", on(DONE, said(workflow_type="Another"))),
        ("INV-AUD-8", "denial without event", on("activity.failed", nothing)),
        ("INV-AUD-8", "no reason class", on("activity.failed", said(reason="no"))),
        ("INV-AUD-8", "no action", on("activity.failed", said(activity_type=None))),
        ("INV-AUD-9", "signal", on("workflow.signaled", nothing)),
        ("INV-AUD-9", "signal", on("workflow.signaled", again)),
        ("INV-AUD-9", "update", on("workflow.update_completed", nothing)),
        ("INV-AUD-9", "cancel_requested", on("workflow.cancel_requested", nothing)),
        ("INV-AUD-9", "reset", on("workflow.reset", nothing)),
        ("INV-AUD-9", "search_attributes", on("workflow.search_attributes_changed", nothing)),
        ("INV-AUD-9", "options", on("workflow.options_changed", nothing)),
        ("INV-AUD-9", "pause", on("workflow.unpaused", nothing)),
        ("EVT-7", "missing", on("workflow.execution.started", nothing)),
        ("EVT-7", "duplicate", on("workflow.execution.started", again)),
        ("EVT-7", "extra", on("workflow.execution.started", PHANTOM)),
        ("EVT-8", "missing", on("workflow.execution.completed", nothing)),
        ("EVT-9", "missing", on("workflow.execution.failed", nothing)),
        ("EVT-8", "pair differs", on("workflow.execution.completed", changed(correlationid="x"))),
        ("EVT-8", "pair differs", on("workflow.completed", nothing)),
        ("EVT-10", "terminated", on("workflow.terminated", nothing)),
        ("EVT-10", "timed_out", on("workflow.timed_out", nothing)),
        ("EVT-10", "continued_as_new", on("workflow.continued_as_new", nothing)),
        ("EVT-10", "reset", on("workflow.reset", nothing)),
        ("EVT-11", "no schema", on(DONE, without("dataschema"))),
        ("EVT-11", "unknown schema", on(DONE, changed(dataschema="urn:harness:event:x:1"))),
        (
            "EVT-11",
            "schema of another type",
            on(DONE, changed(dataschema="urn:harness:event:workflow.failed:2")),
        ),
        ("EVT-11", "invalid data", on(DONE, said(attempt="one"))),
        ("EVT-11", "invalid data", on(DONE, said(namespace=None))),
        ("EVT-12", "two spellings", on(DONE, changed(type="com.example.activity.completed"))),
        ("EVT-13", "unreadable", on(DONE, said(attempt=0))),
    ],
)  # fmt: skip
def test_each_clause_fails_on_its_defect_alone(check_id: str, clause: str, edit: Edit) -> None:
    assert red(told(edit), check_id) == {clause}


def test_events_are_as_old_as_their_history_says_also_where_it_runs_backwards() -> None:
    """A signal that comes while a task is worked on is recorded behind it, with its own time."""
    story = Story()
    run = story.saga([step(0, "r")], feeds=IDS, end="open").run
    signal, update, *_ = CHANGES
    story.event(run, update)
    story.event(run, signal)
    run.events[-1]["eventTime"] = run.events[0]["eventTime"]
    emit(story, as_it_is, sealed, as_it_is)
    assert red(story, "INV-AUD-5") == set()


def test_a_prefix_that_is_no_domain_is_told() -> None:
    story = told(lambda e: [{**e, "type": f"x.{e['type']}"}])
    assert red(story, "EVT-12", event_type_prefix="x.") == {"prefix"}
    assert red(story, "EVT-12", event_type_prefix="com.example.") == {"prefix"}


# --- the chain


def some(change: Callable[[Event], Event]) -> Callable[[Event, str], Event]:
    """Changes links of activities after they were sealed."""
    return lambda event, head: (
        change(sealed(event, head)) if event["type"] == DONE else sealed(event, head)
    )


@pytest.mark.parametrize(
    ("clause", "seal"),
    [
        ("unchained", lambda event, _: event),
        ("edited", some(lambda link: {**link, "colour": "red"})),
        ("edited", some(lambda link: {**link, "data": {**link["data"], "actor": "nobody"}})),
        (
            "gap",
            some(
                lambda link: sealed(
                    without("prevhash", "chainhash")(link)[0], f"{link['sequence']:f>64}"
                )
            ),
        ),
        ("forked", lambda event, _: sealed(event, GENESIS)),
    ],
)
def test_tampering_shows_in_the_chain(clause: str, seal: Callable[[Event, str], Event]) -> None:
    assert red(told(seal=seal), "INV-AUD-7") == {clause}


def test_a_link_that_was_deleted_leaves_a_gap() -> None:
    assert red(told(wire=on(DONE, nothing)), "INV-AUD-7") == {"gap"}


def test_a_link_that_is_not_due_yet_leaves_it_open() -> None:
    story = told(wire=on(DONE, nothing))
    ended = story.journal(ended_wall_ns=story.wall_ns)
    (verdict,) = judge(ended, [NEW["INV-AUD-7"]], {"INV-AUD-7": "M"}, DECLARED)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "not due yet" in verdict.reason


def test_links_that_were_moved_show() -> None:
    """The start is chained behind what followed it."""
    story = told()
    links = [json.loads(b64decode(each.body)) for each in story.all(AuditEvent)[1:3]]
    plain = [without("prevhash", "chainhash")(link)[0] for link in links]
    follower = sealed(plain[1], links[0]["prevhash"])
    moved = sealed(plain[0], follower["chainhash"])
    for seq, link in ((2, moved), (3, follower)):
        body = b64encode(json.dumps(link).encode()).decode()
        story.set(AuditEvent, {"body": body}, seq=story.all(AuditEvent)[seq - 1].seq)
    assert "reordered" in red(story, "INV-AUD-7")


@pytest.mark.parametrize("declared", ["none", "store_refuses"])
def test_without_a_declared_chain_nothing_is_shown(declared: str) -> None:
    verdict = told().judge(NEW["INV-AUD-7"], **{**DECLARED, "tamper_evidence": declared})
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "attest" in verdict.reason


def test_a_redelivery_is_no_fork() -> None:
    assert red(told(wire=lambda e: [e, dict(reversed(e.items()))]), "INV-AUD-7") == set()


# --- replays


def repeated_after_the_replay(story: Story, *indices: int) -> Story:
    """The first event of these runs comes again, late and under another id."""
    for index in indices:
        run = story.runs[index]
        event = whole(run, run.events[0], "WORKFLOW_EXECUTION_STARTED")
        story.deliver({**event, "id": f"again-{index}"})
    return story


def test_what_a_replay_emits_is_told_from_what_an_exporter_repeats() -> None:
    assert red(repeated_after_the_replay(told(), 0), "INV-AUD-4") == {"emitted on replay"}
    both = repeated_after_the_replay(told(), 0, 1)
    verdict = both.judge(NEW["INV-AUD-4"], **DECLARED)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "the exporter repeats" in verdict.reason


def test_an_exporter_that_repeats_before_any_replay_is_not_taken_for_one() -> None:
    verdict = told(on("workflow.started", again)).judge(NEW["INV-AUD-4"], **DECLARED)
    assert verdict.outcome is Outcome.PASS
    assert verdict.figures["repeated"] == 1


@pytest.mark.parametrize("lost", [Process, Replay])
def test_without_a_forced_replay_nothing_is_shown(lost: type[Any]) -> None:
    story = told()
    story.drop(lost)
    verdict = story.judge(NEW["INV-AUD-4"], **DECLARED)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "nothing was replayed" in verdict.reason


# --- what is declared


def test_another_order_of_time_alone_may_be_declared() -> None:
    story = told(lambda e: without("sequence")(e))
    assert red(story, "INV-AUD-5", event_order="time") == set()


def test_fewer_fields_may_be_declared() -> None:
    assert red(told(said(actor=None)), "INV-AUD-6", audit_fields=["tenant", "outcome"]) == set()


@pytest.mark.parametrize(
    ("check_id", "parameters", "why"),
    [
        ("EVT-7", {"audit_family": "none"}, "no second family"),
        ("INV-AUD-8", {"refused_calls_audited": "required"}, "gateway"),
        ("INV-AUD-9", {"material_state_changes": ["colour"]}, "colour"),
        ("EVT-10", {"terminated_event": "none"}, "terminated is declared"),
        ("EVT-10", {"material_state_changes": ["signal"]}, "reset is declared"),
    ],
)
def test_what_cannot_be_judged_is_open(check_id: str, parameters: Any, why: str) -> None:
    verdict = told().judge(NEW[check_id], **{**DECLARED, **parameters})
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert why in verdict.reason


def test_a_change_that_did_not_happen_is_open() -> None:
    story = told()
    for run in story.runs:
        run.events = [e for e in run.events if "PAUSED" not in e["eventType"]]
    verdict = story.judge(NEW["INV-AUD-9"], **DECLARED)
    assert verdict.outcome is not Outcome.PASS
    assert "did not happen: pause" in {c.reason for c in verdict.clauses}


@pytest.mark.parametrize("repeated", [True, False])
def test_what_a_reset_copied_may_have_an_event_and_need_not(repeated: bool) -> None:
    story = told()
    run = story.saga([], feeds=IDS, end="open").run
    story.event(run, "WORKFLOW_EXECUTION_SIGNALED")
    story.event(run, "WORKFLOW_TASK_FAILED", cause=RESET_CAUSE)
    before, story.runs = story.runs, [run]
    emit(story, as_it_is if repeated else on("workflow.signaled", nothing), sealed, as_it_is)
    story.runs = before
    assert red(story, "INV-AUD-9") == set()
    assert red(story, "EVT-10") == set()


@pytest.mark.parametrize("status", [413, 507])
def test_what_was_too_large_to_be_kept_says_so(status: int) -> None:
    story = told()
    story.deliver({}, status=status)
    [event] = parsed(story.all(AuditEvent)[-1])
    assert [problem.rule for problem in event.problems] == ["CONTRACT-7-size"]


BYTES = [b"", b"\xff", b"[1", b"null", b"7", b'{"data": []}', b"[[]]", b"[" * 5000]


@pytest.mark.parametrize("media", ["+json", "-batch+json", ""])
def test_bytes_that_are_no_events_crash_nothing(media: str) -> None:
    """`judge` fails the test of a check that crashes."""
    story = told()
    kind = f"application/cloudevents{media}" if media else "application/json"
    for body in BYTES:
        story.add(
            AuditEvent(
                **story.at(),
                seq=9999,
                headers=[("Content-Type", kind)],
                body=b64encode(body).decode(),
            )
        )
    for check in CHECKS:
        verdict = story.judge(check, **DECLARED)
        assert (check.id == "INV-AUD-2") == (verdict.outcome is Outcome.FAIL)
