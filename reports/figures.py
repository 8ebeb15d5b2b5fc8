"""Numbers and times as people read them; no figure is rounded onto a limit it does not reach."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Mapping
from typing import Any

import msgspec

# The unit at the end of a figure's name, and how it is shown.
_UNITS: Mapping[str, str] = {
    "ms": "ms",
    "ns": "ns",
    "us": "µs",
    "s": "s",
    "per_s": "/s",
    "bytes": "B",
    "share": "%",
    "percent": "%",
    "ratio": "×",
    "days": "days",
    "gb": "GB",
}
_AGES = ((86_400, "day"), (3_600, "h"), (60, "min"), (1, "s"))
LONGEST_TEXT = 2_000
LONGEST_VALUE = 240
MOST_ROWS = 50


class Figure(msgspec.Struct, frozen=True):
    """A measured value: what it is, how it is shown, and its exact value."""

    label: str
    shown: str
    exact: str


def figure(name: str, value: Any) -> Figure:
    """A figure of a verdict; the unit is the end of its name (`p95_ms`, `completed_share`)."""
    label, unit = _split(name)
    return Figure(label, quantity(value, unit), shorten(_plain(value), LONGEST_VALUE))


class Table(msgspec.Struct, frozen=True):
    """A figure that is a list of like rows: what it is, its columns, and the cells."""

    label: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def table(name: str, value: Any) -> Table | None:
    """A figure as a table if it is a list of objects with the same members, else None.

    What is text comes before what is counted.
    """
    if not isinstance(value, list | tuple) or not value or not isinstance(value[0], dict):
        return None
    columns = sorted(value[0], key=lambda name: not isinstance(value[0][name], str))
    if not columns or any(not isinstance(e, dict) or e.keys() != value[0].keys() for e in value):
        return None
    return Table(
        name.replace("_", " "),
        tuple(str(column).replace("_", " ") for column in columns),
        tuple(tuple(quantity(each[column]) for column in columns) for each in value[:MOST_ROWS]),
    )


def quantity(value: Any, unit: str = "") -> str:
    """A value with its unit; shares become percent, anything nested becomes JSON."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return shorten(_plain(value), LONGEST_VALUE)
    if unit == "share":
        return f"{_percent(value)} %"
    sign = _UNITS.get(unit, unit)
    return f"{number(value)} {sign}".rstrip() if sign != "/s" else f"{number(value)}/s"


def number(value: float) -> str:
    """Five significant digits, or as many as show that it is no whole number; thousands apart."""
    if value != value or value in (float("inf"), float("-inf")):
        return str(value)
    if value < 0:
        return f"\N{MINUS SIGN}{number(-value)}"
    if float(value).is_integer() and value < 1e15:
        return f"{int(value):,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    if value >= 10_000:
        return f"{value:,.1f}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    shown = (f"{value:.{digits}g}" for digits in (5, 6, 7, 9, 12, 15))
    return next((text for text in shown if not float(text).is_integer()), repr(value))


def _percent(share: float) -> str:
    """Never 100 for less than all, never 0 for more than nothing."""
    for digits in (5, 7, 9, 12):
        shown = f"{share * 100:.{digits}g}"
        if share in (0, 1) or float(shown) not in (0, 100):
            return shown
    return repr(share * 100)


def _split(name: str) -> tuple[str, str]:
    """Label and unit: `p95_upper_ms` is p95 upper in ms, `share_lower` is share lower in %."""
    label, unit = name, ""
    stem = re.sub(r"_(lower|upper)$", "", name)
    for each in sorted(_UNITS, key=len, reverse=True):
        if name.endswith(f"_{each}"):
            label, unit = name[: -len(each) - 1], each
            break
        if stem == each or stem.endswith(f"_{each}"):
            unit = each
            break
    return label.replace("_", " "), unit


def unit_of(name: str) -> str:
    """The unit in a figure's name, or ""."""
    return _split(name)[1]


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, tuple | list) and all(isinstance(each, str) for each in value):
        return ", ".join(value) or "none"
    return json.dumps(value, ensure_ascii=False, default=str)


def plain(value: Any) -> str:
    """Any declared or recorded value as text."""
    return shorten(_plain(value), LONGEST_TEXT)


def shorten(text: str, longest: int = LONGEST_TEXT) -> str:
    """The text, or its beginning with a note of how much was left out."""
    if len(text) <= longest:
        return text
    return f"{text[:longest]}… ({len(text) - longest} more characters in the trial's folder)"


def moment(wall_ns: int) -> str:
    """A wall time in UTC, to the second; 'unknown' for 0."""
    if not wall_ns:
        return "unknown"
    at = datetime.datetime.fromtimestamp(wall_ns / 1e9, datetime.UTC)
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def age(wall_ns: int, now_wall_ns: int) -> str:
    """How long ago that was, in its greatest unit; 'unknown' for 0."""
    if not wall_ns:
        return "unknown"
    seconds = max(0, now_wall_ns - wall_ns) // 1_000_000_000
    for length, unit in _AGES:
        if (count := seconds // length) >= (2 if length > 1 else 1):
            return f"{count} {unit}{'s' if unit == 'day' else ''}"
    return "just now"


def span(seconds: float) -> str:
    """A duration: 0.8 s, 42 s, 3 min 05 s, 2 h 10 min."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
