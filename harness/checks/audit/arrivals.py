"""The audit events that reached the sink, out of their raw bytes."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from harness.checks.check import Evidence
from harness.checks.histories import remembered
from harness.cloudevents import Event, Problem, parse
from harness.journal.records import AuditEvent

Key = tuple[str, int]  # run id, event id: one transition


class Received(msgspec.Struct, kw_only=True, gc=False):
    """One event in one request to the sink.

    `index` is its position in the request. `key` is the transition that its data names, None if it
    names none. `arrived_ns` is of the wall clock. `acknowledged`: the sink answered 2xx.
    """

    record: AuditEvent
    index: int
    mode: str
    type: str
    source: str
    id: str
    key: Key | None
    tenants: tuple[str, ...]
    namespace: str
    workflow_id: str
    transition: str
    arrived_ns: int
    acknowledged: bool
    problems: tuple[Problem, ...]

    @property
    def name(self) -> str:
        """What it is, for a witness."""
        run_id, event_id = self.key or ("?", "?")
        return (
            f"{self.type or 'an event without type'} of {'/'.join(self.tenants) or 'no tenant'} "
            f"{self.workflow_id or '?'} run {run_id} event {event_id} (id {self.id or '?'}, "
            f"seq {self.record.seq})"
        )


@remembered(AuditEvent)
def received(evidence: Evidence) -> list[Received]:
    """Every event that reached the sink, in the order of arrival."""
    return [event for record in evidence.of(AuditEvent) for event in _events(record)]


def _events(record: AuditEvent) -> Iterator[Received]:
    for index, event in enumerate(parsed(record)):
        data: Mapping[str, Any] = event.data if isinstance(event.data, dict) else {}
        yield Received(
            record=record,
            index=index,
            mode=event.mode,
            type=_text(event.attributes, "type"),
            source=_text(event.attributes, "source"),
            id=_text(event.attributes, "id"),
            key=_key(data),
            tenants=_tenants(event.attributes, data),
            namespace=_text(data, "namespace"),
            workflow_id=_text(data, "workflow_id"),
            transition=_text(data, "transition"),
            arrived_ns=record.wall_ns,
            acknowledged=200 <= record.status < 300,
            problems=event.problems,
        )


def parsed(record: AuditEvent) -> list[Event]:
    """The events in the bytes of one request."""
    return parse(record.headers, base64.b64decode(record.body))


def _text(members: Mapping[str, Any], name: str) -> str:
    value = members.get(name)
    return value if isinstance(value, str) else ""


def _key(data: Mapping[str, Any]) -> Key | None:
    run_id, event_id = data.get("run_id"), data.get("event_id")
    if not isinstance(run_id, str) or not run_id or isinstance(event_id, bool):
        return None
    if not isinstance(event_id, int | float) or event_id != event_id // 1:
        return None
    return run_id, int(event_id)


def _tenants(attributes: Mapping[str, Any], data: Mapping[str, Any]) -> tuple[str, ...]:
    """The tenants that an event names, in its extension and in its data: one, if all is well."""
    extension, member = _text(attributes, "tenantid"), _text(data, "tenant")
    if extension == member or not member:
        return (extension,) if extension else ()
    return (extension, member) if extension else (member,)


def same_content(one: Received, other: Received) -> bool:
    """Whether two deliveries carry the same event, in whatever mode."""
    return _bytes(one) == _bytes(other) or _content(one) == _content(other)


def _bytes(event: Received) -> tuple[int, str, list[tuple[str, str]]]:
    lines = [
        line for line in event.record.headers if line[0].lower().startswith(("ce-", "content-type"))
    ]
    return event.index, event.record.body, lines


def _content(event: Received) -> tuple[dict[str, str], Any]:
    whole = parsed(event.record)[event.index]
    strings = {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in whole.attributes.items()
    }
    if whole.mode != "binary":
        strings.setdefault("datacontenttype", "application/json")
    return strings, whole.data
