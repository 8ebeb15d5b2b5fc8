"""Events from JSON are the same as by protobuf's own way, whatever is in them."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from harness.replay.events import event_of

DEEPEST = 4
KINDS = [
    field.name for field in HistoryEvent.DESCRIPTOR.fields if field.name.endswith("attributes")
]
STARTED: dict[str, Any] = {
    "eventId": "1",
    "eventTime": "2026-01-02T03:04:05.000000006Z",
    "eventType": "EVENT_TYPE_WORKFLOW_EXECUTION_STARTED",
}


def by_protobuf(given: dict[str, Any]) -> HistoryEvent:
    return ParseDict(given, HistoryEvent(), ignore_unknown_fields=True)


def fill(message: Any, descriptor: Descriptor, depth: int = 0) -> None:
    """Something in every field, down to some depth; of fields that exclude each other the last."""
    for number, field in enumerate(descriptor.fields, 2):
        kind = field.message_type
        if kind is not None and kind.GetOptions().map_entry:
            if kind.fields_by_name["value"].message_type is not None:
                fill(
                    getattr(message, field.name)["k"], kind.fields_by_name["value"].message_type, 9
                )
            else:
                getattr(message, field.name)["k"] = scalar(kind.fields_by_name["value"], number)
        elif kind is not None and kind.full_name.endswith((".Any", "Empty")):
            continue
        elif kind is not None and depth < DEEPEST:
            part = getattr(message, field.name)
            part = part.add() if field.is_repeated else part
            part.SetInParent()
            fill(part, kind, depth + 1)
        elif kind is None and field.is_repeated:
            getattr(message, field.name).extend([scalar(field, number)] * 2)
        elif kind is None:
            setattr(message, field.name, scalar(field, number))


def scalar(field: FieldDescriptor, number: int) -> Any:
    if field.enum_type is not None:
        return field.enum_type.values[-1].number
    if field.type == FieldDescriptor.TYPE_BYTES:
        return b"\xff\x00" + b"x" * number
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return "é" * number
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return True
    return number


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_with_everything_in_it_is_read_the_same(kind: str) -> None:
    event = HistoryEvent(event_id=7, event_type=EventType.EVENT_TYPE_TIMER_FIRED)
    event.event_time.FromNanoseconds(1_767_323_045_000_000_006)
    event.user_metadata.summary.data = b"told"
    fill(getattr(event, kind), HistoryEvent.DESCRIPTOR.fields_by_name[kind].message_type)
    given = MessageToDict(event)
    assert event_of(given) == by_protobuf(given) == event
    assert event_of(MessageToDict(event, preserving_proto_field_name=True)) == event


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"unknown": {"a": 1}},
        {"eventTime": "2026-01-02T03:04:05Z"},
        {"eventTime": "2026-01-02T03:04:05.25+02:00"},
        {"eventTime": None},
        {"eventId": 12},
        {"eventType": 10},
        {"timerStartedEventAttributes": {"startToFireTimeout": "0.5s"}},
        {"timerStartedEventAttributes": {"startToFireTimeout": "-1.5s"}},
        {"timerStartedEventAttributes": {}},
        {"workflowTaskFailedEventAttributes": {"cause": "WORKFLOW_TASK_FAILED_CAUSE_NEWER"}},
        {"markerRecordedEventAttributes": {"details": {"a": {"payloads": [{"data": "_-8="}]}}}},
        {"markerRecordedEventAttributes": {"details": {"a": {"payloads": [{"data": "/+8"}]}}}},
    ],
)
def test_what_is_unusual_is_read_as_protobuf_reads_it(more: dict[str, Any]) -> None:
    given = {**STARTED, **more}
    assert event_of(given) == by_protobuf(given)


@pytest.mark.parametrize(
    "more", [{"eventId": "seven"}, {"eventTime": "soon"}, {"timerFiredEventAttributes": [1]}]
)
def test_what_cannot_be_read_is_refused_as_by_protobuf(more: dict[str, Any]) -> None:
    with pytest.raises(ParseError):
        event_of({**STARTED, **more})
