"""Where every statement of the catalogue stands, after the verdicts of all trials are merged.

Verdicts are keyed (ID, subject, profile, trial). A row is one (ID, subject), where the subject
includes whose part it is; the worst verdict decides a row, the worst row decides a statement.
Statements without any verdict stand somewhere as well: nothing is left out.
"""

from __future__ import annotations

import enum
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from harness.catalogue import Assertion, Catalogue
from harness.checks.verdict import Verdict
from harness.outcome import COUNTING_LEVELS, Outcome, worst
from reports.trial import Trial


class Standing(enum.StrEnum):
    """An outcome, or why there is none. In the order in which a report counts them."""

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    NOT_APPLICABLE = "not applicable"
    WAIVED = "waived"
    ATTESTED = "attested"
    TO_ATTEST = "to be attested"
    OUT_OF_PROFILE = "out of profile"
    NOT_YET = "not yet judged"


JUDGED = frozenset(
    {
        Standing.PASS,
        Standing.FAIL,
        Standing.INCONCLUSIVE,
        Standing.WAIVED,
        Standing.ATTESTED,
    }
)
# Which is shown where neither a fail nor an inconclusive verdict decides.
_OUTSIDE = (Outcome.WAIVED, Outcome.PASS, Outcome.ATTESTED, Outcome.NOT_APPLICABLE)


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict with the trial it comes from."""

    verdict: Verdict
    trial: Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One (ID, subject): the verdict that decides it, and the others that do not."""

    decided: Judged
    others: tuple[Judged, ...]

    @property
    def standing(self) -> Standing:
        """The outcome of the verdict that decides."""
        return Standing(self.decided.verdict.outcome.value)

    @property
    def whose(self) -> str:
        """Whose part the row speaks of."""
        verdict = self.decided.verdict
        return self.decided.trial.whose(verdict.subject, ours=verdict.ours)

    @property
    def counts(self) -> bool:
        """Whether its level takes part in the verdict as a whole."""
        return self.decided.verdict.level in COUNTING_LEVELS


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One ID; `assertion` is None for an ID that this catalogue does not hold.

    `why` says why there is no verdict; it is empty where there is one.
    """

    id: str
    assertion: Assertion | None
    rows: tuple[Row, ...]
    standing: Standing
    why: str = ""

    @property
    def title(self) -> str:
        """The statement in the catalogue's words."""
        return self.assertion.statement if self.assertion else "not in this catalogue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """All statements in catalogue order, and what they come to."""

    catalogue: Catalogue
    trials: Sequence[Trial]
    statements: tuple[Statement, ...]

    @property
    def outcome(self) -> Outcome:
        """The verdict of all trials together: the worst of what counts."""
        if any(trial.problems for trial in self.trials):
            return Outcome.FAIL
        return worst(r.decided.verdict.outcome for r in self.rows() if r.counts)

    @property
    def counts(self) -> dict[Standing, int]:
        """How many statements stand where; they add up to all of them."""
        found = Counter(statement.standing for statement in self.statements)
        return {standing: found[standing] for standing in Standing}

    def rows(self) -> Iterable[Row]:
        """All rows of all statements."""
        return (row for statement in self.statements for row in statement.rows)

    def standing_of(self, assertion_id: str) -> Standing:
        """Where an ID of the catalogue stands."""
        return next(s.standing for s in self.statements if s.id == assertion_id)


def board(catalogue: Catalogue, trials: Sequence[Trial]) -> Board:
    """Merge the verdicts of all trials over the whole catalogue."""
    by_id: defaultdict[str, dict[tuple[str, bool], list[Judged]]] = defaultdict(dict)
    for judged in _all(catalogue, trials):
        verdict = judged.verdict
        by_id[verdict.id].setdefault((verdict.subject, verdict.ours), []).append(judged)
    rows = {
        each: tuple(_row(judged) for judged in subjects.values())
        for each, subjects in by_id.items()
    }
    known = [_statement(a.id, a, rows.get(a.id, ()), trials) for a in catalogue]
    unknown = [_statement(i, None, r, trials) for i, r in rows.items() if i not in catalogue]
    return Board(catalogue=catalogue, trials=trials, statements=(*known, *unknown))


def _all(catalogue: Catalogue, trials: Sequence[Trial]) -> Iterable[Judged]:
    """Every verdict once; what was asked for and got none is inconclusive, not absent."""
    seen: set[tuple[str, str, bool, str, str]] = set()
    for trial in trials:
        judged = {verdict.id for verdict in trial.verdicts}
        asked = [i for i in trial.journal.manifest.asked if i in catalogue and i not in judged]
        missing = [_no_verdict(catalogue.get(i), trial) for i in asked]
        for v in (*trial.verdicts, *missing):
            key = (v.id, v.subject, v.ours, v.profile, f"{v.trial} {v.outcome}")
            if key not in seen:
                seen.add(key)
                yield Judged(v, trial)


def _no_verdict(assertion: Assertion, trial: Trial) -> Verdict:
    return Verdict(
        id=assertion.id,
        subject="",
        ours=False,
        profile=trial.journal.manifest.profile,
        trial=trial.id,
        level=assertion.level,
        outcome=Outcome.INCONCLUSIVE,
        reason="asked for, but no verdict was reached",
    )


def _row(judged: Sequence[Judged]) -> Row:
    """The worst decides; among equals the newest."""
    deciding = _deciding({each.verdict.outcome for each in judged})
    newest = sorted(judged, key=lambda each: -each.trial.ended_wall_ns)
    decided = next(each for each in newest if each.verdict.outcome is deciding)
    return Row(decided=decided, others=tuple(each for each in newest if each is not decided))


def _deciding(outcomes: Collection[Outcome]) -> Outcome:
    """The worst of the ordered ones; else a waived failure is not hidden behind a pass."""
    if Outcome.FAIL in outcomes or Outcome.INCONCLUSIVE in outcomes:
        return worst(outcomes)
    return next(outcome for outcome in _OUTSIDE if outcome in outcomes)


def _statement(
    assertion_id: str,
    assertion: Assertion | None,
    rows: tuple[Row, ...],
    trials: Sequence[Trial],
) -> Statement:
    if rows:
        deciding = _deciding({row.decided.verdict.outcome for row in rows})
        standing = Standing(deciding.value)
        return Statement(id=assertion_id, assertion=assertion, rows=rows, standing=standing)
    assert assertion is not None  # an unknown ID comes from a verdict
    standing, why = _unjudged(assertion, _not_driven(assertion_id, trials), trials)
    return Statement(id=assertion_id, assertion=assertion, rows=(), standing=standing, why=why)


def _not_driven(assertion_id: str, trials: Sequence[Trial]) -> str:
    given = (trial.journal.manifest.not_driven.get(assertion_id, "") for trial in trials)
    return next((reason for reason in given if reason), "")


def _unjudged(
    assertion: Assertion, not_driven: str, trials: Sequence[Trial]
) -> tuple[Standing, str]:
    if assertion.attest:
        return Standing.TO_ATTEST, "only a signed, dated statement of a person can say"
    if assertion.not_yet:
        return Standing.NOT_YET, assertion.not_yet
    if not_driven:
        return Standing.OUT_OF_PROFILE, f"not driven: {not_driven}"
    profiles = ", ".join(sorted({trial.journal.manifest.profile for trial in trials}))
    return Standing.OUT_OF_PROFILE, (
        f"has a check, and is judged in the {assertion.profile} profile; "
        f"it was not asked here ({profiles or 'no trial'})"
    )
