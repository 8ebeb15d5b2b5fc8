"""Event data against the event catalogue: one answer for each shape that schemas can tell apart."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import jsonschema
import msgspec

from harness.contract.event_schemas import catalogue

_CLASSED: Final = frozenset({"tenant", "transition", "outcome"})  # their values are constrained
_LARGEST: Final = 2**53 - 1


def misfits(uri: str, data: Mapping[str, Any]) -> tuple[str, ...]:
    """What of an event's data does not fit the schema of that URI; nothing if all does."""
    return _misfits(uri, msgspec.json.encode(_stand_in(data), order="sorted"))


def _stand_in(data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value if name in _CLASSED else _plain(value)
        for name, value in data.items()
        if name in _MEMBERS
    }


def _plain(value: Any) -> Any:
    """A value that every schema of the catalogue takes or refuses as it does the given one."""
    if isinstance(value, str):
        return "x" if value else ""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return 1 if 1 <= value <= _LARGEST else min(max(value, 0), _LARGEST + 1)
    if isinstance(value, float):
        return _plain(int(value)) if value.is_integer() else 0.5
    return [] if isinstance(value, list) else {}


@lru_cache(4096)
def _misfits(uri: str, shape: bytes) -> tuple[str, ...]:
    validator = jsonschema.Draft202012Validator(catalogue()[uri])
    found = validator.iter_errors(msgspec.json.decode(shape))
    return tuple(f"{'/'.join(map(str, e.path)) or 'data'}: {e.message[:120]}" for e in found)


_MEMBERS: Final = frozenset(
    name for schema in catalogue().values() for name in schema["properties"]
)
