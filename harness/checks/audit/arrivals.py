"""The audit events that reached the sink, out of their raw bytes."""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypedDict

import msgspec

from harness.checks.audit.schemas import misfits
from harness.checks.check import Evidence
from harness.checks.histories import remembered
from harness.cloudevents import MUST, Event, Problem, parse
from harness.contract.event_schemas import catalogue, older
from harness.journal.records import AuditEvent

_NOT_KEPT: Final = (413, 507)
_SHORT: Final = 80  # longer texts are rarely said twice
Key = tuple[str, int]  # run id, event id: one transition


class Received(msgspec.Struct, kw_only=True, gc=False):
    """One event in one request to the sink.

    `index` is its position in the request. `key` is the transition that its data names, None if it
    names none. `arrived_ns` is of the wall clock. `acknowledged`: the sink answered 2xx. `said` is
    what it tells of who, what, where and why, in the order of `FIELDS`. `intact`: the digest that
    it carries is its own. `misfits` is what does not fit the schema that it names, `old_misfits`
    what does not fit the versions before that; both are empty for a schema that is not known.
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
    time: str
    sequence: str
    said: tuple[str, ...]
    prevhash: str
    chainhash: str
    intact: bool
    dataschema: str
    misfits: tuple[str, ...]
    old_misfits: tuple[str, ...]
    problems: tuple[Problem, ...]

    def says(self, word: str) -> str:
        """What it says of one of `FIELDS`; empty if nothing."""
        place = _PLACES.get(word)
        return "" if place is None else self.said[place]

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
        data: dict[str, Any] = event.data if isinstance(event.data, dict) else {}
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
            time=_text(event.attributes, "time"),
            sequence=_sequence(event.attributes),
            said=_said(event.attributes, data),
            prevhash=_text(event.attributes, "prevhash"),
            chainhash=_text(event.attributes, "chainhash"),
            intact=_intact(event),
            **_fit(_text(event.attributes, "dataschema"), data),
            problems=event.problems,
        )


FIELDS: Final[dict[str, tuple[str, str]]] = {
    "tenant": ("tenantid", "tenant"),
    "actor": ("authid", "actor"),
    "workflow_id": ("", "workflow_id"),
    "run_id": ("", "run_id"),
    "workflow_type": ("", "workflow_type"),
    "version": ("", "workflow_version"),
    "namespace": ("", "namespace"),
    "transition": ("", "transition"),
    "time": ("time", ""),
    "outcome": ("", "outcome"),
    "correlation": ("correlationid", "correlation_id"),
    "reason": ("", "reason"),
    "activity_type": ("", "activity_type"),
}
"""What an event can say: the attribute and the member of its data where it may stand."""


_PLACES: Final = {word: place for place, word in enumerate(FIELDS)}
_WHERE: Final = tuple(FIELDS.values())


def _said(attributes: Mapping[str, Any], data: Mapping[str, Any]) -> tuple[str, ...]:
    found = []
    for attribute, member in _WHERE:
        value = attributes.get(attribute)
        if not value or not isinstance(value, str):
            value = data.get(member)
            if not isinstance(value, str):
                value = ""
        # most are said of many events
        found.append(sys.intern(value) if len(value) < _SHORT else value)
    return tuple(found)


def _sequence(attributes: Mapping[str, Any]) -> str:
    value = attributes.get("sequence")
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _intact(event: Event) -> bool:
    said = event.attributes.get("chainhash")
    return not said or said == digest(event)


def digest(event: Event) -> str:
    """The SHA-256 of an event as the contract chains it: attributes as strings, and data."""
    attributes = {
        name: _as_string(value) for name, value in event.attributes.items() if name != "chainhash"
    }
    attributes.setdefault("datacontenttype", "application/json")
    canonical = {"attributes": attributes, "data": event.data}
    try:
        text = json.dumps(canonical, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()
    except (TypeError, ValueError):
        return ""  # of data that is no JSON


def _as_string(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _fit(uri: str, data: Mapping[str, Any]) -> _Fit:
    if uri not in catalogue():
        return {"dataschema": uri, "misfits": (), "old_misfits": ()}
    before = [f"version {each.rpartition(':')[2]}: {m}" for each in older(uri)
              for m in misfits(each, data)]  # fmt: skip
    return {
        "dataschema": sys.intern(uri),
        "misfits": misfits(uri, data),
        "old_misfits": tuple(before),
    }


class _Fit(TypedDict):
    dataschema: str
    misfits: tuple[str, ...]
    old_misfits: tuple[str, ...]


def parsed(record: AuditEvent) -> list[Event]:
    """The events in the bytes of one request; of one that was too large no byte was kept."""
    if record.status in _NOT_KEPT:
        problem = Problem("CONTRACT-7-size", MUST, "the sink refused it: more bytes than it takes")
        return [Event("unread", {}, None, (problem,))]
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
