"""Comparing the commands that a worker answers to a task with those that were recorded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from temporalio.api.command.v1 import Command
from temporalio.api.enums.v1 import CommandType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.protocol.v1 import Message
from temporalio.api.update.v1 import Acceptance, Rejection, Response

from harness.journal.records import Difference
from harness.replay.decoded import PATCHES, as_text, opaque, short
from harness.replay.frontend import markers
from harness.replay.frontend.attributes import Attribute
from harness.replay.frontend.table import COMMANDS, MESSAGES, Row
from harness.replay.frontend.tasks import Task, attributes_of, kind_of
from harness.replay.own import Own
from harness.replay.verdicts import ERROR, INFO

_BODIES: Final = {each.DESCRIPTOR.full_name: each for each in (Acceptance, Rejection, Response)}
_ROW_OF: Final[Mapping[str, Row]] = {
    row.event: row for row in (*COMMANDS.values(), *MESSAGES.values()) if row.event
}


@dataclass(slots=True, kw_only=True)
class Compared:
    """What came of one task.

    `ahead` says why the worker has left the recorded path legally (a new patch), `open` what could
    not be judged in it; after either, what follows in the task is not compared, and what the worker
    keeps in its cache is of no use for the next. `made` is the place, among what was recorded, of a
    marker whose value came out otherwise (-1: none).
    """

    differences: list[Difference] = field(default_factory=list)
    compared: int = 0
    ahead: str = ""
    open: str = ""
    made: int = -1

    @property
    def errors(self) -> bool:
        return any(each.severity == ERROR for each in self.differences)


@dataclass(frozen=True, slots=True)
class Answered:
    """One command that a worker answered, seen as the event that would record it."""

    kind: str
    event: str
    row: Row
    attributes: Any

    def is_kind_of(self, event: HistoryEvent) -> bool:
        """Whether the event records such a command."""
        if self.event != kind_of(event):
            return False
        return self.row.which(self.attributes) == self.row.which(attributes_of(event))

    def __str__(self) -> str:
        label = self.row.label(self.attributes)
        return f"{self.event} {label}".rstrip()


class UnknownCommand(Exception):
    """The worker answered a kind of command, message or marker that the table does not know."""


def compare(
    task: Task, commands: Sequence[Command], messages: Sequence[Message], own: Own, known: Known
) -> Compared:
    """Every difference between a task's answer and its record; raises `UnknownCommand`."""
    done = Compared()
    answered = [_answered(command, messages) for command in commands]
    recorded = list(task.recorded)
    at = 0
    while at < len(answered) or recorded:
        given = answered[at] if at < len(answered) else None
        event = recorded[0] if recorded else None
        if event is not None and _left_out(given, event):
            done.differences.append(_other(event, given, INFO))
            recorded = _without_patch(recorded)
            continue
        if given is not None and known.is_new_patch(given, event):
            done.ahead = f"takes a patch that the run did not know: {_named(given)}"
            break
        if given is None or event is None or not given.is_kind_of(event):
            done.differences.append(_other(event, given, ERROR, task))
            break
        done.compared += 1
        done.differences += _attributes(given, event, own, done)
        if done.open:
            if _role(attributes_of(event)) == markers.MADE:
                done.made = len(task.recorded) - len(recorded)
            break
        at += 1
        recorded.pop(0)
    return done


class Known:
    """The patches that a history knows, with what it says of each."""

    def __init__(self, events: Sequence[HistoryEvent]) -> None:
        self._patches: set[str] = set()
        for event in events:
            marker = event.marker_recorded_event_attributes
            if _role(marker) == markers.PATCH:
                self._patches.add(_said(marker))

    def is_new_patch(self, given: Answered, event: HistoryEvent | None) -> bool:
        """Whether a command marks a patch, or a version of one, that the history has not."""
        if given.kind != "RECORD_MARKER" or _role(given.attributes) != markers.PATCH:
            return False
        if event is not None and _same_patch(given.attributes, event):
            return False
        return _said(given.attributes) not in self._patches


def _role(attributes: Any) -> str:
    """What a marker is for; of anything else nothing."""
    row = markers.MARKERS.get(getattr(attributes, "marker_name", ""))
    return row.role if row else ""


def begins_with_made(task: Task) -> bool:
    """Whether a task's first recorded command is a marker whose value is made anew."""
    return bool(task.recorded) and _role(attributes_of(task.recorded[0])) == markers.MADE


def _said(marker: Any) -> str:
    """A patch by its id; a version by its id and number."""
    row = markers.MARKERS[marker.marker_name]
    number = row.content(marker) if marker.marker_name == "Version" else ""
    return f"{row.identity(marker)} {number}".rstrip()


def _same_patch(marker: Any, event: HistoryEvent) -> bool:
    recorded = event.marker_recorded_event_attributes
    return _role(recorded) == markers.PATCH and _said(recorded) == _said(marker)


def _named(given: Answered) -> str:
    return _said(given.attributes)


def _left_out(given: Answered | None, event: HistoryEvent) -> bool:
    """A patch on its way out is recorded, and the new code does not ask for it any more."""
    marker = event.marker_recorded_event_attributes
    if kind_of(event) != "MARKER_RECORDED" or not markers.deprecated(marker):
        return False
    return given is None or given.kind != "RECORD_MARKER" or _said_of(given) != _said(marker)


def _said_of(given: Answered) -> str:
    return _said(given.attributes) if _role(given.attributes) == markers.PATCH else ""


def _without_patch(recorded: list[HistoryEvent]) -> list[HistoryEvent]:
    """Without a patch's marker, and the search attribute that an SDK writes after it."""
    rest = recorded[1:]
    if rest:
        fields = rest[0].upsert_workflow_search_attributes_event_attributes.search_attributes
        if set(fields.indexed_fields) == {PATCHES}:
            return rest[1:]
    return rest


def _answered(command: Command, messages: Sequence[Message]) -> Answered:
    try:
        kind = CommandType.Name(command.command_type).removeprefix("COMMAND_TYPE_")
        row = COMMANDS[kind]
    except (ValueError, KeyError):
        raise UnknownCommand(f"command {command.command_type}") from None
    if kind == "PROTOCOL_MESSAGE":
        return _protocol(command.protocol_message_command_attributes.message_id, messages)
    attributes = getattr(command, str(command.WhichOneof("attributes")))
    if kind == "RECORD_MARKER" and markers.known(attributes) is None:
        raise UnknownCommand(f"marker {attributes.marker_name!r}")
    return Answered(kind, row.event, row, attributes)


def _protocol(message_id: str, messages: Sequence[Message]) -> Answered:
    message = next((each for each in messages if each.id == message_id), None)
    if message is None:
        raise UnknownCommand(f"protocol message {message_id!r}, which it did not send")
    name = message.body.type_url.rpartition("/")[2]
    if name not in MESSAGES:
        raise UnknownCommand(f"protocol message {name}")
    body = _BODIES[name]()
    message.body.Unpack(body)
    return Answered(name, MESSAGES[name].event, MESSAGES[name], body)


def _other(
    event: HistoryEvent | None, given: Answered | None, severity: str, task: Task | None = None
) -> Difference:
    """Another command than the recorded one, or one of them alone."""
    after = task.completed_id if task else 0
    return Difference(
        event_id=event.event_id if event is not None else after,
        attribute="command",
        recorded=_event_named(event) if event is not None else "nothing more",
        replayed=str(given) if given is not None else "nothing more",
        severity=severity,
    )


def _event_named(event: HistoryEvent) -> str:
    kind = kind_of(event)
    label = _ROW_OF[kind].label(attributes_of(event)) if kind in _ROW_OF else ""
    return f"{kind} {label}".rstrip()


def _attributes(
    given: Answered, event: HistoryEvent, own: Own, done: Compared
) -> Iterator[Difference]:
    recorded = attributes_of(event)
    for each in _rows(given, recorded):
        answered = each.command(given.attributes, own)
        was = each.event(recorded, own)
        if (each.only_if_said and not answered) or as_text(answered) == as_text(was):
            continue
        if opaque(answered) or opaque(was):
            done.open = f"event {event.event_id}: its {each.name} is encrypted, or in no known form"
            return
        if each.name == "content" and _role(given.attributes) == markers.MADE:
            done.open = (
                f"event {event.event_id}: {given} was made anew by the worker and came out "
                "otherwise, so what follows in its task is not compared"
            )
            return
        yield Difference(
            event_id=event.event_id,
            attribute=f"{given.event}.{each.name}",
            recorded=short(was),
            replayed=short(answered),
            severity=each.severity,
        )


def _rows(given: Answered, recorded: Any) -> tuple[Attribute, ...]:
    if given.kind == "RECORD_MARKER" and recorded.marker_name == given.attributes.marker_name:
        return markers.attributes_of(given.attributes)
    return given.row.attributes


def unknown_markers(events: Sequence[HistoryEvent]) -> list[str]:
    """Names of markers that are not known: such a history is inconclusive."""
    names = {
        e.marker_recorded_event_attributes.marker_name
        for e in events
        if kind_of(e) == "MARKER_RECORDED"
    }
    return sorted(f"marker {name!r}" for name in names if name not in markers.MARKERS)
