"""What a check is: a pure function from a journal to a finding, for one catalogue assertion."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from harness.journal.read import HistoryEvent, Journal, R
from harness.journal.records import History, Program, Record, Subject
from harness.outcome import Outcome


class Undeclared(LookupError):
    """A check asked for a kind of record that it does not declare."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a check may read: only the kinds it declares, and the declared meanings."""

    journal: Journal
    kinds: frozenset[type[Record]]
    parameters: Mapping[str, Any]

    def of(self, kind: type[R]) -> Sequence[R]:
        """All records of a declared kind."""
        if kind not in self.kinds:
            raise Undeclared(kind.__name__)
        return self.journal.of(kind)

    def events(self, history: History) -> tuple[HistoryEvent, ...]:
        """The events of a recorded history."""
        if History not in self.kinds:
            raise Undeclared("History")
        return self.journal.events(history)

    def raw(self, path: str, sha256: str) -> bytes:
        """The bytes of a recorded file."""
        return self.journal.raw(path, sha256)

    def fed(self, assertion_id: str) -> list[Program]:
        """The programs that were driven for this assertion."""
        return [p for p in self.of(Program) if assertion_id in p.feeds]


class Clause(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a verdict that is judged on its own; waivers name clauses."""

    name: str
    outcome: Outcome
    reason: str = ""


class Witness(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of evidence: what it shows and where it lies (a path below the trial's folder)."""

    text: str
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check found. `figures` are measured values by name, with units in the name."""

    outcome: Outcome
    reason: str
    figures: Mapping[str, Any] = field(default_factory=dict)
    witnesses: Sequence[Witness] = ()
    clauses: Sequence[Clause] = ()


def passed(reason: str, **figures: Any) -> Finding:
    """The promise was kept in all the evidence there is."""
    return Finding(outcome=Outcome.PASS, reason=reason, figures=figures)


def inconclusive(reason: str, **figures: Any) -> Finding:
    """The evidence does not suffice to say."""
    return Finding(outcome=Outcome.INCONCLUSIVE, reason=reason, figures=figures)


def failed(reason: str, witnesses: Sequence[Witness] = (), **figures: Any) -> Finding:
    """The promise was broken; the witnesses show where."""
    return Finding(outcome=Outcome.FAIL, reason=reason, figures=figures, witnesses=witnesses)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A row of the table of checks.

    `needs` is the least evidence by kind: with less of any the verdict is inconclusive without
    `judge` being asked. The docstring of `judge` quotes the ADR statement. `capabilities` are those
    of the contract without which the assertion is not applicable to the subject.
    """

    id: str
    subject: Subject
    needs: Mapping[type[Record], int]
    judge: Callable[[Evidence], Finding]
    capabilities: frozenset[str] = frozenset()
