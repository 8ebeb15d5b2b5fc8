"""A trial of many records, as a load of four-step sagas would leave it."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import msgspec

from harness import __version__
from harness.contract.program import SagaProgram, step, to_json
from harness.journal.manifest import JOURNAL, Manifest, file_entry, write_manifest
from harness.journal.records import (
    Answer,
    AuditEvent,
    Decision,
    Disposition,
    Effect,
    Ending,
    History,
    Operation,
    Part,
    Program,
    Replay,
    Subject,
)
from harness.journal.write import SegmentWriter

STEPS = 4
WITH_HISTORY = 20  # one saga in so many has its history exported
START_NS = 1_700_000_000_000_000_000


def write_great_trial(folder: Path, records: int) -> int:
    """Write a sealed trial with at least so many records; returns how many."""
    for name in (JOURNAL, "histories", "samples"):
        (folder / name).mkdir(parents=True)
    written = 0
    with SegmentWriter(folder / JOURNAL, "doubles", "great") as segment:
        for subject in (Subject.WORKER, Subject.EXPORTER, Subject.ENGINE, Subject.DEPLOYMENT):
            segment.write(Part(at_ns=0, wall_ns=START_NS, subject=subject, ours=True, name="x"))
            written += 1
        saga = 0
        while written < records:
            written += _saga(folder, segment, saga)
            saga += 1
    path = folder / JOURNAL / "doubles.jsonl"
    write_manifest(
        folder,
        Manifest(
            trial_id="great",
            arm="verify",
            profile="core",
            harness=__version__,
            started_wall_ns=START_NS,
            ended_wall_ns=START_NS + 10**15,
            ended="complete",
            tenants={"alpha": "alpha", "beta": "beta"},
            files=[file_entry(folder, path, written)],
        ),
    )
    return written


def _saga(folder: Path, segment: SegmentWriter, number: int) -> int:
    """One saga in one of two tenants: program, operations, decisions, effects, events."""
    tenant = ("alpha", "beta")[number % 2]
    saga_id, workflow_id, run_id = f"s-{number}", f"great/{number}", f"run-{number:08d}"
    at_ns = number * 1_000_000
    times = {"at_ns": at_ns, "wall_ns": START_NS + at_ns}
    about = {"tenant": tenant, "workflow_id": workflow_id, "run_id": run_id}
    program = SagaProgram(
        tenant=tenant, saga_id=saga_id, nodes=[step(n, f"item-{n}") for n in range(STEPS)]
    )
    segment.write(
        Program(
            **times, suite="great", case=str(number), tenant=tenant, group="calm",
            workflow_id=workflow_id, saga_id=saga_id, task_queue="q",
            feeds=["INV-PDP-1", "DUR-5", "INV-IDEM-1"], program=to_json(program),
        )
    )  # fmt: skip
    events = _events(tenant, saga_id, workflow_id)
    for name in ("start", "result"):
        segment.write(
            Operation(
                **times, name=name, suite="great", case=str(number), ending=Ending.OK,
                status="OK", invoked_ns=at_ns, **about,
            )
        )  # fmt: skip
    for n in range(STEPS):
        _step(segment, program, n, number, times, about)
    audited = [
        e
        for e in events
        if e["eventType"].endswith(("_STARTED", "_COMPLETED"))
        and "TASK_STARTED" not in e["eventType"]
        and "WORKFLOW_TASK" not in e["eventType"]
    ]
    for n, event in enumerate(audited):
        segment.write(_audit(event, number * 100 + n, times, about))
    more = 0
    if number % WITH_HISTORY == 0:
        _history(folder, segment, number, events, times, about)
        more = 2
    return 3 + 2 * STEPS + len(audited) + more


def _step(segment, program, n, number, times, about) -> None:  # type: ignore[no-untyped-def]
    node = program.nodes[n]
    key = f"{program.saga_id}:{n}:forward"
    common = {
        "saga_id": program.saga_id, "step": n, "direction": "forward", "attempt": 1,
        "idempotency_key": key, "resource": node.resource, **about,
    }  # fmt: skip
    seq = number * 100 + 2 * n
    segment.write(
        Decision(
            **times, seq=seq, received_ns=times["at_ns"], answered_ns=times["at_ns"],
            action=f"{node.service}.{node.operation}", mode="policy", answer=Answer.ALLOW,
            request_id=f"{number}-{n}", ended_by="us", **common,
        )
    )  # fmt: skip
    segment.write(
        Effect(
            **times, seq=seq + 1, received_ns=times["at_ns"], applied_ns=times["at_ns"],
            service=node.service, operation=node.operation, amount="1",
            disposition=Disposition.APPLIED, status=200,
            result_sha256=hashlib.sha256(key.encode()).hexdigest(), **common,
        )
    )  # fmt: skip


def _events(tenant: str, saga_id: str, workflow_id: str) -> list[dict]:  # type: ignore[type-arg]
    """The history of a completed saga, in Temporal's JSON form."""
    moment = "2023-11-14T22:13:20.000000001Z"
    kinds = [
        (
            "WORKFLOW_EXECUTION_STARTED",
            {"workflowType": {"name": "ReferenceSaga"}, "taskQueue": {"name": "q"}},
        )
    ]
    for n in range(STEPS):
        kinds += [
            ("WORKFLOW_TASK_SCHEDULED", {}),
            ("WORKFLOW_TASK_STARTED", {}),
            ("WORKFLOW_TASK_COMPLETED", {"identity": "worker"}),
            (
                "ACTIVITY_TASK_SCHEDULED",
                {
                    "activityId": str(n),
                    "activityType": {"name": "x"},
                    "input": _payload({"saga_id": saga_id, "step": n}),
                },
            ),
            ("ACTIVITY_TASK_STARTED", {"scheduledEventId": str(5 * n + 5), "attempt": 1}),
            ("ACTIVITY_TASK_COMPLETED", {"scheduledEventId": str(5 * n + 5)}),
        ]
    kinds += [("WORKFLOW_EXECUTION_COMPLETED", {"result": _payload({"saga_id": saga_id})})]
    return [
        {"eventId": str(number), "eventTime": moment, "eventType": f"EVENT_TYPE_{kind}",
         f"{kind.lower()}EventAttributes": attributes}
        for number, (kind, attributes) in enumerate(kinds, start=1)
    ]  # fmt: skip


def _payload(value: dict) -> dict:  # type: ignore[type-arg]
    data = base64.b64encode(json.dumps(value).encode()).decode()
    return {"payloads": [{"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": data}]}


def _audit(event: dict, seq: int, times: dict, about: dict) -> AuditEvent:  # type: ignore[type-arg]
    words = event["eventType"].removeprefix("EVENT_TYPE_").split("_")
    transition = "".join(word.capitalize() for word in words)
    kind = f"{'activity' if words[0] == 'ACTIVITY' else 'workflow'}.{words[-1].lower()}"
    body = {
        "specversion": "1.0", "type": kind, "source": f"urn:temporal:namespace:{about['tenant']}",
        "id": f"{about['run_id']}:{event['eventId']}", "time": event["eventTime"],
        "subject": f"{about['workflow_id']}/{about['run_id']}", "tenantid": about["tenant"],
        "datacontenttype": "application/json",
        "data": {"namespace": about["tenant"], "event_id": int(event["eventId"]),
                 "transition": transition, "outcome": words[-1].lower(),
                 "workflow_type": "ReferenceSaga", **about},
    }  # fmt: skip
    return AuditEvent(
        **times, seq=seq, status=204,
        headers=[("Content-Type", "application/cloudevents+json")],
        body=base64.b64encode(msgspec.json.encode(body)).decode(),
    )  # fmt: skip


def _history(folder, segment, number, events, times, about) -> None:  # type: ignore[no-untyped-def]
    raw = msgspec.json.encode({"events": events})
    path = f"histories/{number}.json"
    (folder / path).write_bytes(raw)
    segment.write(
        History(
            **times, namespace=about["tenant"], workflow_type="ReferenceSaga", status="COMPLETED",
            path=path, events=len(events), sha256=hashlib.sha256(raw).hexdigest(), **about,
        )
    )  # fmt: skip
    segment.write(Replay(**times, mode="strict", ending=Ending.OK, **about))
