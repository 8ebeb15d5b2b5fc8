"""YAML with line numbers: a file as plain values, the line of each, and all its problems.

`load` reads a file and `parse` a text into a `Document`; neither raises. What is wrong is a list of
`Problem`, and the caller decides whose error it is. `yaml_fit` makes typed values of a document.

What YAML 1.1 and 1.2 read differently is text here: `yes`, `on`, `012`, `12:30`, and dates as well.
Tags and anchors are refused, for what such a file says must be readable where it stands.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import yaml

Where: TypeAlias = tuple[str | int, ...]

MOST_BYTES = 200_000
DEEPEST = 40
_NULL = re.compile(r"~|null|Null|NULL|")
_BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(
    r"[-+]?(?:(?:0|[1-9][0-9]{0,17})(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,2})?"
)
_WORD = re.compile(r"[\w-]+")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, and where; `line` 0 speaks of the whole file."""

    line: int
    where: Where
    text: str

    def __str__(self) -> str:
        place = f"{shown(self.where)}: " if self.where else ""
        return f"line {self.line}: {place}{self.text}" if self.line else f"{place}{self.text}"


@dataclass(frozen=True, slots=True)
class Document:
    """A file's plain values (dict, list, str, int, float, bool, None) and the line of each."""

    value: Any
    lines: Mapping[Where, int]
    problems: tuple[Problem, ...]

    def problem(self, where: Where, text: str) -> Problem:
        """A complaint about a place; a place that is not in the file has its parent's line."""
        known = where
        while known and known not in self.lines:
            known = known[:-1]
        return Problem(self.lines.get(known, 1), where, text)


def by_line(problems: Iterable[Problem]) -> list[Problem]:
    """Problems in the order in which a reader meets them."""
    return sorted(problems, key=lambda p: (p.line, shown(p.where), p.text))


def shown(where: Where) -> str:
    """A place as it is written in messages: `tenants[1].name`."""
    steps = (f"[{s}]" if isinstance(s, int) else f".{_key(s)}" for s in where)
    return "".join(steps).removeprefix(".")


def load(path: Path) -> Document:
    """The document in a file; one that cannot be read is a document with one problem."""
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        return _unread(f"cannot be read: {reason.lower()}")
    if len(raw) > MOST_BYTES:
        return _unread(f"is longer than {MOST_BYTES} bytes")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return _unread("is not UTF-8 text", line=1 + raw[: error.start].count(b"\n"))
    return parse(text)


def parse(text: str) -> Document:
    """The document in a text; a text without a value has the value None."""
    try:
        loader = _Composer(text)
    except yaml.reader.ReaderError as error:
        line = 1 + text[: error.position].count("\n")
        return _unread(f"the character U+{error.character:04X} may not stand in YAML", line)
    try:
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark or loader.get_mark()
        said = " ".join(part for part in (error.context, error.problem) if part)
        return _unread(f"not YAML: {' '.join(said.split())}", mark.line + 1)
    except (ValueError, OverflowError):  # PyYAML lets them through, for "\UFFFFFFFF" and the like
        return _unread("not YAML: a number or escape that is out of range", loader.line + 1)
    if node is None:
        return Document(None, {(): 1}, ())
    reading = _Reading()
    return Document(reading.plain(node, (), node), reading.lines, tuple(reading.problems))


def _unread(text: str, line: int = 0) -> Document:
    return Document(None, {}, (Problem(line, (), text),))


def _key(key: str) -> str:
    return key if _WORD.fullmatch(key) else repr(key[:40])


class _Composer(yaml.SafeLoader):
    """Composes nodes and constructs nothing; refuses what makes a file hard to read."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            self._refuse(event, "anchors and aliases (& and *) are not understood here")
        if getattr(event, "tag", None):
            self._refuse(event, "tags (!) are not understood here")
        if self.depth >= DEEPEST:
            self._refuse(event, f"nested deeper than {DEEPEST} levels")
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1

    def _refuse(self, event: Any, text: str) -> None:
        raise yaml.composer.ComposerError(None, None, text, event.start_mark)


@dataclass(slots=True)
class _Reading:
    """Nodes into plain values, noting lines and duplicate keys."""

    lines: dict[Where, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def plain(self, node: yaml.Node, where: Where, marked: yaml.Node) -> Any:
        self.lines[where] = _line(marked)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, where)
        if isinstance(node, yaml.SequenceNode):
            return [self.plain(item, (*where, n), item) for n, item in enumerate(node.value)]
        return self._scalar(node, where)

    def _mapping(self, node: yaml.MappingNode, where: Where) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._complain(key, where, "a key must be one word, not a list or mapping")
            elif key.value in found:
                there = (*where, key.value)
                self._complain(key, there, f"given twice, first in line {self.lines[there]}")
            else:
                found[key.value] = self.plain(value, (*where, key.value), key)
        return found

    def _scalar(self, node: yaml.Node, where: Where) -> Any:
        text = str(node.value)
        if any(unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t" for c in text):
            self._complain(node, where, "holds a control character")
            return ""
        return text if getattr(node, "style", None) else _plain_scalar(text)

    def _complain(self, node: yaml.Node, where: Where, text: str) -> None:
        self.problems.append(Problem(_line(node), where, text))


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _plain_scalar(text: str) -> str | int | float | bool | None:
    if _NULL.fullmatch(text):
        return None
    if text in _BOOLS:
        return _BOOLS[text]
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
