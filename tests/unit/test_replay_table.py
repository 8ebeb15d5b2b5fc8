"""The table of how each kind is compared knows every kind that Temporal has."""

from __future__ import annotations

import pytest
from temporalio.api.command.v1 import Command
from temporalio.api.enums.v1 import CommandType, EventType
from temporalio.api.history.v1 import HistoryEvent

from harness.replay.frontend.table import COMMAND, COMMANDS, EVENTS, MESSAGES, UNKNOWN
from harness.replay.frontend.tasks import unknown_kinds

EVENT_KINDS = [name.removeprefix("EVENT_TYPE_") for name in EventType.DESCRIPTOR.values_by_name]
COMMAND_KINDS = [
    name.removeprefix("COMMAND_TYPE_") for name in CommandType.DESCRIPTOR.values_by_name
]
# not compared: what an SDK or the server decides, or what is named by another attribute
LEFT_OUT = {
    "SCHEDULE_ACTIVITY_TASK": {"request_eager_execution", "use_workflow_build_id"},
    "CONTINUE_AS_NEW_WORKFLOW_EXECUTION": {
        "retry_policy",
        "initiator",
        "failure",
        "last_completion_result",
        "cron_schedule",
        "inherit_build_id",
        "initial_versioning_behavior",
    },
    "START_CHILD_WORKFLOW_EXECUTION": {"control", "inherit_build_id", "versioning_override"},
    "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION": {"control"},
    "REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION": {"control"},
    "RECORD_MARKER": {"details", "header", "failure"},
    "PROTOCOL_MESSAGE": {"message_id"},
}
NAMED_OTHERWISE = {
    "REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION": {},
    "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION": {"execution": {"workflow_id", "run_id"}},
}


def test_every_kind_of_event_has_a_row() -> None:
    assert set(EVENTS) == set(EVENT_KINDS)


def test_every_kind_of_command_has_a_row() -> None:
    assert set(COMMANDS) == set(COMMAND_KINDS) - {"UNSPECIFIED"}


@pytest.mark.parametrize("kind", COMMANDS)
def test_a_command_is_recorded_by_an_event_of_the_table(kind: str) -> None:
    event = COMMANDS[kind].event
    assert kind == "PROTOCOL_MESSAGE" or EVENTS[event] == COMMAND


@pytest.mark.parametrize("kind", COMMANDS)
def test_every_field_of_a_command_is_compared_or_left_out_on_purpose(kind: str) -> None:
    field = f"{kind.lower()}_command_attributes"
    fields = {f.name for f in Command.DESCRIPTOR.fields_by_name[field].message_type.fields}
    compared = {each.name for each in COMMANDS[kind].attributes}
    for name, parts in NAMED_OTHERWISE.get(kind, {}).items():
        assert parts <= compared
        compared = compared - parts | {name}
    assert fields - LEFT_OUT.get(kind, set()) == compared


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_of_an_update_is_recorded_by_an_event_of_the_table(name: str) -> None:
    assert MESSAGES[name].event in EVENTS


def test_an_event_of_a_kind_that_is_not_known_is_named() -> None:
    strange = HistoryEvent(event_type=EventType.EVENT_TYPE_ACTIVITY_PROPERTIES_MODIFIED_EXTERNALLY)
    newer = HistoryEvent()
    newer.event_type = 4711  # type: ignore[assignment]
    sound = HistoryEvent(event_type=EventType.EVENT_TYPE_TIMER_FIRED)
    assert unknown_kinds([sound, strange, newer]) == [
        "4711",
        "ACTIVITY_PROPERTIES_MODIFIED_EXTERNALLY",
    ]


def test_only_kinds_that_no_server_writes_are_not_known() -> None:
    assert {kind for kind, role in EVENTS.items() if role == UNKNOWN} == {
        "UNSPECIFIED",
        "WORKFLOW_EXECUTION_UPDATE_REJECTED",
        "WORKFLOW_PROPERTIES_MODIFIED_EXTERNALLY",
        "ACTIVITY_PROPERTIES_MODIFIED_EXTERNALLY",
    }
