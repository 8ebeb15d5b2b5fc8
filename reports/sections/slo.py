"""The SLO table: what was promised, what was measured, how sure that is, and what is left.

A check of an SLO names its figures so: `limit_<unit>` is the most that is allowed, `minimum` the
least; `<what>_lower_<unit>` and `<what>_upper_<unit>` are the confidence bounds of the measured
`<what>_<unit>`; `samples` or `judged` is how many there were. What is called otherwise is shown
under its own name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reports.figures import Figure, Table, age, figure, quantity, shorten, table, unit_of
from reports.sections.anchors import anchor
from reports.standing import Board, Judged, Row, Standing

_AREA = "slo"
_BOUND = re.compile(r"^(?P<what>.+)_(?P<side>lower|upper)(?P<unit>_[a-z_]+)?$")
_AT_MOST = re.compile(r"^limit(_[a-z]+)?$")
_AT_LEAST = "minimum"
_COUNTS = ("samples", "judged")


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """A line of the table."""

    id: str
    anchor: str
    title: str
    standing: Standing
    whose: str
    target: str
    measured: str
    bounds: str
    n: str
    margin: str
    other: tuple[Figure, ...]
    tables: tuple[Table, ...]
    reason: str
    trial: str
    age: str


def objectives(board: Board, now_wall_ns: int) -> list[Objective]:
    """Every verdict on an SLO or on capacity, of every trial: load steps are read side by side."""
    return [
        _objective(statement.id, statement.title, index, row, judged, now_wall_ns)
        for statement in board.statements
        if statement.assertion is not None and statement.assertion.area == _AREA
        for index, row in enumerate(statement.rows)
        for judged in (row.decided, *row.others)
    ]


def _objective(
    assertion_id: str, title: str, index: int, row: Row, judged: Judged, now_wall_ns: int
) -> Objective:
    verdict = judged.verdict
    roles = Roles(verdict.figures)
    tables = {n: found for n, v in verdict.figures.items() if (found := table(n, v))}
    left = {n: v for n, v in verdict.figures.items() if n not in {*roles.used, *tables}}
    return Objective(
        id=assertion_id,
        anchor=anchor(assertion_id, index),
        title=title,
        standing=Standing(verdict.outcome.value),
        whose=row.whose,
        target=roles.target,
        measured=roles.measured,
        bounds=roles.bounds,
        n=roles.count,
        margin=roles.margin,
        other=tuple(figure(n, v) for n, v in left.items()),
        tables=tuple(tables.values()),
        reason=shorten(verdict.reason, 240),
        trial=verdict.trial,
        age=age(judged.trial.ended_wall_ns, now_wall_ns),
    )


class Roles:
    """Which figure plays which role in the table; each is text, or "" where none plays it."""

    def __init__(self, figures: Mapping[str, Any]) -> None:
        self._figures = figures
        found = [match for name in figures if (match := _BOUND.match(name))]
        self._what = found[0]["what"] if found else ""
        self._tail = (found[0]["unit"] or "") if found else ""
        limits = [name for name in figures if _AT_MOST.match(name)]
        self._limit = limits[0] if limits else ""
        name = f"{self._what}{self._tail}"
        self._unit = unit_of(self._limit) or unit_of(name)
        sides = [f"{self._what}_{side}{self._tail}" for side in ("lower", "upper")]
        self._sides = [side for side in sides if side in figures]
        self._measured = name if name in figures else ""
        self._count = next((name for name in _COUNTS if name in figures), "")
        self.used = {self._limit, *self._sides, self._measured, self._count, _AT_LEAST}

    @property
    def leading(self) -> list[str]:
        """The figures that play a role, the measured one first."""
        roles = (self._measured, self._limit or _AT_LEAST, *self._sides, self._count)
        return [name for name in roles if name in self._figures]

    @property
    def target(self) -> str:
        """The promise, with its direction."""
        if self._limit:
            return f"≤ {self._shown(self._limit)}"
        return f"≥ {self._shown(_AT_LEAST)}" if _AT_LEAST in self._figures else ""

    @property
    def measured(self) -> str:
        """The measured value, by its name."""
        return self._shown(self._measured) if self._measured else ""

    @property
    def bounds(self) -> str:
        """The confidence bounds, lower to upper; an unknown one is left open."""
        return " to ".join(self._shown(side) for side in self._sides)

    @property
    def count(self) -> str:
        """How many samples."""
        return quantity(self._figures[self._count]) if self._count else ""

    @property
    def margin(self) -> str:
        """What the bound leaves of the promise: below zero, it is not shown to be kept."""
        side = f"{self._what}_{'upper' if self._limit else 'lower'}{self._tail}"
        bound, promise = self._figures.get(side), self._figures.get(self._limit or _AT_LEAST)
        if not isinstance(bound, int | float) or not isinstance(promise, int | float):
            return ""
        left = promise - bound if self._limit else bound - promise
        sign = "+" if left > 0 else "\N{MINUS SIGN}" if left < 0 else ""
        return f"{sign}{quantity(abs(left), self._unit)}"

    def _shown(self, name: str) -> str:
        value = self._figures[name]
        return "?" if value is None else quantity(value, self._unit)
