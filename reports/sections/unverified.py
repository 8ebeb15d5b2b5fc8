"""What was not verified and why: always on the page, with the same weight as what was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from harness.catalogue.show import AREAS
from reports.figures import shorten
from reports.sections.anchors import anchor
from reports.standing import Board, Standing, Statement

_MEANS = {
    Standing.NOT_YET: "No check judges these yet. Each says what it waits for.",
    Standing.OUT_OF_PROFILE: "A check exists, but these trials did not ask for it.",
    Standing.TO_ATTEST: "No measurement from outside can tell. A responsible person states it, "
    "signed and dated; such a statement is shown as attested and never as a pass.",
    Standing.NOT_APPLICABLE: "The part declares that it lacks the capability.",
}


@dataclass(frozen=True, slots=True)
class Silent:
    """A statement that nothing was found out about."""

    id: str
    anchor: str
    title: str
    level: str
    why: str


@dataclass(frozen=True, slots=True)
class Group:
    """Those that stand in the same place, by area."""

    standing: Standing
    means: str
    count: int
    areas: tuple[tuple[str, tuple[Silent, ...]], ...]


def unverified(board: Board) -> list[Group]:
    """All statements without a judgement, none left out."""
    groups = []
    for standing, means in _MEANS.items():
        found = [s for s in board.statements if s.standing is standing]
        if found:
            groups.append(Group(standing, means, len(found), _by_area(found)))
    return groups


def _by_area(statements: Sequence[Statement]) -> tuple[tuple[str, tuple[Silent, ...]], ...]:
    grouped = groupby(statements, key=_area)
    return tuple((title, tuple(_silent(s) for s in found)) for title, found in grouped)


def _area(statement: Statement) -> str:
    return AREAS[statement.assertion.area] if statement.assertion else ""


def _silent(statement: Statement) -> Silent:
    said = "; ".join(f"{row.whose}: {row.decided.verdict.reason}" for row in statement.rows)
    level = statement.assertion.level if statement.assertion else ""
    return Silent(
        statement.id,
        anchor(statement.id),
        statement.title,
        level,
        shorten(statement.why or said),
    )
