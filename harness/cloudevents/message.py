"""One HTTP request to the events in it: the content mode, the envelope, the data."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from harness.cloudevents import header, strictjson
from harness.cloudevents.attributes import attribute_problems
from harness.cloudevents.rules import MUST, Problem, broken, shown
from harness.cloudevents.syntax import declares_json, is_media_type

BINARY: Final = "binary"
STRUCTURED: Final = "structured"
BATCHED: Final = "batched"
_SIZE_LIMIT: Final = 64 * 1024
_JSON: Final = "application/json"
_NO_ATTRIBUTES: Final = frozenset({"data", "data_base64"})


class Event(NamedTuple):
    """One event as it was sent.

    `attributes` are those that are set, decoded, as strings, integers and booleans (and whatever
    else a sender wrote there). `data` is the JSON value where the data is JSON, else bytes or a
    string, or None where there is none or it cannot be read.
    """

    mode: str
    attributes: dict[str, Any]
    data: Any = None
    problems: tuple[Problem, ...] = ()

    @property
    def valid(self) -> bool:
        """Whether no rule of level MUST is broken."""
        return all(problem.level != MUST for problem in self.problems)


def parse(headers: Sequence[tuple[str, str]], body: bytes) -> list[Event]:
    """The events of one request. A message that cannot be read is one event with that problem.

    `headers` are the lines as received, each byte a character (Latin-1). A batch without events
    gives none.
    """
    media_type, twice = header.content_type(headers)
    lower = (media_type or "").lower()
    if lower.startswith("application/cloudevents-batch"):
        return _with(twice, _batched(lower, body))
    if lower.startswith("application/cloudevents"):
        return _with(twice, [_structured(lower, body)])
    return _with(twice, [_binary(headers, media_type, body)])


def _with(problems: list[Problem], events: list[Event]) -> list[Event]:
    if not problems:
        return events
    return [event._replace(problems=(*problems, *event.problems)) for event in events]


def _binary(headers: Sequence[tuple[str, str]], media_type: str | None, body: bytes) -> Event:
    attributes, problems = header.attributes(headers)
    if media_type is not None:
        attributes["datacontenttype"] = media_type
    problems += attribute_problems(attributes)
    data: Any = body or None
    if body and declares_json(media_type or ""):
        data, wrong = _json_data(body)
        problems += wrong
    size = len(body) + sum(len(name) + len(value) for name, value in headers)
    return Event(BINARY, attributes, data, (*problems, *_size_problems(size)))


def _size_problems(size: int) -> tuple[Problem, ...]:
    if size <= _SIZE_LIMIT:
        return ()
    return (broken("CE-5-size", f"{size} bytes, and not every receiver takes more than 64 KiB"),)


def _json_data(body: bytes) -> tuple[Any, list[Problem]]:
    try:
        read = strictjson.read(body)
    except strictjson.NotJson as error:
        return None, [broken("CE-4-data", f"the data is declared to be JSON and is not: {error}")]
    return read.value, _repeated_in_data(*read.repeated, *read.repeated_below)


def _repeated_in_data(*names: str) -> list[Problem]:
    if not names:
        return []
    return [broken("CE-4-data-duplicate", f"the data has {shown(names[0])} twice in one object")]


def _structured(lower: str, body: bytes) -> Event:
    read, wrong = _envelope(lower, "application/cloudevents+json", body)
    if wrong:
        return Event(STRUCTURED, {}, None, tuple(wrong))
    event = _from_json(STRUCTURED, read.value, read.repeated)
    more = (*_repeated_in_data(*read.repeated_below), *_size_problems(len(body)))
    return event._replace(problems=(*event.problems, *more)) if more else event


def _envelope(lower: str, expected: str, body: bytes) -> tuple[strictjson.Read, list[Problem]]:
    nothing = strictjson.Read(None)
    if lower.partition(";")[0].strip() != expected:
        text = f"{shown(lower)} is no event format that can be read, which is {expected}"
        return nothing, [broken("CE-HTTP-3.2.1-format", text)]
    try:
        return strictjson.read(body), []
    except strictjson.NotJson as error:
        return nothing, [broken("CE-JSON-3-json", f"the body is no JSON: {error}")]


def _batched(lower: str, body: bytes) -> list[Event]:
    read, wrong = _envelope(lower, "application/cloudevents-batch+json", body)
    if not wrong and not isinstance(read.value, list):
        wrong = [broken("CE-JSON-4-array", f"a batch is an array, not {shown(read.value)}")]
    if wrong:
        return [Event(BATCHED, {}, None, tuple(wrong))]
    events = [_from_json(BATCHED, value, getattr(value, "repeated", ())) for value in read.value]
    at_top = {name for value in read.value for name in getattr(value, "repeated", ())}
    below = [name for name in read.repeated_below if name not in at_top]
    mean_size = len(body) // max(1, len(events))
    common = [*_repeated_in_data(*below), *_one_version(events), *_size_problems(mean_size)]
    return _with(common, events)


def _one_version(events: list[Event]) -> list[Problem]:
    versions = {str(event.attributes.get("specversion")) for event in events}
    if len(versions) <= 1:
        return []
    text = f"the events of one batch have {len(versions)} specversions"
    return [broken("CE-HTTP-3.3.2-specversion", text)]


def _from_json(mode: str, value: Any, repeated: Sequence[str]) -> Event:
    if not isinstance(value, dict):
        text = f"an event is an object, not {shown(value)}"
        return Event(mode, {}, None, (broken("CE-JSON-3-object", text),))
    problems = [
        broken("CE-JSON-3-duplicate", f"the member {shown(name)} is there twice")
        for name in repeated
    ]
    attributes = {
        name: member
        for name, member in value.items()
        if member is not None and name not in _NO_ATTRIBUTES
    }
    data, wrong = _data_in_json(value, attributes.get("datacontenttype", _JSON))
    return Event(mode, attributes, data, (*problems, *attribute_problems(attributes), *wrong))


def _data_in_json(members: Mapping[str, Any], media_type: Any) -> tuple[Any, list[Problem]]:
    known = isinstance(media_type, str) and is_media_type(media_type)
    is_json = known and declares_json(media_type)
    if members.get("data_base64") is not None:
        return _data_in_base64(members, is_json=is_json)
    data = members.get("data")
    if data is None or isinstance(data, str) or is_json or not known:
        return data, []
    text = f"data of type {shown(media_type)} is no string but {shown(data)}"
    return data, [broken("CE-JSON-3.1-string", text)]


def _data_in_base64(members: Mapping[str, Any], *, is_json: bool) -> tuple[Any, list[Problem]]:
    problems = []
    if "data" in members:
        text = "data and data_base64 are both there"
        problems.append(broken("CE-JSON-3.1-exclusive", text))
    try:
        data = base64.b64decode(members["data_base64"], validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        text = f"data_base64 is no base64: {error}"
        return None, [*problems, broken("CE-JSON-3.1-base64", text)]
    if not is_json:
        return data, problems
    value, wrong = _json_data(data)
    return value, [*problems, *wrong]
