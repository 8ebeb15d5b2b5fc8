"""Plain YAML values into frozen msgspec values, with every problem and its line at once.

msgspec's own `convert` stops at the first problem and knows no lines; the types are the same, and
so are the bounds in their `Meta`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeAlias, TypeVar

import msgspec.inspect

from harness.yaml_lines import Document, Problem, Where, by_line

T = TypeVar("T")


class Unfit:
    """The value of a place that has a problem."""


UNFIT = Unfit()
Rule: TypeAlias = Callable[[Mapping[str, Any], Any], Iterable[tuple[Where, str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grammar:
    """What types alone do not say.

    `context` is handed to forms and rules. A form stands in the type: a field declared as
    `Annotated[str, Meta(extra={"form": f})]` has the value `f(text, context)`, and the ValueError
    it raises is the problem. A rule relates the keys of one struct: it gets the plain mapping as
    written, whatever else is wrong with it, and yields (place below it, complaint). `unknown` may
    have a complaint of its own for a key that no field has.
    """

    context: Any = None
    rules: Mapping[type, Rule] = field(default_factory=dict)
    unknown: Callable[[str], str | None] = lambda key: None


ANY = Grammar()


def fit(
    document: Document, kind: type[T], grammar: Grammar = ANY
) -> tuple[T | None, list[Problem]]:
    """The document as a value of `kind` (a struct, or a list or tuple of them), or its problems.

    The problems are in the order of lines and include the document's own. Values that could be
    secret are never repeated in them.
    """
    fitting = _Fitting(document, grammar)
    problems = list(document.problems)
    value: Any = UNFIT
    if document.lines:
        value = fitting.value(msgspec.inspect.type_info(kind), document.value, ())
        problems += fitting.problems
    return (None if problems else value), by_line(problems)


@dataclass(slots=True)
class _Fitting:
    document: Document
    grammar: Grammar
    problems: list[Problem] = field(default_factory=list)

    def value(self, kind: msgspec.inspect.Type, given: Any, where: Where) -> Any:
        match kind:
            case msgspec.inspect.AnyType():
                return given
            case msgspec.inspect.Metadata():
                return self._formed(kind, given, where)
            case msgspec.inspect.UnionType():
                return self.value(kind.types[0], given, where)
        if given is None:
            advice = "; give a value, or leave the key out" if where else ""
            return self._complain(where, f"is empty{advice}")
        match kind:
            case msgspec.inspect.StructType():
                return self._struct(kind, given, where)
            case msgspec.inspect.VarTupleType() | msgspec.inspect.ListType():
                return self._items(kind, given, where)
            case msgspec.inspect.DictType():
                return self._dict(kind, given, where)
            case msgspec.inspect.LiteralType():
                return self._choice(kind, given, where)
        return self._scalar(kind, given, where)

    def _formed(self, kind: msgspec.inspect.Metadata, given: Any, where: Where) -> Any:
        value = self.value(kind.type, given, where)
        form = (kind.extra or {}).get("form")
        if value is UNFIT or form is None:
            return value
        try:
            return form(value, self.grammar.context)
        except ValueError as error:
            return self._complain(where, str(error))

    def _struct(self, kind: msgspec.inspect.StructType, given: Any, where: Where) -> Any:
        if not isinstance(given, dict):
            return self._mismatch("a mapping", given, where)
        before = len(self.problems)
        fields = {f.encode_name: f for f in kind.fields}
        meant = {self._unknown(key, fields, where) for key in given if key not in fields}
        for name, wanted in fields.items():
            if wanted.required and name not in given and name not in meant:
                self._complain((*where, name), "missing")
        values = {
            wanted.name: self.value(wanted.type, given[name], (*where, name))
            for name, wanted in fields.items()
            if name in given
        }
        for below, text in self.grammar.rules.get(kind.cls, _no_rule)(given, self.grammar.context):
            self._complain((*where, *below), text)
        return kind.cls(**values) if len(self.problems) == before else UNFIT

    def _unknown(self, key: str, fields: Iterable[str], where: Where) -> str:
        """Complains about a key; returns the field that was probably meant, or nothing."""
        text = self.grammar.unknown(key)
        near = difflib.get_close_matches(key, list(fields), n=1)
        if text is None:
            hint = f" did you mean {near[0]}?" if near else ""
            text = f"unknown key;{hint} valid keys: {', '.join(fields)}"
        self._complain((*where, key), text)
        return near[0] if near else ""

    def _items(
        self,
        kind: msgspec.inspect.VarTupleType | msgspec.inspect.ListType,
        given: Any,
        where: Where,
    ) -> Any:
        if not isinstance(given, list):
            return self._mismatch("a list", given, where)
        if len(given) < (kind.min_length or 0):
            return self._complain(where, f"has {len(given)}; at least {kind.min_length} are needed")
        found = [self.value(kind.item_type, item, (*where, n)) for n, item in enumerate(given)]
        if any(item is UNFIT for item in found):
            return UNFIT
        return tuple(found) if isinstance(kind, msgspec.inspect.VarTupleType) else found

    def _dict(self, kind: msgspec.inspect.DictType, given: Any, where: Where) -> Any:
        if not isinstance(given, dict):
            return self._mismatch("a mapping", given, where)
        found = [
            (
                self.value(kind.key_type, key, (*where, key)),
                self.value(kind.value_type, value, (*where, key)),
            )
            for key, value in given.items()
        ]
        return UNFIT if any(UNFIT in pair for pair in found) else dict(found)

    def _choice(self, kind: msgspec.inspect.LiteralType, given: Any, where: Where) -> Any:
        if given in kind.values:
            return given
        choices = [str(value) for value in kind.values]
        near = difflib.get_close_matches(given, choices, n=1) if isinstance(given, str) else []
        hint = f" did you mean {near[0]}?" if near else ""
        return self._complain(where, f"not a valid choice;{hint} choices: {', '.join(choices)}")

    def _scalar(self, kind: msgspec.inspect.Type, given: Any, where: Where) -> Any:
        match kind:
            case msgspec.inspect.StrType():
                if not isinstance(given, str):
                    return self._mismatch("text", given, where)
                short = len(given.strip()) < (kind.min_length or 0)
                return self._complain(where, "is empty") if short else given
            case msgspec.inspect.BoolType():
                ok = isinstance(given, bool)
                return given if ok else self._mismatch("true or false", given, where)
            case msgspec.inspect.IntType():
                ok = isinstance(given, int) and not isinstance(given, bool)
                return (
                    self._ranged(kind, given, where)
                    if ok
                    else self._mismatch("a whole number", given, where)
                )
            case msgspec.inspect.FloatType():
                ok = isinstance(given, int | float) and not isinstance(given, bool)
                return (
                    self._ranged(kind, float(given), where)
                    if ok
                    else self._mismatch("a number", given, where)
                )
            case msgspec.inspect.DateType():
                return self._date(given, where)
        raise TypeError(f"no way to read {kind}")

    def _ranged(
        self, kind: msgspec.inspect.IntType | msgspec.inspect.FloatType, given: Any, where: Where
    ) -> Any:
        bounds = (
            ("above", kind.gt, kind.gt is None or given > kind.gt),
            ("at least", kind.ge, kind.ge is None or given >= kind.ge),
            ("below", kind.lt, kind.lt is None or given < kind.lt),
            ("at most", kind.le, kind.le is None or given <= kind.le),
        )
        if all(kept for _, _, kept in bounds):
            return given
        wanted = " and ".join(f"{word} {limit:g}" for word, limit, _ in bounds if limit is not None)
        return self._complain(where, f"must be {wanted}")

    def _date(self, given: Any, where: Where) -> Any:
        if isinstance(given, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", given, re.ASCII):
            try:
                return date.fromisoformat(given)
            except ValueError:
                return self._complain(where, "there is no such day")
        return self._mismatch("a date, YYYY-MM-DD", given, where)

    def _mismatch(self, wanted: str, given: Any, where: Where) -> Any:
        hint = "; put it in quotes" if wanted == "text" and not isinstance(given, _NESTED) else ""
        return self._complain(where, f"expected {wanted}, found {_kind(given)}{hint}")

    def _complain(self, where: Where, text: str) -> Unfit:
        """Notes a problem, unless the document has one for just this value already."""
        problem = self.document.problem(where, text)
        known = [(p.line, p.where) for p in self.document.problems]
        if (problem.line, where) not in known:
            self.problems.append(problem)
        return UNFIT


_NESTED = (dict, list)


def _no_rule(given: Mapping[str, Any], context: Any) -> Iterable[tuple[Where, str]]:
    return ()


def _kind(given: Any) -> str:
    """What a plain value is, without the value."""
    names = {bool: "a boolean", int: "a number", float: "a number", str: "text"}
    return names.get(type(given)) or ("a list" if isinstance(given, list) else "a mapping")
