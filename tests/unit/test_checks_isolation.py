"""Tenant isolation, from journals told by hand."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import pytest

from harness.checks.check import Check
from harness.checks.isolation import CHECKS
from harness.checks.isolation.lifecycle import ASKED, OLD
from harness.checks.isolation.process import PLACES
from harness.checks.isolation.tokens import METHODS
from harness.checks.verdict import Verdict, judge
from harness.contract.canaries import POSITIONS, canary
from harness.contract.program import step
from harness.journal.read import from_records
from harness.journal.records import (
    KINDS,
    Canary,
    Decision,
    Effect,
    Ending,
    History,
    Log,
    Operation,
    Record,
)
from harness.outcome import Outcome
from scenarios.conformance.interleaving import WEIGHTS
from scenarios.conformance.interleaving import interleaved as drawn
from tests.unit.journals import Event, Story, Told, payloads

BY_ID = {check.id: check for check in CHECKS}
TWINS, PROCESS = BY_ID["INV-ISO-8"], BY_ID["INV-ISO-9"]


def twins() -> Story:
    """The same saga in two tenants, each with its own amount, asked for all it can tell."""
    story = Story()
    for tenant in ("alpha", "beta"):
        told = story.saga(
            [step(0, "room", amount=f"1-{tenant}")], feeds=["INV-ISO-8"], case="twin", tenant=tenant
        )
        own = {"tenant": tenant, "saga_id": told.saga_id, "signals": [f"go-{tenant}"]}
        value = {**own, "steps": [{"step": 0, "result": told.results[0]}]}
        for name, result in (
            ("result", {"status": "COMPLETED", "value": value}),
            ("state", own),
            ("signal", None),
        ):
            story.add(
                Operation(
                    **story.at(),
                    name=name,
                    tenant=tenant,
                    workflow_id=told.run.workflow_id,
                    run_id=told.run.run_id,
                    ending=Ending.OK,
                    invoked_ns=story.now_ns,
                    result=result,
                )
            )
    return story


def edited(story: Story, tenant: str, **fields: Any) -> Story:
    """The story with other members in a tenant's result."""
    story.change(
        Operation,
        lambda op: {"result": {**op.result, "value": {**op.result["value"], **fields}}},
        name="result",
        tenant=tenant,
    )
    return story


def test_twins_that_keep_apart_pass() -> None:
    assert crossed().judge(TWINS).outcome is Outcome.PASS


def test_a_result_that_the_service_gave_to_another_tenant_fails() -> None:
    story = twins()
    (foreign,) = story.all(Operation, name="result", tenant="alpha")
    verdict = edited(story, "beta", steps=foreign.result["value"]["steps"]).judge(TWINS)
    assert verdict.outcome is Outcome.FAIL
    assert "gave to ['alpha']" in verdict.witnesses[0].text


def test_a_result_that_no_service_gave_is_not_this_checks_matter() -> None:
    story = edited(crossed(), "beta", steps=[{"step": 0, "result": {"made": "up"}}, "nothing"])
    assert story.judge(TWINS).outcome is Outcome.PASS


def test_an_effect_that_was_asked_for_otherwise_fails() -> None:
    story = crossed()
    story.set(Effect, {"amount": "1-alpha"}, tenant="beta")
    assert clause_of(story, TWINS)["effect of another tenant"] is Outcome.FAIL


def test_a_signal_of_another_tenant_fails() -> None:
    story = edited(twins(), "beta", signals=["go-beta", "go-alpha"])
    assert story.judge(TWINS).outcome is Outcome.FAIL


# --- INV-ISO-9


def word(tenant: str, position: str = "amount") -> str:
    return canary("hand-made", tenant, position)


def shared_process() -> Story:
    """Two tenants in one worker process, each with canaries, turn by turn."""
    story = Story()
    for tenant in ("alpha", "beta"):
        for position in POSITIONS:
            story.add(
                Canary(**story.at(), tenant=tenant, position=position, word=word(tenant, position))
            )
    for number in range(6):
        for tenant in ("alpha", "beta"):
            own = word(tenant)
            told = story.saga(
                [step(0, own, amount=own)], feeds=["INV-ISO-9"], case=f"own-{number}", tenant=tenant
            )
            for name in ("result", "state"):
                story.add(
                    Operation(
                        **story.at(),
                        name=name,
                        tenant=tenant,
                        workflow_id=told.run.workflow_id,
                        run_id=told.run.run_id,
                        ending=Ending.OK,
                        invoked_ns=story.now_ns,
                        result={"said": own},
                    )
                )
    # the hand-made ledger does not keep the questions
    story.change(Decision, lambda d: {"request": d.resource})
    return log(story, b"ready\n")


def log(story: Story, written: bytes) -> Story:
    story.files["logs/w.log"] = written
    story.add(
        Log(
            **story.at(),
            role="worker-calm-0",
            group="calm",
            path="logs/w.log",
            size_bytes=len(written),
            sha256=hashlib.sha256(written).hexdigest(),
        )
    )
    return story


def clause_of(story: Story, check: Check) -> dict[str, Outcome]:
    verdict = story.judge(check)
    return {each.name: each.outcome for each in verdict.clauses}


def test_a_process_that_keeps_its_tenants_apart_passes() -> None:
    verdict = shared_process().judge(PROCESS)
    assert verdict.outcome is Outcome.PASS, verdict.reason
    assert {place["place"] for place in verdict.figures["places"]} == set(PLACES)


@pytest.mark.parametrize(
    ("clause", "kind", "fields"),
    [
        ("effect ledger", Effect, {"amount": word("beta")}),
        ("PDP requests", Decision, {"request": word("beta", "resource")}),
        ("headers and cookies", Effect, {"others": [("Cookie", word("beta", "cookie"))]}),
        ("headers and cookies", Decision, {"others": [("Cookie", word("beta", "cookie"))]}),
    ],
)
def test_a_canary_in_a_request_of_another_tenant_fails(
    clause: str, kind: type[Record], fields: dict[str, Any]
) -> None:
    story = shared_process()
    story.set(kind, fields, tenant="alpha", workflow_id="wf-own-3")
    assert clause_of(story, PROCESS)[clause] is Outcome.FAIL


@pytest.mark.parametrize(("name", "clause"), [("result", "results"), ("state", "query answers")])
def test_a_canary_in_an_answer_to_another_tenant_fails(name: str, clause: str) -> None:
    story = shared_process()
    story.set(Operation, {"result": {"x": word("beta")}}, name=name, tenant="alpha")
    assert clause_of(story, PROCESS)[clause] is Outcome.FAIL


def test_a_canary_in_a_payload_of_another_tenants_history_fails() -> None:
    story = shared_process()
    (run,) = [r for r in story.runs if r.tenant == "alpha" and r.workflow_id == "wf-own-3"]
    story.event(run, "WORKFLOW_EXECUTION_SIGNALED", input=payloads({"id": word("beta")}))
    assert clause_of(story, PROCESS)["histories"] is Outcome.FAIL


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        (f"tenant alpha: {word('beta')}", Outcome.FAIL),
        (f"{word('alpha')} {word('beta')}", Outcome.FAIL),
        (f"tenant beta: {word('beta')}", Outcome.PASS),
        (f"somebody: {word('beta')}", Outcome.PASS),
        (f"alphabet: {word('beta')}", Outcome.PASS),
    ],
)
def test_a_line_of_a_log_fails_where_it_speaks_of_two_tenants(line: str, outcome: Outcome) -> None:
    story = log(shared_process(), f"{line}\n".encode())
    story.drop(Log, size_bytes=6)
    assert clause_of(story, PROCESS)["worker logs"] is outcome


def test_a_place_in_which_nothing_was_ever_seen_shows_nothing() -> None:
    story = shared_process()
    story.set(Operation, {"result": {}}, name="state")
    verdict = story.judge(PROCESS)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "query answers" in verdict.reason


def test_without_a_log_or_turns_it_is_inconclusive() -> None:
    story = shared_process()
    story.drop(Log)
    assert story.judge(PROCESS).outcome is Outcome.INCONCLUSIVE
    story = shared_process()
    story.drop(Decision, tenant="beta")
    assert story.judge(PROCESS).outcome is Outcome.INCONCLUSIVE


# --- INV-ISO-1 and INV-ISO-2


def operation(story: Story, name: str, result: Any = None, **fields: Any) -> None:
    given: dict[str, Any] = {"ending": Ending.OK, "status": "OK", **fields}
    story.add(Operation(**story.at(), name=name, invoked_ns=story.now_ns, result=result, **given))


def listed(tenants: dict[str, str], there: dict[str, str]) -> Story:
    """The engine's namespaces and the declared ones."""
    story = Story()
    namespaces = [
        {"name": name, "state": f"NAMESPACE_STATE_{state}"} for name, state in there.items()
    ]
    operation(
        story,
        "list-namespaces",
        {"namespaces": namespaces},
        args={"trial": "verify-1", "tenants": tenants},
    )
    return story


OWN = {"alpha": "a", "beta": "b"}
THERE = {
    "temporal-system": "REGISTERED", "default": "REGISTERED", "a": "REGISTERED",
    "b": "REGISTERED", "verify-1-tenant": "REGISTERED",
}  # fmt: skip


@pytest.mark.parametrize(
    ("tenants", "there", "parameters", "outcome"),
    [
        (OWN, THERE, {}, Outcome.PASS),
        (OWN, THERE, {"unowned_namespaces": "fail"}, Outcome.PASS),
        ({"alpha": "a", "beta": "a"}, THERE, {}, Outcome.FAIL),
        ({"alpha": "a", "beta": "a"}, THERE, {"shared_namespaces": ["a"]}, Outcome.PASS),
        (OWN, {"a": "REGISTERED"}, {}, Outcome.FAIL),
        (OWN, THERE | {"b": "DEPRECATED"}, {}, Outcome.FAIL),
        (OWN, THERE | {"c": "REGISTERED"}, {}, Outcome.PASS),
        (OWN, THERE | {"c": "REGISTERED"}, {"unowned_namespaces": "fail"}, Outcome.FAIL),
        ({"alpha": "a"}, THERE, {}, Outcome.INCONCLUSIVE),
    ],
)
def test_namespaces_and_tenants(
    tenants: dict[str, str], there: dict[str, str], parameters: dict[str, Any], outcome: Outcome
) -> None:
    assert listed(tenants, there).judge(BY_ID["INV-ISO-1"], **parameters).outcome is outcome


def test_a_namespace_that_nobody_declared_is_named() -> None:
    verdict = listed(OWN, THERE | {"c": "REGISTERED"}).judge(BY_ID["INV-ISO-1"])
    assert verdict.figures["without_a_tenant_named"] == ["c"]


def test_a_list_that_was_refused_shows_nothing() -> None:
    story = Story()
    operation(
        story, "list-namespaces", ending=Ending.FAIL, status="PERMISSION_DENIED",
        args={"tenants": OWN, "trial": "t"},
    )  # fmt: skip
    verdict = story.judge(BY_ID["INV-ISO-1"])
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "PERMISSION_DENIED" in verdict.reason


def queues(*, beta: str = "q-beta", namespace: str = "ns-beta", polled: bool = True) -> Story:
    """A run of each tenant on its task queue, and who polls it."""
    story = Story()
    for tenant, queue in (("alpha", "q-alpha"), ("beta", beta)):
        told = story.saga([step(0, "room")], tenant=tenant, case=f"c-{tenant}")
        story.event(told.run, "ACTIVITY_TASK_SCHEDULED", taskQueue={"name": queue})
    for where, queue in (("ns-alpha", "q-alpha"), (namespace, beta)):
        operation(
            story, "describe-task-queue", {"pollers": ["w"] if polled else []},
            args={"namespace": where, "queue": queue, "owner": "x", "kind": "workflow"},
        )  # fmt: skip
    return story


def in_one_namespace(story: Story) -> Verdict:
    """Judged as if both tenants ran in the first one's namespace."""
    records = [
        msgspec.structs.replace(r, namespace="ns-alpha") if isinstance(r, History) else r
        for kind in KINDS
        for r in story.journal().of(kind)
    ]
    files = {
        run.path: json.dumps({"events": run.events}).encode() for run in story.runs
    }  # fmt: skip
    check = BY_ID["INV-ISO-2"]
    (verdict,) = judge(from_records(records, histories=files), [check], {check.id: "M"}, {})
    return verdict


def test_a_queue_for_each_tenant_passes() -> None:
    assert queues().judge(BY_ID["INV-ISO-2"]).outcome is Outcome.PASS


def test_the_same_name_in_another_namespace_is_shown_and_passes() -> None:
    verdict = queues(beta="q-alpha").judge(BY_ID["INV-ISO-2"])
    assert verdict.outcome is Outcome.PASS
    assert verdict.figures["same_name_in_two_namespaces"] == 1


def test_one_queue_for_two_tenants_in_one_namespace_fails() -> None:
    assert in_one_namespace(queues(beta="q-alpha", namespace="ns-alpha")).outcome is Outcome.FAIL
    assert in_one_namespace(queues(namespace="ns-alpha")).outcome is Outcome.PASS


def test_queues_whose_pollers_were_not_seen_show_nothing() -> None:
    assert queues(polled=False).judge(BY_ID["INV-ISO-2"]).outcome is Outcome.INCONCLUSIVE


# --- INV-ISO-11

EVENTS = BY_ID["INV-ISO-11"]


def audited(edit: Callable[[Event], Iterable[Event]] = lambda event: [event]) -> Story:
    """The events of two tenants' sagas, with a canary in the subject."""
    story = shared_process()

    def made(event: Event) -> Iterable[Event]:
        tenant = event["tenantid"]
        whole = {**event, "source": f"urn:x:ns-{tenant}", "subject": word(tenant)}
        return edit(whole)

    story.emit(made)
    return story


def test_events_that_stay_at_home_pass() -> None:
    assert audited().judge(EVENTS).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("clause", "fields"),
    [
        ("wrong tenant", {"tenantid": "beta"}),
        ("wrong source", {"source": "urn:x:ns-beta"}),
        ("wrong source", {"source": "urn:x"}),
        ("canary of another tenant", {"subject": word("beta", "workflow-id")}),
    ],
)
def test_an_event_of_alpha_that_speaks_of_beta_fails(clause: str, fields: dict[str, str]) -> None:
    story = audited(lambda e: [{**e, **fields} if e["tenantid"] == "alpha" else e])
    red = [name for name, outcome in clause_of(story, EVENTS).items() if outcome is Outcome.FAIL]
    assert red == [clause]


def test_a_source_need_not_name_the_namespace_where_that_is_declared() -> None:
    story = audited(lambda e: [{**e, "source": "urn:x"}])
    assert story.judge(EVENTS, event_source="free").outcome is Outcome.PASS


def test_streams_that_the_harness_cannot_see_are_inconclusive() -> None:
    verdict = audited().judge(EVENTS, event_streams="one_per_tenant")
    assert verdict.outcome is Outcome.INCONCLUSIVE


def test_events_of_one_tenant_alone_show_nothing() -> None:
    story = audited(lambda e: [e] if e["tenantid"] == "alpha" else [])
    assert story.judge(EVENTS).outcome is Outcome.INCONCLUSIVE


# --- INV-ISO-5

POLLS = BY_ID["INV-ISO-5"]


def polls() -> Story:
    """Each kind of task waits for each owner; the other polls first."""
    story = Story()
    for owner, other in (("alpha", "beta"), ("beta", "alpha")):
        for kind in ("workflow task", "activity task", "sticky task"):
            args = {"kind": kind, "owner": owner, "queue": f"q-{owner}"}
            operation(story, "foreign-poll", {"delivered": ""}, tenant=other, args=args)
            operation(story, "own-poll", {"delivered": f"w-{owner}"}, tenant=owner, args=args)
    return story


def test_polls_that_get_nothing_of_another_tenant_pass() -> None:
    assert polls().judge(POLLS).outcome is Outcome.PASS


@pytest.mark.parametrize("kind", ["workflow task", "activity task", "sticky task"])
def test_a_task_that_another_tenant_got_fails(kind: str) -> None:
    story = polls()
    story.change(
        Operation,
        lambda op: {"result": {"delivered": "w" if op.args["kind"] == kind else ""}},
        name="foreign-poll",
        tenant="beta",
    )
    red = [name for name, outcome in clause_of(story, POLLS).items() if outcome is Outcome.FAIL]
    assert red == [kind]


def test_tasks_that_their_owner_did_not_get_show_nothing() -> None:
    story = polls()
    story.set(Operation, {"result": {"delivered": ""}}, name="own-poll", tenant="alpha")
    assert story.judge(POLLS).outcome is Outcome.INCONCLUSIVE


def test_polls_that_ended_unclear_show_nothing() -> None:
    story = polls()
    story.set(
        Operation, {"ending": Ending.INFO, "result": None}, name="foreign-poll", tenant="beta"
    )
    assert story.judge(POLLS).outcome is Outcome.INCONCLUSIVE


def test_a_kind_of_task_that_never_waited_shows_nothing() -> None:
    story = polls()
    story.records = [
        r for r in story.records if getattr(r, "args", {}).get("kind") != "sticky task"
    ]
    verdict = story.judge(POLLS)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "sticky" in verdict.reason


# --- INV-ISO-10

VISIBILITY = BY_ID["INV-ISO-10"]


def looked(foreign: int = 6) -> Story:
    """Two tenants that look for their own runs and for each other's."""
    story = shared_process()
    runs = {t: [r for r in story.runs if r.tenant == t] for t in ("alpha", "beta")}
    for asker in runs:
        own = [[r.workflow_id, r.run_id, {"note": word(asker, "memo")}] for r in runs[asker]]
        for of in runs:
            for way in ("list", "page token", "count", "grouped count"):
                counts = way in ("count", "grouped count")
                many = len(own) if asker == of else 0
                result = {"count": many, "groups": [many]} if counts else {"runs": own}
                for number in range(1 if asker == of else foreign):
                    operation(
                        story, "visibility", result, tenant=asker,
                        args={"way": way, "of": of, "query": f"{number}", "most": many},
                    )  # fmt: skip
    return story


def seen(story: Story, way: str, result: Any, **fields: Any) -> Story:
    """What alpha saw when it asked in one way for beta's runs."""
    story.change(
        Operation,
        lambda op: (
            {"result": result, **fields}
            if op.args["way"] == way and op.args["of"] == "beta"
            else {}
        ),
        name="visibility",
        tenant="alpha",
    )
    return story


def test_answers_without_another_tenants_runs_pass() -> None:
    verdict = looked().judge(VISIBILITY)
    assert verdict.outcome is Outcome.PASS, verdict.reason


@pytest.mark.parametrize("way", ["list", "page token"])
def test_a_listed_run_of_another_tenant_fails(way: str) -> None:
    story = looked()
    (run, *_) = (r for r in story.runs if r.tenant == "beta")
    seen(story, way, {"runs": [["w", run.run_id, {}]]})
    red = [n for n, outcome in clause_of(story, VISIBILITY).items() if outcome is Outcome.FAIL]
    assert red == [way]


def test_a_listed_canary_of_another_tenant_fails() -> None:
    story = seen(looked(), "list", {"runs": [["w", "unknown", {"note": word("beta", "memo")}]]})
    assert clause_of(story, VISIBILITY)["list"] is Outcome.FAIL


@pytest.mark.parametrize(
    ("way", "result"),
    [("count", {"count": 1, "groups": []}), ("grouped count", {"count": 0, "groups": [1]})],
)
def test_a_count_of_more_than_there_is_fails(way: str, result: dict[str, Any]) -> None:
    assert clause_of(seen(looked(), way, result), VISIBILITY)["count"] is Outcome.FAIL


def test_questions_that_were_refused_are_no_failure() -> None:
    story = seen(looked(), "list", None, ending=Ending.FAIL, status="INVALID_ARGUMENT")
    assert story.judge(VISIBILITY).outcome is Outcome.PASS
    story = seen(looked(), "list", None, ending=Ending.INFO, status="INTERNAL")
    assert story.judge(VISIBILITY).outcome is Outcome.PASS


def test_questions_that_were_not_answered_or_not_asked_show_nothing() -> None:
    story = seen(looked(), "list", None, ending=Ending.INFO, status="UNAVAILABLE")
    assert story.judge(VISIBILITY).outcome is Outcome.INCONCLUSIVE
    assert looked(foreign=1).judge(VISIBILITY).outcome is Outcome.INCONCLUSIVE


def test_a_tenant_that_does_not_see_its_own_runs_shows_nothing() -> None:
    story = looked()
    story.change(
        Operation,
        lambda op: {"result": {"count": 0, "groups": [], "runs": []}},
        name="visibility",
    )
    assert story.judge(VISIBILITY).outcome is Outcome.INCONCLUSIVE


# --- INV-ISO-15

LIFECYCLE = BY_ID["INV-ISO-15"]


def lived() -> Story:
    """A tenant that was seen alive, went, and left nothing to the next one."""
    story = Story()
    phases = {"alive": OLD, **ASKED}
    for phase, asked in phases.items():
        for what in asked:
            refused = phase in ("deprecated", "deleted")
            operation(
                story, "tenant-lifecycle",
                None if refused else {"seen": ["old"] if phase == "alive" else ["new"]},
                ending=Ending.FAIL if refused else Ending.OK,
                args={"phase": phase, "what": what, "old": ["old"]},
            )  # fmt: skip
    return story


def asked_again(story: Story, phase: str, what: str, **fields: Any) -> Story:
    story.change(
        Operation,
        lambda op: fields if (op.args["phase"], op.args["what"]) == (phase, what) else {},
        name="tenant-lifecycle",
    )
    return story


def test_a_tenant_that_leaves_nothing_passes() -> None:
    assert lived().judge(LIFECYCLE).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("phase", "what", "clause"),
    [
        ("deprecated", "start", "deprecated tenant starts"),
        *(("deleted", what, "deleted tenant is served") for what in ASKED["deleted"]),
        *(("recycled", what, "recycled name shows the old tenant") for what in OLD),
    ],
)
def test_what_outlives_its_tenant_fails(phase: str, what: str, clause: str) -> None:
    story = asked_again(lived(), phase, what, ending=Ending.OK, result={"seen": ["old"]})
    red = [n for n, outcome in clause_of(story, LIFECYCLE).items() if outcome is Outcome.FAIL]
    assert red == [clause]


@pytest.mark.parametrize(
    ("phase", "what", "fields"),
    [
        ("alive", "list", {"result": {"seen": []}}),
        ("deleted", "poll", {"ending": Ending.INFO}),
        ("recycled", "start", {"ending": Ending.FAIL}),
        ("recycled", "list", {"ending": Ending.FAIL}),
    ],
)
def test_a_life_that_was_not_seen_whole_shows_nothing(
    phase: str, what: str, fields: dict[str, Any]
) -> None:
    story = asked_again(lived(), phase, what, **fields)
    assert story.judge(LIFECYCLE).outcome is Outcome.INCONCLUSIVE


# --- INV-ISO-8, generated interleavings


def crossed(*moves: tuple[str, str, str]) -> Story:
    """Twins, enough calls that prove nothing wrong, and these: (tenant, op, status)."""
    story = twins()
    for number, (tenant, op, status) in enumerate((*ENOUGH, *moves)):
        ok = status == "OK"
        operation(
            story, "interleaved", ending=Ending.OK if ok else ENDINGS.get(status, Ending.FAIL),
            status=status, tenant=tenant, workflow_id="same",
            args={"op": op, "token": f"t-{number}-{tenant}"},
        )  # fmt: skip
    return story


ENDINGS = {"UNAVAILABLE": Ending.INFO}
ENOUGH = (
    ("alpha", "start", "OK"),
    *[("alpha", "query", "OK")] * 90,
    *[("beta", "signal", "NOT_FOUND")] * 12,
)


@pytest.mark.parametrize(
    ("moves", "outcome"),
    [
        ((), Outcome.PASS),
        ((("beta", "start", "OK"), ("beta", "signal", "OK")), Outcome.PASS),
        ((("alpha", "cancel", "OK"), ("alpha", "cancel", "OK")), Outcome.PASS),
        ((("alpha", "start", "WorkflowAlreadyStartedError"),), Outcome.PASS),
        ((("alpha", "terminate", "OK"), ("alpha", "query", "OK")), Outcome.PASS),
        ((("beta", "start", "WorkflowAlreadyStartedError"),), Outcome.FAIL),
        ((("beta", "signal", "OK"),), Outcome.FAIL),
        ((("beta", "update", "OK"),), Outcome.FAIL),
        ((("beta", "cancel", "OK"),), Outcome.FAIL),
        ((("beta", "terminate", "OK"),), Outcome.FAIL),
        ((("beta", "query", "OK"),), Outcome.FAIL),
        ((("alpha", "signal", "NOT_FOUND"),), Outcome.FAIL),
        ((("beta", "start", "UNAVAILABLE"), ("beta", "signal", "OK")), Outcome.PASS),
    ],
)
def test_a_call_meets_the_runs_of_its_own_tenant(moves: Any, outcome: Outcome) -> None:
    verdict = crossed(*moves).judge(TWINS)
    assert verdict.outcome is outcome, verdict.reason
    if outcome is Outcome.FAIL:
        red = [each.name for each in verdict.clauses if each.outcome is Outcome.FAIL]
        assert red == ["operation on another tenant's run"]


def test_too_few_interleavings_show_nothing() -> None:
    story = crossed()
    story.drop(Operation, name="interleaved", tenant="beta")
    assert story.judge(TWINS).outcome is Outcome.INCONCLUSIVE


SIGNALS = "signal of another tenant"


def test_a_query_that_shows_what_another_tenant_sent_fails() -> None:
    story = crossed(("beta", "start", "OK"), ("beta", "signal", "OK"))
    (sent,) = [op.args["token"] for op in story.all(Operation, tenant="beta", status="OK")
               if op.args.get("op") == "signal"]  # fmt: skip
    story.change(
        Operation,
        lambda op: {"result": {"signals": [sent]}} if op.args["op"] == "query" else {},
        name="interleaved",
        tenant="alpha",
    )
    assert clause_of(story, TWINS)[SIGNALS] is Outcome.FAIL


@pytest.mark.parametrize(
    ("tenant", "outcome"), [("beta", Outcome.PASS), ("alpha", Outcome.FAIL), ("", Outcome.FAIL)]
)
def test_a_signal_must_be_in_its_own_tenants_history(tenant: str, outcome: Outcome) -> None:
    story = crossed(("beta", "start", "OK"), ("beta", "signal", "OK"))
    (sent,) = [op.args["token"] for op in story.all(Operation, tenant="beta", status="OK")
               if op.args.get("op") == "signal"]  # fmt: skip
    for each in ("alpha", "beta"):
        run = Told(each, "same", f"run-same-{each}")
        story.runs.append(run)
        given = {"id": sent if each == tenant else "else", "name": "go"}
        story.event(run, "WORKFLOW_EXECUTION_SIGNALED", input=payloads(given))
    assert clause_of(story, TWINS)[SIGNALS] is outcome


def test_interleavings_are_drawn_from_the_seed() -> None:
    assert drawn(7, 2) == drawn(7, 2) != drawn(8, 2)
    assert {move.kind for move in drawn(7, 2)} == set(WEIGHTS)
    assert "update" not in {move.kind for move in drawn(7, 2, frozenset({"updates"}))}


# --- INV-ISO-6

TOKENS = BY_ID["INV-ISO-6"]


def tokens() -> Story:
    """Each method, refused to another tenant in two ways, and then done by the owner."""
    story = Story()
    for method in range(METHODS):
        args: dict[str, Any] = {"method": f"m-{method}", "owner": "alpha", "caller": "beta"}
        for variant in ("other namespace", "forged run"):
            told = {**args, "variant": variant}
            operation(
                story, "task-token", ending=Ending.FAIL, status="NOT_FOUND", tenant="alpha",
                args=told,
            )  # fmt: skip
            operation(story, "task-token-state", {"before": 5, "after": 5}, args=told)
        operation(story, "task-token", tenant="alpha", args={**args, "variant": "owner"})
    return story


def told_of(story: Story, name: str, variant: str, **fields: Any) -> Story:
    story.change(Operation, lambda op: fields if op.args["variant"] == variant else {}, name=name)
    return story


def test_tokens_that_only_their_owner_can_use_pass() -> None:
    assert tokens().judge(TOKENS).outcome is Outcome.PASS


@pytest.mark.parametrize("variant", ["other namespace", "forged run"])
def test_a_foreign_call_that_was_accepted_fails(variant: str) -> None:
    story = told_of(tokens(), "task-token", variant, ending=Ending.OK)
    assert clause_of(story, TOKENS)["foreign call accepted"] is Outcome.FAIL


def test_a_history_that_grew_after_a_refusal_fails() -> None:
    grown = {"before": 5, "after": 6}
    story = told_of(tokens(), "task-token-state", "forged run", result=grown)
    red = [n for n, outcome in clause_of(story, TOKENS).items() if outcome is Outcome.FAIL]
    assert red == ["history changed by a foreign call"]


def test_a_timeout_beside_a_foreign_call_is_not_its_doing() -> None:
    """It leaves open what the call changed."""
    new = ["ACTIVITY_TASK_TIMED_OUT", "WORKFLOW_TASK_SCHEDULED"]
    grown = {"before": 5, "after": 7, "new": new}
    story = told_of(tokens(), "task-token-state", "forged run", result=grown)
    assert story.judge(TOKENS).outcome is Outcome.INCONCLUSIVE


def test_what_a_foreign_call_ended_fails_though_something_timed_out_too() -> None:
    new = ["ACTIVITY_TASK_TIMED_OUT", "ACTIVITY_TASK_COMPLETED"]
    grown = {"before": 5, "after": 7, "new": new}
    story = told_of(tokens(), "task-token-state", "forged run", result=grown)
    assert story.judge(TOKENS).outcome is Outcome.FAIL


@pytest.mark.parametrize(
    ("name", "variant", "fields"),
    [
        ("task-token", "owner", {"ending": Ending.FAIL}),
        ("task-token", "forged run", {"ending": Ending.INFO}),
        ("task-token-state", "forged run", {"ending": Ending.INFO, "result": None}),
    ],
)
def test_tokens_of_which_too_little_was_seen_show_nothing(
    name: str, variant: str, fields: dict[str, Any]
) -> None:
    assert told_of(tokens(), name, variant, **fields).judge(TOKENS).outcome is Outcome.INCONCLUSIVE


# --- INV-ISO-7

CROSSING = BY_ID["INV-ISO-7"]


def commands() -> Story:
    """Each kind of command, refused across namespaces and effective within one."""
    story = Story()
    for kind in ("start-child", "signal", "request-cancel"):
        for across in (True, False):
            args = {"kind": kind, "across": across, "from": "alpha", "to": "beta"}
            ending = Ending.FAIL if across else Ending.OK
            operation(story, "cross-namespace-command", ending=ending, args=args)
            operation(story, "cross-namespace-effect", {"effect": not across}, args=args)
    return story


def changed(story: Story, name: str, across: bool, **fields: Any) -> Story:
    story.change(Operation, lambda op: fields if op.args["across"] == across else {}, name=name)
    return story


def test_commands_that_stay_within_their_namespace_pass() -> None:
    assert commands().judge(CROSSING).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("name", "fields", "clause"),
    [
        (
            "cross-namespace-command",
            {"ending": Ending.OK},
            "command accepted across namespaces",
        ),
        (
            "cross-namespace-effect",
            {"result": {"effect": True}},
            "command took effect across namespaces",
        ),
    ],
)
def test_a_command_that_crosses_fails(name: str, fields: dict[str, Any], clause: str) -> None:
    story = changed(commands(), name, True, **fields)
    red = [n for n, outcome in clause_of(story, CROSSING).items() if outcome is Outcome.FAIL]
    assert red == [clause]


def test_commands_that_do_not_work_within_or_ended_unclear_show_nothing() -> None:
    story = changed(commands(), "cross-namespace-effect", False, result={"effect": False})
    assert story.judge(CROSSING).outcome is Outcome.INCONCLUSIVE
    story = changed(commands(), "cross-namespace-command", True, ending=Ending.INFO)
    assert story.judge(CROSSING).outcome is Outcome.INCONCLUSIVE
