"""What the catalogue holds: assertions, declared parameters, gaps, and how they belong together."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from msgspec import Struct

Area = Literal[
    "isolation",
    "authorization",
    "idempotency",
    "audit",
    "determinism",
    "versioning",
    "encryption",
    "observability",
    "interfaces",
    "threats",
    "soc2",
    "slo",
    "durability",
    "context",
]
Level = Literal["M", "N", "I"]
Kind = Literal["S", "P", "L", "C", "T", "A"]
Profile = Literal["core", "secured", "load", "chaos", "gateway", "observability", "passive"]
JudgedBy = Literal["check", "attest", "not yet"]
Value = str | int | float | tuple[str, ...]

INFORMATIVE: Level = "I"


class UnknownAssertion(LookupError):
    """An id that the catalogue does not hold; the message names the ids that look like it."""

    def __init__(self, asked: str, known: Iterable[str]) -> None:
        self.asked = asked
        self.close = tuple(difflib.get_close_matches(asked.upper(), tuple(known), n=3, cutoff=0.6))
        hint = f"did you mean {', '.join(self.close)}?" if self.close else "list it to see its ids"
        super().__init__(f"no assertion {asked!r} in the catalogue; {hint}")


class Place(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the decision record says it: headings, line counted from 1, and the exact words."""

    section: str
    line: int
    quote: str
    also: tuple[int, ...] = ()
    """Further lines that say the same or depend on it."""


class Assertion(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One testable statement of the decision record.

    Without `attest` and `not_yet` a check is expected to judge it; never more than one of the
    three holds.
    """

    id: str
    statement: str
    area: Area
    adr: Place
    level: Level
    kinds: tuple[Kind, ...]
    profile: Profile
    how: str
    evidence: str
    row: str = ""
    """The catalogue row that stands for several ids, such as `EVT-7..9`; empty for all others."""
    ambiguous: bool = False
    parameters: tuple[str, ...] = ()
    rollup: tuple[str, ...] = ()
    """Ids, or prefixes ending in `*`, whose worst verdict this one is."""
    soc2: tuple[str, ...] = ()
    attest: bool = False
    not_yet: str = ""


class Parameter(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A meaning that the decision record leaves open and a target file may declare."""

    name: str
    question: str
    why: str
    default: Value
    choices: tuple[str, ...] = ()
    unit: str = ""
    bounds: tuple[float, float] | None = None
    """The least and the greatest value of a number, both allowed."""

    def problem(self, value: object) -> str | None:
        """Why `value` cannot be declared, with what can; None where it can."""
        return None if self._allows(value) else f"{self.name} must be {self._allowed()}"

    def _allows(self, value: object) -> bool:
        match self.default:
            case str():
                return isinstance(value, str) and (not self.choices or value in self.choices)
            case tuple():
                return isinstance(value, list | tuple) and all(isinstance(v, str) for v in value)
            case int():
                return type(value) is int and self._within(value)
            case float():
                return type(value) in (int, float) and self._within(value)  # type: ignore[arg-type]

    def _within(self, number: float) -> bool:
        least, greatest = self.bounds or (-math.inf, math.inf)
        return least <= number <= greatest

    def _allowed(self) -> str:
        match self.default:
            case str():
                return f"one of {', '.join(self.choices)}" if self.choices else "a string"
            case tuple():
                return "a list of strings"
            case _:
                number = "a whole number" if isinstance(self.default, int) else "a number"
                least, greatest = self.bounds or (-math.inf, math.inf)
                return f"{number} from {least:.10g} to {greatest:.10g} ({self.unit})"


class Gap(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that the decision record itself leaves open or gets wrong."""

    number: int
    title: str
    missing: str
    handling: str
    ids: tuple[str, ...]
    parameters: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """All assertions in the order of their areas, with the parameters and gaps they refer to."""

    assertions: tuple[Assertion, ...]
    parameters: tuple[Parameter, ...]
    gaps: tuple[Gap, ...]

    def __iter__(self) -> Iterator[Assertion]:
        return iter(self.assertions)

    def __len__(self) -> int:
        return len(self.assertions)

    def __contains__(self, assertion_id: object) -> bool:
        return assertion_id in self._by_id

    def get(self, assertion_id: str) -> Assertion:
        """The assertion of that id; UnknownAssertion where there is none."""
        try:
            return self._by_id[assertion_id]
        except KeyError:
            raise UnknownAssertion(assertion_id, self.ids) from None

    @property
    def ids(self) -> tuple[str, ...]:
        """All ids in catalogue order."""
        return tuple(self._by_id)

    @property
    def rows(self) -> int:
        """How many rows the ids make: some rows stand for several ids."""
        return len({assertion.row or assertion.id for assertion in self})

    @property
    def defaults(self) -> dict[str, Value]:
        """The meaning of each parameter where none is declared."""
        return {parameter.name: parameter.default for parameter in self.parameters}

    def parameter(self, name: str) -> Parameter:
        """The parameter of that name; KeyError where there is none."""
        return self._parameters_by_name[name]

    def users(self, parameter: str) -> tuple[str, ...]:
        """The ids whose verdict depends on that parameter."""
        return tuple(a.id for a in self if parameter in a.parameters)

    def gaps_of(self, assertion_id: str) -> tuple[Gap, ...]:
        """The gaps of the record that concern that id."""
        return tuple(gap for gap in self.gaps if assertion_id in gap.ids)

    def members(self, assertion: Assertion) -> tuple[str, ...]:
        """The ids whose worst verdict a roll-up is; an informative row never decides one."""
        return tuple(
            a.id
            for a in self
            if a.level != INFORMATIVE and any(_covers(p, a.id) for p in assertion.rollup)
        )

    @cached_property
    def _by_id(self) -> dict[str, Assertion]:
        return {assertion.id: assertion for assertion in self.assertions}

    @cached_property
    def _parameters_by_name(self) -> dict[str, Parameter]:
        return {parameter.name: parameter for parameter in self.parameters}


def _covers(pattern: str, assertion_id: str) -> bool:
    if pattern.endswith("*"):
        return assertion_id.startswith(pattern[:-1])
    return assertion_id == pattern


def judged_by(assertion: Assertion, checked: frozenset[str]) -> JudgedBy:
    """What judges it, given the ids that have a check: a check goes before a statement."""
    if assertion.id in checked:
        return "check"
    return "attest" if assertion.attest else "not yet"
