"""The rules that an event is judged by: the one table of their ids and levels.

Ids name the document and its section: `CE-` is the core specification, `CE-HTTP-` the HTTP
binding, `CE-JSON-` the JSON format, `CE-EXT-` a documented extension. The core specification does
not number its headings; here required attributes are 3.1, optional ones 3.2, names 3.4, types 3.5,
event data 4 and size limits 5, in the order of the document.

Not judged: the batched mode counts as solicited, because the worker contract offers it.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

Level = Literal["MUST", "SHOULD"]
MUST: Final = "MUST"
SHOULD: Final = "SHOULD"

RULES: Final[dict[str, Level]] = {
    # the attributes that every event has
    "CE-3.1.1-id": MUST,
    "CE-3.1.2-source": MUST,
    "CE-3.1.2-source-uri": MUST,
    "CE-3.1.2-source-absolute": SHOULD,
    "CE-3.1.3-specversion": MUST,
    "CE-3.1.4-type": MUST,
    "CE-3.1.4-type-prefix": SHOULD,
    # the attributes that an event may have
    "CE-3.2.1-datacontenttype": MUST,
    "CE-3.2.2-dataschema": MUST,
    "CE-3.2.3-subject": MUST,
    "CE-3.2.4-time": MUST,
    # names and values of all attributes
    "CE-3.4-name": MUST,
    "CE-3.4-name-data": MUST,
    "CE-3.4-name-length": SHOULD,
    "CE-3.5-type": MUST,
    "CE-3.5-integer": MUST,
    "CE-3.5-string": MUST,
    # data and size
    "CE-4-data": MUST,
    "CE-4-data-duplicate": SHOULD,
    "CE-5-size": SHOULD,
    # header lines
    "CE-HTTP-3.1.1-datacontenttype": MUST,
    "CE-HTTP-3.1.3-duplicate": MUST,
    "CE-HTTP-3.1.3.2-space": MUST,
    "CE-HTTP-3.1.3.2-quote": MUST,
    "CE-HTTP-3.1.3.2-quoted": SHOULD,
    "CE-HTTP-3.1.3.2-ascii": MUST,
    "CE-HTTP-3.1.3.2-percent": MUST,
    "CE-HTTP-3.1.3.2-utf8": MUST,
    "CE-HTTP-3.1.3.2-case": SHOULD,
    "CE-HTTP-3.2.1-format": MUST,
    "CE-HTTP-3.3.2-specversion": MUST,
    # the JSON envelope
    "CE-JSON-3-json": MUST,
    "CE-JSON-3-object": MUST,
    "CE-JSON-3-duplicate": MUST,
    "CE-JSON-3.1-exclusive": MUST,
    "CE-JSON-3.1-base64": MUST,
    "CE-JSON-3.1-string": MUST,
    "CE-JSON-4-array": MUST,
    # extensions that have a form of their own
    "CE-EXT-traceparent": MUST,
}


class Problem(NamedTuple):
    """One rule that an event breaks, and how."""

    rule: str
    level: Level
    text: str


def broken(rule: str, text: str) -> Problem:
    """A problem with the level of its rule."""
    return Problem(rule, RULES[rule], text)


def shown(value: object) -> str:
    """A value as it stands in a problem's text: at most about 80 characters."""
    text = ascii(value[:80]) if isinstance(value, str | bytes) else type(value).__name__
    return text if len(text) <= 100 else f"{text[:97]}..."
