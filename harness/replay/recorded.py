"""Reading a recorded history: its events as the SDK's own messages, and what it says of itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.json_format import ParseError
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory

from harness.replay.corpus import Entry
from harness.replay.events import event_of

_KINDS: Final = frozenset(EventType.keys())
_PREFIX: Final = "EVENT_TYPE_"
_EARLIER: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")  # kinds were once written ActivityTaskStarted
_RUN_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Unreadable(Exception):
    """A file that is no whole history; the message says why, in one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A history with what it says of itself."""

    entry: Entry
    events: tuple[HistoryEvent, ...]
    workflow_id: str
    run_id: str
    workflow_type: str
    task_queue: str


def read(entry: Entry) -> Recorded:
    """One history; raises `Unreadable`.

    That is: not JSON, cut off, no history, or with kinds of event that a newer server writes.
    """
    try:
        raw = entry.path.read_bytes()
    except OSError as error:
        raise Unreadable(f"cannot be read: {error.strerror}") from None
    given = _events_of(raw)
    _require_known(given)
    try:
        events = _messages(given)
    except (ParseError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise Unreadable(f"no history of Temporal: {_first_line(error)}") from None
    _require_whole(events)
    return _told(entry, events)


def _events_of(raw: bytes) -> list[dict[str, Any]]:
    try:
        given = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Unreadable(_why_not_json(raw, error)) from None
    events = given.get("events") if isinstance(given, Mapping) else None
    if not isinstance(events, list) or not all(isinstance(each, dict) for each in events):
        raise Unreadable("no history: a JSON object with the list `events` is asked")
    if not events:
        raise Unreadable("a history without events")
    return events


def _why_not_json(raw: bytes, error: Exception) -> str:
    if not raw.strip():
        return "an empty file"
    text = raw.strip()
    ends_early = not text.endswith(b"}") or getattr(error, "pos", 0) >= len(text) - 1
    if text.startswith(b"{") and ends_early:
        return f"cut off: the JSON ends in the middle, after {len(raw)} bytes"
    return f"not JSON: {_first_line(error)}"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _require_known(events: Iterable[Mapping[str, Any]]) -> None:
    """Of a history with a kind of event that is not known here nothing can be said."""
    strange = sorted({str(each.get("eventType")) for each in events if not _known(each)})
    if strange:
        names = ", ".join(name.removeprefix(_PREFIX) for name in strange)
        raise Unreadable(f"kinds of event that are not known here (of a newer server?): {names}")


def _known(event: Mapping[str, Any]) -> bool:
    kind = event.get("eventType")
    if isinstance(kind, str):
        return kind in _KINDS or _PREFIX + _EARLIER.sub("_", kind).upper() in _KINDS
    return isinstance(kind, int) and kind in EventType.values()


def _messages(given: list[dict[str, Any]]) -> tuple[HistoryEvent, ...]:
    """Events as messages; the SDK's own way, which is slower, knows how they were once written."""
    if all(str(each.get("eventType")).startswith(_PREFIX) for each in given):
        return tuple(map(event_of, given))
    return tuple(WorkflowHistory.from_json("", {"events": given}).events)


def _require_whole(events: tuple[HistoryEvent, ...]) -> None:
    if not events[0].HasField("workflow_execution_started_event_attributes"):
        raise Unreadable("cut off: its first event is not WORKFLOW_EXECUTION_STARTED")
    for number, event in enumerate(events, 1):
        if event.event_id != number:
            raise Unreadable(
                f"cut off: event {event.event_id} stands where event {number} should be"
            )


def _told(entry: Entry, events: tuple[HistoryEvent, ...]) -> Recorded:
    started = events[0].workflow_execution_started_event_attributes
    return Recorded(
        entry=entry,
        events=events,
        workflow_id=entry.workflow_id or started.workflow_id or entry.path.stem,
        run_id=entry.run_id or _run_id(entry, events),
        workflow_type=started.workflow_type.name,
        task_queue=started.task_queue.name,
    )


def _run_id(entry: Entry, events: tuple[HistoryEvent, ...]) -> str:
    """A run that a reset made is named by it; else the file's name may say, or the start."""
    for event in reversed(events):
        named = event.workflow_task_failed_event_attributes.new_run_id
        if named:
            return named
    if found := _RUN_ID.search(entry.path.name):
        return found[0]
    return events[0].workflow_execution_started_event_attributes.original_execution_run_id
