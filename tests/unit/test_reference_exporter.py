"""The reference exporter's parts: what it makes of a history, and what it remembers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import jsonschema
import pytest
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.api.history.v1 import HistoryEvent

from harness.checks.audit.arrivals import digest as digest_of
from harness.cloudevents import parse
from harness.contract.event_schemas import catalogue
from harness.contract.transitions import AUDITED, CHANGES, RESET, SECOND_FAMILY
from scenarios.reference.answer import new_session
from scenarios.reference.audit_event import (
    GENESIS,
    TRANSITIONS,
    Reader,
    Run,
    event_of,
    event_type,
    sealed,
    second_of,
)
from scenarios.reference.cursors import Cursors
from scenarios.reference.exporter import Parts, Settings, Sink
from scenarios.reference.settings import BadEnvironment

RUN = Run(tenant="alpha", namespace="ns-alpha", workflow_id="w-1", run_id="r-1")


def event(number: int, kind: str) -> HistoryEvent:
    made = HistoryEvent(event_id=number, event_type=EventType.Value(f"EVENT_TYPE_{kind}"))
    made.event_time.FromJsonString(f"2026-01-02T03:04:05.{number:09d}Z")
    getattr(made, f"{kind.lower()}_event_attributes").SetInParent()
    return made


def history() -> list[HistoryEvent]:
    """Started, one activity that completes at its second attempt, one that fails, the end."""
    started = event(1, "WORKFLOW_EXECUTION_STARTED")
    attributes = started.workflow_execution_started_event_attributes
    attributes.workflow_type.name = "ReferenceSaga"
    attributes.input.payloads.append(Payload(data=b'{"saga_id": "s-1"}'))
    events = [started]
    for number, end in ((5, "COMPLETED"), (8, "FAILED")):
        scheduled = event(number, "ACTIVITY_TASK_SCHEDULED")
        scheduled.activity_task_scheduled_event_attributes.activity_type.name = "rms.reserve"
        begun = event(number + 1, "ACTIVITY_TASK_STARTED")
        begun.activity_task_started_event_attributes.attempt = 2
        ended = event(number + 2, f"ACTIVITY_TASK_{end}")
        attributes_of_end = getattr(ended, f"activity_task_{end.lower()}_event_attributes")
        attributes_of_end.scheduled_event_id = number
        attributes_of_end.started_event_id = number + 1
        events += [scheduled, begun, ended]
    failure = events[-1].activity_task_failed_event_attributes.failure
    failure.application_failure_info.type = "BusinessFailure"
    last = event(14, "WORKFLOW_EXECUTION_FAILED")
    attributes_of_last = last.workflow_execution_failed_event_attributes
    attributes_of_last.failure.application_failure_info.type = "SagaFailed"
    return [*events, last]


def events_of(pages: list[list[HistoryEvent]], prefix: str = "") -> list[dict[str, Any]]:
    reader = Reader(RUN)
    found = [event_of(t, prefix) for page in pages for t in reader.read(page)]
    assert reader.closed
    return [event for event in found if event is not None]


def test_the_table_is_the_contracts() -> None:
    for name, type_ in {**AUDITED, **CHANGES}.items():
        if name == RESET:
            continue
        kind, outcome = TRANSITIONS[EventType.Value(f"EVENT_TYPE_{name}")]
        assert kind.upper() == name.replace("_", "")
        assert type_ == f"{type_.split('.')[0]}.{outcome}"
    assert len(TRANSITIONS) == len(AUDITED) + len(CHANGES) - 1


@pytest.mark.parametrize("kind", [*AUDITED, *CHANGES])
def test_every_transition_is_an_event_that_fits(kind: str) -> None:
    """Also its twin of the second family; only the last of a run closes it."""
    reader = Reader(RUN)
    [transition] = reader.read(history()[:1])
    if kind != "WORKFLOW_EXECUTION_STARTED":
        [transition] = reader.read([reset() if kind == RESET else event(20, kind)])
    made = event_of(transition, "com.example.")
    assert made is not None
    assert made["type"] == f"com.example.{({**AUDITED, **CHANGES})[kind]}"
    assert made["type"] == f"com.example.{event_type(transition)}"
    twin = second_of(transition, made, "com.example.")
    assert (twin is not None) == (kind in SECOND_FAMILY)
    for each in (made, twin):
        if each is not None:
            assert f"com.example.{each['dataschema'].split(':')[3]}" == each["type"]
            schema = catalogue()[each["dataschema"]]
            jsonschema.Draft202012Validator(schema).validate(each["data"])
    ends = kind in AUDITED and kind.startswith("WORKFLOW") and kind != "WORKFLOW_EXECUTION_STARTED"
    assert reader.closed == ends


def reset() -> HistoryEvent:
    made = event(20, "WORKFLOW_TASK_FAILED")
    attributes = made.workflow_task_failed_event_attributes
    attributes.cause = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW
    return made


def test_another_failed_workflow_task_is_no_transition() -> None:
    assert Reader(RUN).read([event(20, "WORKFLOW_TASK_FAILED")]) == []


def test_events_are_chained_as_the_contract_says() -> None:
    """The check computes the same digest from the bytes, in both modes."""
    first = sealed(events_of([history()])[0], GENESIS)
    second = sealed(events_of([history()])[1], first["chainhash"])
    assert second["prevhash"] == first["chainhash"]
    for each in (first, second):
        [read] = parse(
            [("Content-Type", "application/cloudevents+json")], json.dumps(each).encode()
        )
        assert digest_of(read) == each["chainhash"]
        lines = [(f"ce-{n}", v) for n, v in each.items() if n not in ("data", "datacontenttype")]
        body = json.dumps(each["data"], indent=1).encode()
        [read] = parse([("Content-Type", each["datacontenttype"]), *lines], body)
        assert digest_of(read) == each["chainhash"]


def test_an_event_says_what_the_history_says() -> None:
    made = events_of([history()])
    assert [event["id"] for event in made] == ["r-1:1", "r-1:7", "r-1:10", "r-1:14"]
    assert made[2] == {
        "specversion": "1.0",
        "id": "r-1:10",
        "source": "urn:temporal:namespace:ns-alpha",
        "type": "activity.failed",
        "subject": "w-1/r-1",
        "time": "2026-01-02T03:04:05.000000010Z",
        "datacontenttype": "application/json",
        "dataschema": "urn:harness:event:activity.failed:2",
        "tenantid": "alpha",
        "partitionkey": "w-1",
        "sequence": "0000000010",
        "correlationid": "s-1",
        "data": {
            "tenant": "alpha",
            "namespace": "ns-alpha",
            "workflow_id": "w-1",
            "run_id": "r-1",
            "workflow_type": "ReferenceSaga",
            "event_id": 10,
            "transition": "ActivityTaskFailed",
            "outcome": "failed",
            "actor": "temporal",
            "activity_type": "rms.reserve",
            "attempt": 2,
            "reason": "BusinessFailure",
        },
    }


def test_pages_make_no_difference() -> None:
    """A repeated delivery has the same content, however the history was cut."""
    whole = history()
    for cut in range(len(whole)):
        assert events_of([whole[:cut], whole[cut:]]) == events_of([whole])


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"null", b'{"saga_id": 7}', b'{"saga_id": "\\ud800\\n"}', b"[" * 100_000]
)
def test_an_input_of_another_shape_has_no_saga(data: bytes) -> None:
    started = event(1, "WORKFLOW_EXECUTION_STARTED")
    started.workflow_execution_started_event_attributes.input.payloads.append(Payload(data=data))
    [transition] = Reader(RUN).read([started])
    made = event_of(transition, "")
    assert made is not None
    assert made["correlationid"] == "w-1"


def test_cursors_outlive_the_process_and_never_go_back(tmp_path: Path) -> None:
    with Cursors(tmp_path / "state") as cursors:
        cursors.save("ns", "w", "r-1", 7, head="seven", closed=False)
        cursors.save("ns", "w", "r-2", 9, head="nine", closed=True)
        cursors.save("ns", "w", "r-1", 5, head="five", closed=False)
    with Cursors(tmp_path / "state") as cursors:
        assert cursors.exported("ns", "r-1") == (7, "seven")
        assert cursors.exported("other", "r-1") == (0, "")
        assert cursors.closed("ns", ["r-1", "r-2", "r-3"]) == {"r-2"}
        assert cursors.unfinished("ns") == [("w", "r-1")]


async def test_an_event_is_delivered_until_it_is_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scenarios.reference.exporter.BACKOFF_S", (0.0,))
    delivered: list[Mapping[str, Any]] = []

    async def third_time(http: aiohttp.ClientSession, url: str, event: Mapping[str, Any]) -> bool:
        delivered.append(event)
        return len(delivered) % 3 == 0

    settings = Settings.from_environment(ENVIRONMENT | {"HARNESS_EXPORTER_STATE": str(tmp_path)})
    [transition] = Reader(RUN).read(history()[:1])
    async with new_session() as http:
        head = await Sink(settings, Parts(deliver=third_time), http).put(transition, "")
    made = event_of(transition, "")
    assert made is not None
    twin = second_of(transition, made, "")
    assert twin is not None
    first = sealed(twin, GENESIS)
    second = sealed(made, first["chainhash"])
    assert delivered == [first] * 3 + [second] * 3
    assert head == second["chainhash"]


ENVIRONMENT = {
    "TEMPORAL_ADDRESS": "127.0.0.1:7233",
    "HARNESS_TENANTS": '[{"tenant": "a", "namespace": "n", "task_queue": "q"}]',
    "HARNESS_AUDIT_URL": "http://127.0.0.1:1/",
}


def test_all_problems_of_the_environment_are_told_at_once() -> None:
    with pytest.raises(BadEnvironment) as raised:
        Settings.from_environment({"HARNESS_TENANTS": "[{}]", "REFERENCE_READ_EVERY_MS": "0"})
    told = str(raised.value).splitlines()
    assert [problem.split()[0].strip(":") for problem in told] == [
        "TEMPORAL_ADDRESS",
        "HARNESS_TENANTS",
        "HARNESS_AUDIT_URL",
        "HARNESS_EXPORTER_STATE",
        "REFERENCE_READ_EVERY_MS",
    ]
