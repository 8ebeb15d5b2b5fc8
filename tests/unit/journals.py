"""Trials told by hand: a story keeps the records that a sound platform would have left.

`Story.saga` plays a saga program against sound doubles and writes what everybody would have
recorded: program, start, decisions, effects, history. A test then changes or drops records, and
judges. `Story.emit` writes the audit events of all histories so far.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from harness.checks.check import Check
from harness.checks.verdict import Verdict, judge
from harness.contract.pdp_modes import MODES
from harness.contract.program import (
    COMPENSATION,
    Child,
    ContinueAsNew,
    Node,
    Retry,
    SagaProgram,
    Step,
    idempotency_key,
    quantity,
    to_json,
)
from harness.contract.transitions import AUDITED
from harness.journal.read import Journal, from_records, hand_made_manifest
from harness.journal.records import (
    Answer,
    AuditEvent,
    Balance,
    Decision,
    Disposition,
    Effect,
    Ending,
    History,
    Operation,
    Program,
    Record,
    Times,
)

EPOCH_NS = 1_714_557_600_000_000_000  # 2024-05-01T10:00:00Z
MS = 1_000_000
ANSWERS = {mode.id: mode.answer for mode in MODES}
OUTCOMES = {
    "WORKFLOW_EXECUTION_STARTED": "WorkflowExecutionStarted",
    "WORKFLOW_EXECUTION_COMPLETED": "WorkflowExecutionCompleted",
    "WORKFLOW_EXECUTION_FAILED": "WorkflowExecutionFailed",
    "WORKFLOW_EXECUTION_CANCELED": "WorkflowExecutionCanceled",
    "WORKFLOW_EXECUTION_TIMED_OUT": "WorkflowExecutionTimedOut",
    "WORKFLOW_EXECUTION_TERMINATED": "WorkflowExecutionTerminated",
    "WORKFLOW_EXECUTION_CONTINUED_AS_NEW": "WorkflowExecutionContinuedAsNew",
    "ACTIVITY_TASK_COMPLETED": "ActivityTaskCompleted",
    "ACTIVITY_TASK_FAILED": "ActivityTaskFailed",
}
R = TypeVar("R", bound=Record)
Event = dict[str, Any]


def payloads(value: Any) -> dict[str, Any]:
    """One JSON payload as Temporal writes it."""
    data = base64.b64encode(json.dumps(value).encode()).decode()
    return {"payloads": [{"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": data}]}


def failure(type_: str, detail: Any = None) -> dict[str, Any]:
    """An application failure as Temporal writes it."""
    info: dict[str, Any] = {"type": type_, "nonRetryable": True}
    if detail is not None:
        info["details"] = payloads(detail)
    return {"failure": {"message": "it failed", "applicationFailureInfo": info}}


def timestamp(wall_ns: int) -> str:
    """Nanoseconds of the wall clock as protobuf's JSON writes them."""
    seconds = datetime.fromtimestamp(wall_ns // 10**9, UTC)
    return f"{seconds:%Y-%m-%dT%H:%M:%S}.{wall_ns % 10**9:09}Z"


def result_sha256(result: Any) -> str:
    """The digest that a service records."""
    return hashlib.sha256(msgspec.json.encode(result, order="sorted")).hexdigest()


@dataclass
class Told:
    """A run's history while it is told."""

    tenant: str
    workflow_id: str
    run_id: str
    events: list[Event] = field(default_factory=list)

    @property
    def path(self) -> str:
        return f"histories/{self.tenant}/{self.run_id}.json"


@dataclass
class Sequel:
    """A saga in the course of being told; `run` is its present run."""

    saga_id: str
    run: Told
    results: dict[int, Any] = field(default_factory=dict)


class Story:
    """Records by hand; `now_ns` is the monotonic clock, which tests may move."""

    def __init__(self) -> None:
        self.now_ns = 10**9
        self.seq = 0
        self.records: list[Record] = []
        self.runs: list[Told] = []
        self.files: dict[str, bytes] = {}
        self.held: dict[tuple[str, str, str], Decimal] = {}

    # --- what tests do with it

    def all(self, kind: type[R], **where: Any) -> list[R]:
        """The records of a kind whose fields are as given."""
        return [r for r in self.records if isinstance(r, kind) and _matches(r, where)]

    def drop(self, kind: type[Record], **where: Any) -> None:
        """Forget records."""
        gone = {id(record) for record in self.all(kind, **where)}
        assert gone, f"no {kind.__name__} with {where}"
        self.records = [record for record in self.records if id(record) not in gone]

    def change(self, kind: type[R], change: Callable[[R], Mapping[str, Any]], **where: Any) -> None:
        """Replace fields of records."""
        chosen = {id(record) for record in self.all(kind, **where)}
        assert chosen, f"no {kind.__name__} with {where}"
        for index, record in enumerate(self.records):
            if id(record) in chosen:
                assert isinstance(record, kind)
                self.records[index] = msgspec.structs.replace(record, **change(record))

    def set(self, kind: type[Record], fields: Mapping[str, Any], **where: Any) -> None:
        """Give records other values."""
        self.change(kind, lambda _: fields, **where)

    def journal(self, **manifest: Any) -> Journal:
        """Everything told so far."""
        records = list(self.records)
        files = dict(self.files)
        for run in self.runs:
            raw = json.dumps({"events": run.events}).encode()
            files[run.path] = raw
            records.append(self._history(run, raw))
        records += [
            Balance(
                at_ns=self.now_ns, wall_ns=self.wall_ns, tenant=tenant, service=service,
                resource=resource, opening="1000", free=str(1000 - held), held=str(held),
            )
            for (tenant, service, resource), held in self.held.items()
        ]  # fmt: skip
        return from_records(records, manifest=hand_made_manifest(**manifest), histories=files)

    def judge(self, check: Check, **parameters: Any) -> Verdict:
        """The verdict of one check; a check that crashed fails the test."""
        (verdict,) = judge(self.journal(), [check], {check.id: "M"}, parameters)
        assert "crashed" not in verdict.reason, verdict.reason
        return verdict

    # --- time and order

    def passes(self, ms: float) -> None:
        """Time goes by."""
        self.now_ns += int(ms * MS)

    @property
    def wall_ns(self) -> int:
        return EPOCH_NS + self.now_ns

    def at(self) -> Times:
        """The times of the next record, a millisecond after the last."""
        self.passes(1)
        return {"at_ns": self.now_ns, "wall_ns": self.wall_ns}

    def add(self, record: Record) -> None:
        """Keep a record."""
        self.records.append(record)

    # --- sagas

    def saga(
        self,
        nodes: Iterable[Node],
        *,
        feeds: Iterable[str] = (),
        case: str = "",
        tenant: str = "alpha",
        group: str = "calm",
        plan: Mapping[tuple[int, str], list[str]] | None = None,
        end: str = "",
    ) -> Sequel:
        """A whole saga. `plan` says how the attempts of a (step, direction) go:

        ok, lost (applied, its answer lost), fail (503), refuse (422), deny, or a mode of the PDP;
        ok if nothing is said. `end` is what befalls it after its nodes: canceled, terminated,
        timed out, or open (nothing more is recorded); else it completes or fails by itself.
        """
        name = case or f"case-{len(self.runs)}"
        program = SagaProgram(tenant=tenant, saga_id=f"s-{name}", nodes=list(nodes))
        workflow_id = f"wf-{name}"
        self.add(
            Program(
                **self.at(), suite="suite", case=name, tenant=tenant, group=group,
                workflow_id=workflow_id, saga_id=program.saga_id, task_queue="q",
                feeds=list(feeds), program=to_json(program),
            )
        )  # fmt: skip
        began_ns = self.now_ns
        told = self._play(program, workflow_id, plan or {}, end)
        self.add(
            Operation(
                **self.at(), name="start", suite="suite", case=name, tenant=tenant,
                workflow_id=workflow_id, run_id=told.run.run_id, ending=Ending.OK, status="OK",
                invoked_ns=began_ns,
            )
        )  # fmt: skip
        return told

    def _play(
        self, program: SagaProgram, workflow_id: str, plan: Mapping[Any, list[str]], end: str
    ) -> Sequel:
        told = Sequel(program.saga_id, self._new_run(program, workflow_id))
        for number, node in enumerate(program.nodes):
            if isinstance(node, ContinueAsNew):
                self._continue(told, program)
            elif isinstance(node, Child):
                self._play(node.program, f"{workflow_id}/{number}", plan, "")
            elif isinstance(node, Step):
                cause = self.activity(told, node, number, "forward", plan)
                if cause:
                    self._compensate(told, program, plan, unknown=number * (cause == "unknown"))
                    self._fails(told, cause, number)
                    return told
        self._ends(told, program, plan, end)
        return told

    def _new_run(self, program: SagaProgram, workflow_id: str) -> Told:
        run = Told(program.tenant, workflow_id, f"run-{len(self.runs) + 1}")
        self.runs.append(run)
        self.event(run, "WORKFLOW_EXECUTION_STARTED", input=payloads(to_json(program)))
        return run

    def _continue(self, told: Sequel, program: SagaProgram) -> None:
        following = f"run-{len(self.runs) + 1}"
        self.event(told.run, "WORKFLOW_EXECUTION_CONTINUED_AS_NEW", newExecutionRunId=following)
        told.run = self._new_run(program, told.run.workflow_id)

    def _ends(
        self, told: Sequel, program: SagaProgram, plan: Mapping[Any, list[str]], end: str
    ) -> None:
        if end == "canceled":
            self.event(told.run, "WORKFLOW_EXECUTION_CANCEL_REQUESTED")
            self._compensate(told, program, plan)
        if end != "open":
            how = {"": "COMPLETED"}.get(end, end.upper().replace(" ", "_"))
            steps = [{"step": step, "result": each} for step, each in told.results.items()]
            answer = {"saga_id": told.saga_id, "outcome": "completed", "steps": steps}
            said = {"result": payloads(answer)} if how == "COMPLETED" else {}
            self.event(told.run, f"WORKFLOW_EXECUTION_{how}", **said)

    def _compensate(
        self, told: Sequel, program: SagaProgram, plan: Mapping[Any, list[str]], unknown: int = 0
    ) -> None:
        for number in sorted({*told.results, *([unknown] if unknown else [])}, reverse=True):
            node = program.nodes[number]
            assert isinstance(node, Step)
            self.activity(told, node, number, "compensation", plan)

    def _fails(self, told: Sequel, cause: str, step: int) -> None:
        completed = sorted(n for n in told.results if n >= 0)
        detail = {
            "saga_id": told.saga_id, "outcome": "compensated", "cause": cause, "step": step,
            "completed": completed, "compensated": completed[::-1],
        }  # fmt: skip
        self.event(told.run, "WORKFLOW_EXECUTION_FAILED", **failure("SagaFailed", detail))

    # --- one activity

    def activity(
        self, told: Sequel, node: Step, number: int, direction: str,
        plan: Mapping[Any, list[str]],
    ) -> str:  # fmt: skip
        """All attempts of a step; returns why it failed, or nothing."""
        forward = direction == "forward"
        operation = node.operation if forward else COMPENSATION[node.service, node.operation]
        name = f"{node.service}.{operation}"
        argument = {"saga_id": told.saga_id, "step": number, "direction": direction}
        scheduled = self.event(
            told.run, "ACTIVITY_TASK_SCHEDULED", activityType={"name": name},
            input=payloads(argument),
        )  # fmt: skip
        retry = node.retry if forward else Retry(max_attempts=10)
        outcomes = plan.get((number, direction), ["ok"])
        for attempt, outcome in enumerate(outcomes, start=1):
            if attempt > 1:
                exponent = retry.coefficient ** (attempt - 2)
                self.passes(min(retry.initial_ms * exponent, retry.max_interval_ms))
            cause = self.attempt(told, node, operation, number, direction, attempt, outcome)
        ids = {"scheduledEventId": scheduled["eventId"]}
        self.event(told.run, "ACTIVITY_TASK_STARTED", attempt=len(outcomes), **ids)
        if cause:
            self.event(told.run, "ACTIVITY_TASK_FAILED", **ids, **failure(cause))
            return cause
        result = {"reference": f"{name}-{told.saga_id}", "amount": node.amount, "applied": 1}
        self.event(told.run, "ACTIVITY_TASK_COMPLETED", result=payloads({"result": result}), **ids)
        if forward:
            told.results[number] = result
        return ""

    def attempt(
        self, told: Sequel, node: Step, operation: str, number: int, direction: str,
        attempt: int, outcome: str,
    ) -> str:  # fmt: skip
        """One attempt: the question, and the call if it was allowed; returns why it failed."""
        who: dict[str, Any] = {
            "tenant": told.run.tenant, "saga_id": told.saga_id, "step": number,
            "direction": direction, "workflow_id": told.run.workflow_id,
            "run_id": told.run.run_id, "attempt": attempt,
            "idempotency_key": idempotency_key(told.saga_id, number, direction),
        }  # fmt: skip
        mode = outcome if outcome in ANSWERS else "policy"
        answer = ANSWERS.get(outcome, Answer.DENY if outcome == "deny" else Answer.ALLOW)
        self.asked(who, f"{node.service}.{operation}", node.resource, mode, answer)
        if answer is Answer.DENY:
            return "AuthorizationDenied"
        if answer is Answer.NONE:
            return "AuthorizationUnavailable"
        self.called(who, node, operation, outcome)
        return {
            "fail": "ServiceUnavailable", "lost": "ServiceUnavailable", "refuse": "BusinessFailure",
        }.get(outcome, "")  # fmt: skip

    def asked(
        self, who: Mapping[str, Any], action: str, resource: str, mode: str, answer: Answer
    ) -> None:
        """A decision."""
        self.seq += 1
        received_ns = self.now_ns
        self.add(
            Decision(
                **self.at(), seq=self.seq, received_ns=received_ns, action=action,
                resource=resource, mode=mode, answer=answer, answered_ns=self.now_ns,
                ended_by="us", request=evaluation(who, action, resource), **who,
            )
        )  # fmt: skip

    def called(self, who: Mapping[str, Any], node: Step, operation: str, outcome: str) -> None:
        """An effect, as a service with a sound ledger records it."""
        self.seq += 1
        place = {name: who[name] for name in ("tenant", "saga_id", "step", "direction")}
        known = [e for e in self.all(Effect, **place) if e.disposition is Disposition.APPLIED]
        disposition = {"fail": Disposition.FAILED, "refuse": Disposition.REFUSED}.get(
            outcome, Disposition.SUPPRESSED if known else Disposition.APPLIED
        )
        status = {"fail": 503, "refuse": 422, "lost": 0}.get(outcome, 200)
        name = f"{node.service}.{operation}"
        result = {"reference": f"{name}-{who['saga_id']}", "amount": node.amount, "applied": 1}
        reached = disposition in (Disposition.APPLIED, Disposition.SUPPRESSED)
        if disposition is Disposition.APPLIED:
            account = (who["tenant"], node.service, node.resource)
            moved = quantity(node.amount) * (1 if who["direction"] == "forward" else -1)
            self.held[account] = self.held.get(account, Decimal(0)) + moved
        received_ns = self.now_ns + MS // 2
        times = self.at()
        self.add(
            Effect(
                **times, seq=self.seq, received_ns=received_ns,
                applied_ns=self.now_ns if disposition is Disposition.APPLIED else 0,
                service=node.service, operation=operation, resource=node.resource,
                amount=node.amount, disposition=disposition, status=status,
                result_sha256=result_sha256(result) if reached else "", **who,
            )
        )  # fmt: skip

    # --- histories and audit events

    def event(self, run: Told, type_: str, **attributes: Any) -> Event:
        """The next event of a history."""
        self.passes(1)
        words = type_.lower().split("_")
        name = words[0] + "".join(word.capitalize() for word in words[1:]) + "EventAttributes"
        event = {
            "eventId": str(len(run.events) + 1), "eventTime": timestamp(self.wall_ns),
            "eventType": f"EVENT_TYPE_{type_}", name: attributes,
        }  # fmt: skip
        run.events.append(event)
        return event

    def _history(self, run: Told, raw: bytes) -> History:
        closing = run.events[-1]["eventType"].removeprefix("EVENT_TYPE_WORKFLOW_EXECUTION_")
        return History(
            at_ns=self.now_ns, wall_ns=self.wall_ns, tenant=run.tenant,
            namespace=f"ns-{run.tenant}", workflow_id=run.workflow_id, run_id=run.run_id,
            workflow_type="ReferenceSaga", status=closing, path=run.path, events=len(run.events),
            sha256=hashlib.sha256(raw).hexdigest(),
        )  # fmt: skip

    def emit(
        self, edit: Callable[[Event], Iterable[Event]] = lambda event: [event], lag_ms: float = 50
    ) -> None:
        """Audit events of every history so far, acknowledged, each as `edit` makes it."""
        self.passes(lag_ms)
        for run in self.runs:
            for event in run.events:
                type_ = event["eventType"].removeprefix("EVENT_TYPE_")
                if type_ in AUDITED:
                    for each in edit(audit_event(run, event, type_)):
                        self.deliver(each)

    def deliver(self, event: Event, status: int = 204) -> None:
        """One structured event reaches the sink."""
        self.seq += 1
        self.add(
            AuditEvent(
                **self.at(), seq=self.seq, status=status,
                headers=[("Content-Type", "application/cloudevents+json")],
                body=base64.b64encode(json.dumps(event).encode()).decode(),
            )
        )  # fmt: skip


def evaluation(who: Mapping[str, Any], action: str, resource: str) -> str:
    """The question as the contract has it."""
    kind = action.partition(".")[0]
    names = ("saga_id", "step", "direction")
    return json.dumps(
        {
            "subject": {"type": "tenant", "id": who["tenant"]},
            "action": {"name": action},
            "resource": {"type": kind, "id": resource, "properties": {"tenant": who["tenant"]}},
            "context": {name: who[name] for name in names},
        }
    )


def audit_event(run: Told, event: Event, type_: str) -> Event:
    """The CloudEvent of a history event."""
    return {
        "specversion": "1.0", "id": f"{run.run_id}:{event['eventId']}", "source": "urn:example:c",
        "type": AUDITED[type_], "time": event["eventTime"], "tenantid": run.tenant,
        "datacontenttype": "application/json", "subject": run.workflow_id,
        "data": {
            "tenant": run.tenant, "namespace": f"ns-{run.tenant}",
            "workflow_id": run.workflow_id, "run_id": run.run_id,
            "event_id": int(event["eventId"]), "transition": OUTCOMES[type_],
        },
    }  # fmt: skip


def _matches(record: Record, where: Mapping[str, Any]) -> bool:
    return all(getattr(record, name) == value for name, value in where.items())
