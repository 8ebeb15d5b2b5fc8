"""What the doubles find wrong with a request's headers and with its AuthZEN body."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.doubles.authzen import contract_problems, read_question
from harness.doubles.claims import Claims, ClaimsReader, Fresh, trace_id
from harness.doubles.http import Request

TRACE = trace_id("alpha", "s-1")
RIGHT = {
    "X-Tenant": "alpha",
    "X-Saga-Id": "s-1",
    "X-Saga-Step": "0",
    "X-Saga-Direction": "forward",
    "X-Workflow-Id": "w-1",
    "X-Workflow-Run-Id": "r-1",
    "X-Attempt": "1",
    "Idempotency-Key": "s-1:0:forward",
    "X-Request-ID": "q-1",
    "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01",
    "Content-Type": "application/json; charset=utf-8",
}
QUESTION: dict[str, Any] = {
    "subject": {"type": "tenant", "id": "alpha"},
    "action": {"name": "rms.reserve"},
    "resource": {"type": "rms", "id": "room-7", "properties": {"tenant": "alpha"}},
    "context": {"saga_id": "s-1", "step": 0, "direction": "forward"},
}


def claims(reader: ClaimsReader | None = None, **changed: str) -> Claims:
    lines = {
        name: changed.get(name.lower().replace("-", "_"), value) for name, value in RIGHT.items()
    }
    headers = [(name, value) for name, value in lines.items() if value]
    fields = {name.lower(): value for name, value in headers}
    request = Request(headers=headers, fields=fields, received_ns=0)
    return (reader or ClaimsReader()).read(request)


def test_right_headers_have_no_problems() -> None:
    right = claims()
    assert right.problems == []
    assert (right.tenant, right.saga_id, right.step, right.attempt) == ("alpha", "s-1", 0, 1)


@pytest.mark.parametrize("name", RIGHT)
def test_each_missing_header_is_named(name: str) -> None:
    missing = claims(**{name.lower().replace("-", "_"): ""})
    assert missing.missing == [f"{name}: missing"]
    assert f"{name}: missing" in missing.problems


@pytest.mark.parametrize(
    ("header", "value", "problem"),
    [
        ("x_saga_step", "one", "X-Saga-Step: 'one' is no number"),
        ("x_saga_step", "1", "Idempotency-Key: 's-1:0:forward', should be 's-1:1:forward'"),
        ("x_saga_direction", "back", "X-Saga-Direction: 'back' is neither"),
        ("x_attempt", "0", "X-Attempt: 0"),
        ("x_attempt", "-1", "X-Attempt: '-1' is no number"),
        ("idempotency_key", "r-1/5", "Idempotency-Key: 'r-1/5', should be 's-1:0:forward'"),
        ("traceparent", f"01-{TRACE}-00f067aa0ba902b7-01", "traceparent: "),
        ("traceparent", f"00-{TRACE}-{'0' * 16}-01", "traceparent: the span id is zero"),
        ("traceparent", f"00-{TRACE.upper()}-00f067aa0ba902b7-01", "traceparent: "),
        ("traceparent", f"00-{'1' * 32}-00f067aa0ba902b7-01", "traceparent: trace id"),
        ("content_type", "text/plain", "Content-Type: 'text/plain' is not JSON"),
    ],
)
def test_each_wrong_header_is_named(header: str, value: str, problem: str) -> None:
    assert any(found.startswith(problem) for found in claims(**{header: value}).problems)


def test_request_and_span_ids_are_used_once() -> None:
    reader = ClaimsReader()
    claims(reader)
    assert [problem.partition(":")[0] for problem in claims(reader).problems] == [
        "X-Request-ID",
        "traceparent",
    ]


def test_a_header_given_twice_is_named() -> None:
    headers = [*RIGHT.items(), ("x-tenant", "beta")]
    fields = {name.lower(): value for name, value in RIGHT.items()}
    read = ClaimsReader().read(Request(headers=headers, fields=fields, received_ns=0))
    assert read.problems == ["x-tenant: given twice"]
    assert read.tenant == "alpha"


def test_only_the_last_values_are_remembered() -> None:
    fresh = Fresh()
    assert all(fresh.is_new(str(number)) for number in range(100_001))
    assert fresh.is_new("0")
    assert not fresh.is_new("100000")


def ask(body: Any, kind: str = "application/json") -> list[str]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    question = read_question(data, kind)
    return question.malformed or contract_problems(question, claims())


def test_a_right_question_has_no_problems() -> None:
    assert ask(QUESTION) == []
    assert ask({**QUESTION, "unknown": 1}) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"subject": None}, "subject: not an object"),
        ({"subject": "alpha"}, "subject: not an object"),
        ({"subject": {"type": "tenant"}}, "subject.id: missing"),
        ({"action": {"name": 123}}, "action.name: not a string"),
        ({"action": {}}, "action.name: missing"),
        ({"resource": {"type": "rms", "id": 7}}, "resource.id: not a string"),
        ({"resource": {"type": "rms", "id": "a", "properties": []}}, "resource.properties: not"),
        ({"context": []}, "context: not an object"),
        ({"context": {**QUESTION["context"], "saga_id": "s-2"}}, "context.saga_id: 's-2'"),
        ({"context": {**QUESTION["context"], "step": False}}, "context.step: False"),
        ({"subject": {"type": "tenant", "id": "beta"}}, "subject.id: 'beta', should be 'alpha'"),
        ({"subject": {"type": "user", "id": "alpha"}}, "subject.type: 'user'"),
        ({"action": {"name": "rms.release"}}, "action.name: 'rms.release' is not forward"),
        ({"action": {"name": "read"}}, "action.name: 'read' is no activity"),
        ({"resource": {"type": "rms", "id": "a"}}, "resource.properties.tenant: None"),
    ],
)  # fmt: skip
def test_each_departure_of_a_question_is_named(change: dict[str, Any], problem: str) -> None:
    assert any(found.startswith(problem) for found in ask({**QUESTION, **change}))


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'{"a":NaN}', b"[" * 100_000])
def test_what_is_no_json_object_is_malformed(body: bytes) -> None:
    assert ask(body)[0].startswith("body: ")


def test_another_media_type_is_malformed() -> None:
    assert ask(QUESTION, "text/plain") == ["Content-Type: 'text/plain' is not application/json"]
