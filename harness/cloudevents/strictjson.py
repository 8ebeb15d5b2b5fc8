"""JSON read as RFC 8259 writes it: no NaN, no byte order mark, and repeated names are noticed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, NamedTuple

_DIGITS: Final = 1000


class NotJson(ValueError):
    """The bytes are no JSON text; the message says why."""


class Read(NamedTuple):
    """A JSON value, the names that repeat on its top level, and those that repeat below it."""

    value: Any
    repeated: tuple[str, ...] = ()
    repeated_below: tuple[str, ...] = ()


class _Repeats(Exception):
    """A name occurs twice in one object: read again, slowly, to say where."""


class _Object(dict[str, Any]):
    """An object some of whose names repeat; the last of them counts."""

    repeated: tuple[str, ...] = ()


def read(body: bytes) -> Read:
    """The JSON value that `body` is, in UTF-8; raises `NotJson`."""
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise NotJson(f"not UTF-8 at byte {error.start}") from None
    try:
        return Read(_decode(text, _FAST))
    except _Repeats:
        return _read_slowly(text)


def _read_slowly(text: str) -> Read:
    found: list[_Object] = []

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = _Object(pairs)
        if len(members) < len(pairs):
            members.repeated = _repeated(pairs)
            found.append(members)
        return members

    value = _decode(text, _decoder(collect))
    top = value.repeated if isinstance(value, _Object) else ()
    below = tuple(name for each in found if each is not value for name in each.repeated)
    return Read(value, top, below)


def _repeated(pairs: list[tuple[str, Any]]) -> tuple[str, ...]:
    counts = Counter(name for name, _ in pairs)
    return tuple(name for name, count in counts.items() if count > 1)


def _decode(text: str, decoder: json.JSONDecoder) -> Any:
    if text.startswith("\ufeff"):
        raise NotJson("it begins with a byte order mark")
    try:
        return decoder.decode(text)
    except NotJson:
        raise
    except json.JSONDecodeError as error:
        raise NotJson(f"{error.msg} at character {error.pos}") from None
    except RecursionError:
        raise NotJson("nested too deeply to be read") from None
    except ValueError:  # a number of thousands of digits, which is JSON all the same
        return _decode(text, _decoder(decoder.object_pairs_hook, _integer))


def _refuse(name: str) -> Any:
    raise NotJson(f"{name} is no JSON")


def _integer(digits: str) -> int:
    """An integer; one that the interpreter refuses to read is beyond all limits anyway."""
    return int(digits) if len(digits) < _DIGITS else 10**_DIGITS


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise _Repeats
    return members


def _decoder(objects: Any, integers: Callable[[str], int] | None = None) -> json.JSONDecoder:
    return json.JSONDecoder(object_pairs_hook=objects, parse_constant=_refuse, parse_int=integers)


_FAST: Final = _decoder(_once)
