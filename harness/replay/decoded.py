"""Recorded values as they are compared: decoded, never as bytes. Shared by both kinds of replay."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

LONGEST: Final = 300  # characters of a value that a difference shows
# What an SDK writes by itself into the search attributes when code asks for a patch.
PATCHES: Final = "TemporalChangeVersion"


_OPAQUE: Final = "not decoded"


def values(payloads: Iterable[Any]) -> list[Any]:
    """Payloads as decoded values; one that is not JSON as its encoding and bytes."""
    return [value(payload) for payload in payloads]


def value(payload: Any) -> Any:
    """A payload as its decoded value."""
    encoding = payload.metadata.get("encoding", b"").decode("utf-8", "replace")
    match encoding:
        case "json/plain" | "json/protobuf":
            try:
                return json.loads(payload.data)
            except ValueError:  # whatever it says of itself
                return {"encoding": encoding, "hex": payload.data.hex()}
        case "binary/null":
            return None
        case "binary/plain" | "binary/protobuf" | "":
            return {"encoding": encoding, "hex": payload.data.hex()}
        case _:
            return {"encoding": encoding, _OPAQUE: payload.data.hex()}


def opaque(given: Any) -> bool:
    """Whether there is a payload in it that cannot be decoded, as an encrypted one: two of the
    same value may differ in their bytes."""
    if isinstance(given, dict):
        return _OPAQUE in given or any(map(opaque, given.values()))
    return isinstance(given, list) and any(map(opaque, given))


def failure_of(failure: Any) -> dict[str, Any]:
    """What tells failures apart: type and details; messages and stack traces are free."""
    info = failure.application_failure_info
    return {"type": info.type, "details": values(info.details.payloads)}


def mapped(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Named payloads (memo, search attributes, headers) as decoded values."""
    return {key: value(payload) for key, payload in sorted(fields.items())}


def seconds(duration: Any) -> float:
    """A duration; one that is not set is 0."""
    return float(duration.seconds + duration.nanos / 1e9)


def as_text(given: Any) -> str:
    """A value as it is compared and shown: as a value, 1 and true would be the same."""
    return given if isinstance(given, str) else json.dumps(given, sort_keys=True, default=str)


def short(given: Any) -> str:
    """The same, cut to what can be shown."""
    text = as_text(given)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
