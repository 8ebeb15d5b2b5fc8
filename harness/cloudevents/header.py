"""Attributes in header lines: the HTTP binding's binary mode, sections 3.1.1 to 3.1.3."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

from harness.cloudevents.rules import Problem, broken, shown

PREFIX: Final = "ce-"
_PLAIN: Final = re.compile(r"[!#$&-~]*")  # printable, and neither space, quote nor percent
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*+)"', re.DOTALL)
_PAIR: Final = re.compile(r"\\(.)", re.DOTALL)
_ESCAPE: Final = re.compile(rb"%([0-9A-Fa-f]{2})")
_HALF_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_LOWER_ESCAPE: Final = re.compile(r"%(?:[a-f][0-9A-Fa-f]|[0-9A-F][a-f])")


def content_type(headers: Sequence[tuple[str, str]]) -> tuple[str | None, list[Problem]]:
    """The value of Content-Type (None: there is none), and whether it is given twice."""
    values = [value.strip(" \t") for name, value in headers if name.lower() == "content-type"]
    if not values:
        return None, []
    twice = [broken("CE-HTTP-3.1.3-duplicate", "Content-Type is given twice")]
    return values[0], twice if len(values) > 1 else []


def attributes(headers: Sequence[tuple[str, str]]) -> tuple[dict[str, str], list[Problem]]:
    """The attributes in `ce-` header lines, decoded, and what is wrong with the lines."""
    found: dict[str, str] = {}
    problems: list[Problem] = []
    for line_name, line_value in headers:
        name = _attribute_name(line_name)
        if name is None:
            continue
        if name == "datacontenttype":
            text = "ce-datacontenttype is given; Content-Type says it"
            problems.append(broken("CE-HTTP-3.1.1-datacontenttype", text))
        elif name in found:
            text = f"ce-{shown(name)} is given twice"
            problems.append(broken("CE-HTTP-3.1.3-duplicate", text))
        elif _PLAIN.fullmatch(line_value):
            found[name] = line_value
        else:
            found[name], wrong = _decoded(name, line_value.strip(" \t"))
            problems += wrong
    return found, problems


@lru_cache(1024)
def _attribute_name(line_name: str) -> str | None:
    lower = line_name.lower()
    return lower.removeprefix(PREFIX) if lower.startswith(PREFIX) else None


def _decoded(name: str, value: str) -> tuple[str, list[Problem]]:
    """A header value that is not plain, as a receiver must decode it."""
    problems: list[Problem] = []
    quoted = _QUOTED.fullmatch(value)
    if quoted:
        text = f"ce-{name} is a quoted string, as older versions wrote it"
        problems.append(broken("CE-HTTP-3.1.3.2-quoted", text))
        value = _PAIR.sub(r"\1", quoted[1])
    else:
        problems += _unencoded(name, value)
    raw = _ESCAPE.sub(lambda pair: bytes([int(pair[1], 16)]), value.encode("latin-1", "replace"))
    try:
        return raw.decode(), problems
    except UnicodeDecodeError:
        text = f"ce-{name} is not UTF-8 when its percent-encoding is undone: {shown(value)}"
        return raw.decode(errors="replace"), [*problems, broken("CE-HTTP-3.1.3.2-utf8", text)]


def _unencoded(name: str, value: str) -> Iterator[Problem]:
    if " " in value:
        yield broken("CE-HTTP-3.1.3.2-space", f"ce-{name} has a space that is not encoded")
    if '"' in value:
        yield broken("CE-HTTP-3.1.3.2-quote", f"ce-{name} has a quote that is not encoded")
    if any(not " " <= character <= "~" for character in value):
        yield broken("CE-HTTP-3.1.3.2-ascii", f"ce-{name} has a byte that is not printable ASCII")
    if _HALF_ESCAPE.search(value):
        yield broken("CE-HTTP-3.1.3.2-percent", f"ce-{name} has a % without two hex digits")
    elif _LOWER_ESCAPE.search(value):
        yield broken("CE-HTTP-3.1.3.2-case", f"ce-{name} is percent-encoded in lower case")
