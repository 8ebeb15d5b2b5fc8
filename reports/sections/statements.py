"""Every judged statement of the decision record, by area, with all that stands behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from harness.catalogue import Assertion, Catalogue
from harness.catalogue.show import AREAS, KINDS, LEVELS, Mutants
from harness.checks.check import Clause, Witness
from reports.figures import Figure, Table, age, figure, plain, quantity, shorten, table
from reports.sections.anchors import anchor
from reports.sections.slo import Roles
from reports.standing import JUDGED, Board, Judged, Row, Standing, Statement
from reports.trial import Links, Trial

LONGEST_REASON = 320
SHOWN_FIGURES = 4
UNKNOWN_AREA = "Not in this catalogue"


@dataclass(frozen=True, slots=True)
class Seen:
    """A piece of evidence; `link` is empty where it cannot be reached from the page."""

    text: str
    path: str
    link: str


@dataclass(frozen=True, slots=True)
class Meaning:
    """A declared parameter with the value that the trial was judged by."""

    name: str
    value: str
    declared: bool
    question: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A verdict with its trial, in words."""

    standing: Standing
    trial: str
    profile: str
    age: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row of the page: one (ID, subject)."""

    anchor: str
    id: str
    title: str
    standing: Standing
    level: str
    counts: bool
    whose: str
    ours: bool
    reason: str
    full_reason: str
    shown: tuple[Figure, ...]
    figures: tuple[Figure, ...]
    tables: tuple[Table, ...]
    told: Told
    others: tuple[Told, ...]
    witnesses: tuple[Seen, ...]
    clauses: tuple[tuple[Standing, Clause], ...]
    waiver: str
    before_waiver: str
    about: Assertion | None
    kinds: str
    meanings: tuple[Meaning, ...]
    members: tuple[tuple[str, Standing], ...]
    gaps: tuple[int, ...]
    mutants: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaView:
    """An area with its rows, and the IDs in it that were not verified."""

    title: str
    counts: tuple[tuple[Standing, int], ...]
    entries: tuple[Entry, ...]
    unverified: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Context:
    board: Board
    links: Links
    now_wall_ns: int
    mutants: Mutants
    merged: bool


def areas(board: Board, links: Links, now_wall_ns: int, mutants: Mutants) -> list[AreaView]:
    """The areas in catalogue order; those in which nothing was judged have no rows."""
    context = _Context(
        board=board,
        links=links,
        now_wall_ns=now_wall_ns,
        mutants=mutants,
        merged=len(board.trials) > 1,
    )
    grouped = groupby(board.statements, key=_area)
    return [_area_view(context, title, list(statements)) for title, statements in grouped]


def _area(statement: Statement) -> str:
    return AREAS[statement.assertion.area] if statement.assertion else UNKNOWN_AREA


def _area_view(context: _Context, title: str, statements: list[Statement]) -> AreaView:
    judged = [statement for statement in statements if statement.standing in JUDGED]
    found = [statement.standing for statement in statements]
    return AreaView(
        title=title,
        counts=tuple((s, n) for s in Standing if (n := found.count(s))),
        entries=tuple(
            _entry(context, statement, index, row)
            for statement in judged
            for index, row in enumerate(statement.rows)
        ),
        unverified=tuple(s.id for s in statements if s.standing not in JUDGED),
    )


def _entry(context: _Context, statement: Statement, index: int, row: Row) -> Entry:
    verdict, trial = row.decided.verdict, row.decided.trial
    tables = {n: found for n, v in verdict.figures.items() if (found := table(n, v))}
    figures = tuple(figure(n, v) for n, v in verdict.figures.items() if n not in tables)
    scalar = [n for n, v in verdict.figures.items() if isinstance(v, int | float | str)]
    leading = Roles(verdict.figures).leading or scalar
    about, catalogue = statement.assertion, context.board.catalogue
    first_line = verdict.reason.partition("\n")[0]
    reason = shorten(first_line, LONGEST_REASON)
    return Entry(
        anchor=anchor(statement.id, index),
        id=statement.id,
        title=statement.title,
        standing=row.standing,
        level=LEVELS.get(verdict.level, f"level {verdict.level}"),
        counts=row.counts,
        whose=row.whose,
        ours=verdict.ours,
        reason=reason,
        full_reason="" if reason == verdict.reason else shorten(verdict.reason),
        shown=tuple(figure(n, verdict.figures[n]) for n in leading[:SHOWN_FIGURES]),
        figures=figures,
        tables=tuple(tables.values()),
        told=_told(context, row.decided),
        others=tuple(_told(context, judged) for judged in row.others),
        witnesses=tuple(_seen(context, trial, witness) for witness in verdict.witnesses),
        clauses=tuple((Standing(c.outcome.value), c) for c in verdict.clauses),
        waiver=verdict.waiver,
        before_waiver=verdict.before_waiver,
        about=about,
        kinds=", ".join(KINDS[kind] for kind in about.kinds) if about else "",
        meanings=_meanings(catalogue, about, trial) if about else (),
        members=_members(context, about) if about else (),
        gaps=tuple(gap.number for gap in catalogue.gaps_of(statement.id)),
        mutants=tuple(context.mutants.get(statement.id, ())),
    )


def _told(context: _Context, judged: Judged) -> Told:
    verdict = judged.verdict
    return Told(
        standing=Standing(verdict.outcome.value),
        trial=verdict.trial,
        profile=verdict.profile,
        age=age(judged.trial.ended_wall_ns, context.now_wall_ns),
        reason=shorten(verdict.reason, LONGEST_REASON),
    )


def _seen(context: _Context, trial: Trial, witness: Witness) -> Seen:
    return Seen(shorten(witness.text), witness.path, context.links.to(trial, witness.path))


def _meanings(catalogue: Catalogue, about: Assertion, trial: Trial) -> tuple[Meaning, ...]:
    return tuple(
        meaning(catalogue, name, trial.journal.manifest.parameters) for name in about.parameters
    )


def meaning(catalogue: Catalogue, name: str, declared: Mapping[str, Any]) -> Meaning:
    """A parameter as a trial declares it, or by its default; one the catalogue lacks is shown."""
    parameter = next((p for p in catalogue.parameters if p.name == name), None)
    default = parameter.default if parameter else None
    value = declared.get(name, default)
    scalar = isinstance(value, int | float) and not isinstance(value, bool)
    return Meaning(
        name=name,
        value=quantity(value, parameter.unit if parameter else "") if scalar else plain(value),
        declared=name in declared and plain(declared[name]) != plain(default),
        question=parameter.question if parameter else "",
    )


def _members(context: _Context, about: Assertion) -> tuple[tuple[str, Standing], ...]:
    board = context.board
    return tuple((i, board.standing_of(i)) for i in board.catalogue.members(about))
