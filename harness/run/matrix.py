"""The kill matrix: what became of each mutant, and which clauses of which checks were seen red."""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from harness.checks.histories.clauses import COVERAGE
from harness.checks.verdict import CRASHED, Verdict
from harness.mutant import Mutant
from harness.outcome import EXIT_FAIL, EXIT_PASS, Outcome


class Fate(enum.StrEnum):
    """What became of a mutant (killed is well) or of an equivalent (green is well)."""

    KILLED = "killed"
    GREEN = "green"
    SURVIVED = "survived"
    FALSE_ALARM = "false alarm"
    INCONCLUSIVE = "inconclusive"
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """Another check that turned red (or crashed) on a mutant's evidence.

    `declared` is the reason why this is right, empty if there is none: then the check is at fault.
    """

    id: str
    reason: str
    declared: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of the kill matrix. `reasons` are the expected checks', or why it did not run.

    `clauses` are those of all verdicts on its evidence, by catalogue ID; `red` those of them that
    were rightly red: of an expected check, or of one whose red is declared.
    """

    mutant: Mutant
    fate: Fate
    seconds: float
    reasons: tuple[str, ...]
    alarms: tuple[Alarm, ...] = ()
    clauses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    red: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def clean(self) -> bool:
        """Killed or green as it should be, and no other check without a reason."""
        return self.well and all(alarm.declared for alarm in self.alarms)

    @property
    def well(self) -> bool:
        """Whether the expected checks said what they should."""
        return self.fate in (Fate.KILLED, Fate.GREEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What proves one check: mutants it killed, by the clause that was red on them.

    `unproved` are its clauses that were red on none, `declared` the reasons for some of them.
    """

    id: str
    killed: tuple[str, ...]
    by_clause: Mapping[str, tuple[str, ...]]
    unproved: tuple[str, ...]
    declared: Mapping[str, str]

    @property
    def gaps(self) -> tuple[str, ...]:
        """The clauses that nothing has shown to be able to fail, and no reason says why."""
        return tuple(name for name in self.unproved if name not in self.declared)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """The rows of what ran, in the order of the mutants, and how long all of it took."""

    rows: tuple[Row, ...]
    seconds: float
    interrupted: bool = False
    proofs: tuple[Proof, ...] = ()

    @property
    def exit_code(self) -> int:
        """A survivor or a false alarm fails, and so does what could not be decided, and a clause
        that nothing has shown to be able to fail."""
        clean = all(row.clean for row in self.rows) and not any(p.gaps for p in self.proofs)
        return EXIT_PASS if clean and not self.interrupted else EXIT_FAIL


def row_of(mutant: Mutant, verdicts: Sequence[Verdict], seconds: float) -> Row:
    """The row that the verdicts on a mutant's evidence make."""
    expected = [v for v in verdicts if _expected(mutant, v)]
    return Row(
        mutant=mutant,
        fate=_fate(mutant, expected),
        seconds=seconds,
        reasons=tuple(f"{verdict.id}: {verdict.reason}" for verdict in _telling(mutant, expected)),
        alarms=tuple(
            Alarm(id=v.id, reason=v.reason, declared=mutant.collateral.get(v.id, ""))
            for v in verdicts
            if not _expected(mutant, v) and _alarming(v)
        ),
        clauses={v.id: _names(v, tuple(Outcome)) for v in verdicts},
        red={
            v.id: _names(v, (Outcome.FAIL,))
            for v in verdicts
            if v.id in {*mutant.expected, *mutant.collateral}
        },
    )


def _expected(mutant: Mutant, verdict: Verdict) -> bool:
    return not mutant.expected or verdict.id in mutant.expected


def _telling(mutant: Mutant, expected: Sequence[Verdict]) -> Sequence[Verdict]:
    """Of a whole profile only what is not green."""
    return expected if mutant.expected else [v for v in expected if v.outcome is not Outcome.PASS]


def _names(verdict: Verdict, outcomes: Collection[Outcome]) -> tuple[str, ...]:
    """Its clauses of these outcomes; what it lacks is no clause of its promise."""
    return tuple(c.name for c in verdict.clauses if c.outcome in outcomes and c.name != COVERAGE)


def _alarming(verdict: Verdict) -> bool:
    return verdict.outcome is Outcome.FAIL or verdict.reason.startswith(CRASHED)


def _fate(mutant: Mutant, expected: Sequence[Verdict]) -> Fate:
    outcomes = {verdict.outcome for verdict in expected}
    if mutant.equivalent:
        if any(_alarming(verdict) for verdict in expected):
            return Fate.FALSE_ALARM
        well = outcomes == {Outcome.PASS} or (mutant.never_red_suffices and outcomes)
        return Fate.GREEN if well else Fate.INCONCLUSIVE
    if expected and all(_red(verdict, mutant.clause) for verdict in expected):
        return Fate.KILLED
    return Fate.INCONCLUSIVE if Outcome.INCONCLUSIVE in outcomes else Fate.SURVIVED


def _red(verdict: Verdict, clause: str) -> bool:
    return verdict.outcome is Outcome.FAIL and (
        not clause
        or any(each.name == clause and each.outcome is Outcome.FAIL for each in verdict.clauses)
    )


def proofs_of(
    rows: Iterable[Row], ids: Iterable[str], declared: Mapping[str, Mapping[str, str]]
) -> tuple[Proof, ...]:
    """What the rows prove of the checks with these IDs, and which clauses nothing killed.

    `declared` are reasons why no mutant can kill a clause, by catalogue ID and clause.
    """
    ran = list(rows)
    return tuple(_proof(each, ran, declared.get(each, {})) for each in ids)


def _proof(assertion_id: str, rows: Sequence[Row], declared: Mapping[str, str]) -> Proof:
    names = dict.fromkeys(name for row in rows for name in row.clauses.get(assertion_id, ()))
    by_clause = {
        name: tuple(r.mutant.name for r in rows if _proves(r, assertion_id, name)) for name in names
    }
    return Proof(
        id=assertion_id,
        killed=tuple(
            row.mutant.name
            for row in rows
            if row.fate is Fate.KILLED and assertion_id in row.mutant.expected
        ),
        by_clause={name: killed for name, killed in by_clause.items() if killed},
        unproved=tuple(name for name, killed in by_clause.items() if not killed),
        declared=declared,
    )


def _proves(row: Row, assertion_id: str, clause: str) -> bool:
    return row.fate is Fate.KILLED and clause in row.red.get(assertion_id, ())
