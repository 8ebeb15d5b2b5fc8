"""One record of each kind, and the files that two of them name."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from harness.journal.records import (
    Answer,
    AuditEvent,
    Balance,
    Canary,
    Decision,
    Difference,
    Disposition,
    Effect,
    Ending,
    Fault,
    Gauge,
    History,
    LoadRun,
    Log,
    Operation,
    Part,
    Precedent,
    Process,
    Program,
    Record,
    Replay,
    Seed,
    SourceFinding,
    SourceScan,
    Stored,
    Subject,
    Surroundings,
    Tapped,
    Timing,
    Traffic,
)

HISTORY = json.dumps(
    {
        "events": [
            {
                "eventId": "1",
                "eventTime": "2026-01-02T03:04:05Z",
                "eventType": "EVENT_TYPE_WORKFLOW_EXECUTION_STARTED",
                "workflowExecutionStartedEventAttributes": {"attempt": 1},
            }
        ]
    }
).encode()
SAMPLES = b"samples"
LOG = b"it said something"
AT: dict[str, Any] = {"at_ns": 7, "wall_ns": 1_700_000_000_000_000_000}
CALL: dict[str, Any] = {
    "tenant": "alpha",
    "saga_id": "s",
    "step": 1,
    "direction": "forward",
    "workflow_id": "w",
    "run_id": "r",
    "attempt": 2,
    "idempotency_key": "s:1:forward",
}
ONE_OF_EACH: tuple[Record, ...] = (
    Part(**AT, subject=Subject.WORKER, ours=False, name="worker", lacks=["updates"]),
    Process(**AT, role="worker-calm-0", pid=4, event="killed", group="calm"),
    Program(
        **AT,
        suite="s",
        case="c",
        tenant="alpha",
        group="calm",
        workflow_id="w",
        saga_id="s",
        task_queue="q",
        feeds=["DUR-5"],
        program={"nodes": [{"kind": "timer", "duration_ms": 1}]},
    ),
    Operation(
        **AT,
        name="start",
        ending=Ending.INFO,
        invoked_ns=5,
        args={"a": [1, None]},
        result={"b": ""},
    ),
    Decision(
        **AT,
        **CALL,
        seq=1,
        received_ns=6,
        action="rms.reserve",
        resource="item",
        mode="FM-07",
        answer=Answer.NONE,
        problems=["a header is missing"],
    ),
    Effect(
        **AT,
        **CALL,
        seq=2,
        received_ns=6,
        service="rms",
        operation="reserve",
        disposition=Disposition.APPLIED,
        status=200,
    ),
    Balance(
        **AT, tenant="alpha", service="rms", resource="item", opening="10", free="7.5", held="2.5"
    ),
    AuditEvent(**AT, seq=3, headers=[("ce-id", "1"), ("ce-id", "2")], body="e30="),
    History(
        **AT,
        tenant="alpha",
        namespace="alpha",
        workflow_id="w",
        run_id="r",
        workflow_type="ReferenceSaga",
        status="COMPLETED",
        path="histories/alpha/w.r.json",
        events=1,
        sha256=hashlib.sha256(HISTORY).hexdigest(),
    ),
    Tapped(
        **AT,
        rule="s/c/alpha/0",
        link="wire",
        method="RespondActivityTaskCompleted",
        keys=["w"],
        number=1,
        action="refuse",
        status="UNAVAILABLE",
        request_bytes=100,
        received_ns=5,
    ),
    Fault(**AT, fault_id="f", name="cut", target="link", phase="bit", evidence={"drops": 2}),
    Replay(
        **AT,
        mode="strict",
        tenant="alpha",
        workflow_id="w",
        run_id="r",
        ending=Ending.FAIL,
        differences=[
            Difference(event_id=5, attribute="input", recorded="1", replayed="2", severity="error")
        ],
    ),
    Surroundings(**AT, name="east", seen={"cores": "1"}),
    Precedent(
        **AT,
        origin="kept",
        build="b1",
        workflow_id="w",
        run_id="r",
        workflow_type="T",
        closed=True,
        path="precedents/b1/w.json",
        sha256="0" * 64,
    ),
    Seed(**AT, detector="source", name="clock", alarmed=True, said="clock"),
    SourceScan(
        **AT,
        workflows="flows",
        classes=["flows.Saga"],
        functions=3,
        files={"flows.py": "0" * 64},
        findings=[
            SourceFinding(
                rule="pdp-client",
                file="flows.py",
                line=3,
                where="Saga.run",
                uses="requests.post",
                certain=False,
            )
        ],
    ),
    Gauge(**AT, name="open_sagas", value=1.5),
    LoadRun(
        **AT,
        workload="saga",
        mode="open",
        rate_per_s=5.0,
        duration_s=1.0,
        warmup_s=0.0,
        seed=1,
        planned=5,
        sent=5,
        not_sent=0,
        lateness_p99_ns=1,
        lateness_max_ns=1,
        cpu_share=0.1,
        samples="samples/saga.bin",
        rows=5,
        sha256=hashlib.sha256(SAMPLES).hexdigest(),
    ),
    Traffic(
        **AT,
        link=Subject.WORKER,
        stretch="idle",
        to_engine_bytes=10,
        from_engine_bytes=20,
        connections=2,
        open=1,
    ),
    Stored(
        **AT,
        tenant="alpha",
        root="w",
        workflow_id="w",
        run_id="r",
        workflow_type="ReferenceSaga",
        status="COMPLETED",
        history_bytes=5000,
        told_events=29,
        events=29,
        read_bytes=5100,
        activities=4,
    ),
    Canary(**AT, tenant="alpha", position="amount", word="cn0123456789abcdef01234567"),
    Log(
        **AT,
        role="worker-calm-0",
        group="calm",
        path="logs/w.log",
        size_bytes=len(LOG),
        sha256=hashlib.sha256(LOG).hexdigest(),
    ),
    Timing(**AT, what="set-up", seconds=0.25),
)
