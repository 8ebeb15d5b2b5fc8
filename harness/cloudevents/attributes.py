"""The rules on attributes' names and values, which are the same in every mode."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from harness.cloudevents.rules import Problem, broken, shown
from harness.cloudevents.syntax import (
    forbidden_character,
    has_reverse_dns_prefix,
    is_absolute_uri,
    is_media_type,
    is_time,
    is_traceparent,
    is_uri_reference,
)

REQUIRED: Final = {
    "id": "CE-3.1.1-id",
    "source": "CE-3.1.2-source",
    "specversion": "CE-3.1.3-specversion",
    "type": "CE-3.1.4-type",
}
OPTIONAL: Final = {
    "datacontenttype": "CE-3.2.1-datacontenttype",
    "dataschema": "CE-3.2.2-dataschema",
    "subject": "CE-3.2.3-subject",
    "time": "CE-3.2.4-time",
}
_STANDARD: Final = REQUIRED | OPTIONAL
_NAME: Final = re.compile("[a-z0-9]+")
_NAME_LENGTH: Final = 20
_INT32: Final = range(-(2**31), 2**31)

_Rule = tuple[Callable[[str], bool], str, str]
# what the value of an attribute must be; the first rule that is broken counts
_RULES: Final[dict[str, tuple[_Rule, ...]]] = {
    "id": ((bool, "CE-3.1.1-id", "is empty"),),
    "source": (
        (bool, "CE-3.1.2-source", "is empty"),
        (is_uri_reference, "CE-3.1.2-source-uri", "is no URI-reference"),
        (is_absolute_uri, "CE-3.1.2-source-absolute", "is not absolute"),
    ),
    "specversion": (("1.0".__eq__, "CE-3.1.3-specversion", "is not '1.0'"),),
    "type": (
        (bool, "CE-3.1.4-type", "is empty"),
        (has_reverse_dns_prefix, "CE-3.1.4-type-prefix", "has no reverse-DNS prefix"),
    ),
    "datacontenttype": ((is_media_type, "CE-3.2.1-datacontenttype", "is no media type"),),
    "dataschema": ((is_absolute_uri, "CE-3.2.2-dataschema", "is no absolute URI"),),
    "subject": ((bool, "CE-3.2.3-subject", "is empty"),),
    "time": ((is_time, "CE-3.2.4-time", "is no RFC 3339 time"),),
    "traceparent": ((is_traceparent, "CE-EXT-traceparent", "is no W3C trace context"),),
}

# attributes that have the same few values in all events of a producer: what was found is remembered
_ALIKE: Final = frozenset({"source", "specversion", "type", "datacontenttype", "dataschema"})
_REMEMBERED_LENGTH: Final = 512


def attribute_problems(attributes: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with an event's attributes; those that are unset must not be in the mapping."""
    found: list[Problem] = []
    if not attributes.keys() >= REQUIRED.keys():
        missing = [name for name in REQUIRED if name not in attributes]
        found += [broken(REQUIRED[name], f"{name} is missing") for name in missing]
    for name, value in attributes.items():
        if name in _ALIKE and isinstance(value, str) and len(value) <= _REMEMBERED_LENGTH:
            found += _remembered(name, value)
        else:
            found += _problems(name, value)
    return found


@lru_cache(1024)
def _remembered(name: str, value: str) -> Sequence[Problem]:
    return _problems(name, value)


def _problems(name: str, value: Any) -> Sequence[Problem]:
    """What is wrong with one attribute."""
    found = () if name in _STANDARD else _name_problems(name)
    if not isinstance(value, str):
        return (*found, *_not_a_string(name, value))
    if not (value.isascii() and value.isprintable()):
        found = (*found, *_string_problems(name, value))
    for fits, rule, text in _RULES.get(name, ()):
        if not fits(value):
            return (*found, broken(rule, f"{name} {text}: {shown(value)}"))
    return found


@lru_cache(1024)
def _name_problems(name: str) -> tuple[Problem, ...]:
    if name == "data":
        return (broken("CE-3.4-name-data", "no attribute may be named data"),)
    if not _NAME.fullmatch(name):
        return (broken("CE-3.4-name", f"the name {shown(name)} has more than a-z and 0-9"),)
    if len(name) > _NAME_LENGTH:
        return (broken("CE-3.4-name-length", f"{shown(name)} is longer than 20 characters"),)
    return ()


def _not_a_string(name: str, value: object) -> tuple[Problem, ...]:
    rule = _STANDARD.get(name)
    if rule:
        return (broken(rule, f"{name} is no string but {shown(value)}"),)
    if not isinstance(value, int):  # a boolean is one, and in range
        return (broken("CE-3.5-type", f"{shown(name)} is of no attribute type: {shown(value)}"),)
    if value not in _INT32:
        return (broken("CE-3.5-integer", f"{shown(name)} is beyond 32 bits"),)
    return ()


def _string_problems(name: str, value: str) -> tuple[Problem, ...]:
    character = forbidden_character(value)
    if not character:
        return ()
    return (broken("CE-3.5-string", f"{shown(name)} has the character U+{ord(character):04X}"),)
