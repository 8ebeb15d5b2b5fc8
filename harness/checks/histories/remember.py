"""Readings that several checks share: done once for each journal, forgotten with it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from harness.checks.check import Evidence, Undeclared
from harness.journal.read import Journal
from harness.journal.records import Record

P = ParamSpec("P")
T = TypeVar("T")
_Reading = Callable[Concatenate[Evidence, P], T]


def remembered(*kinds: type[Record]) -> Callable[[_Reading[P, T]], _Reading[P, T]]:
    """Make a pure function of evidence (and hashable arguments) answer the same journal only once.

    `kinds` are the records that it reads; a check that does not declare them gets `Undeclared`,
    also when another check has asked before.
    """

    def decorate(reading: _Reading[P, T]) -> _Reading[P, T]:
        known: WeakKeyDictionary[Journal, dict[object, T]] = WeakKeyDictionary()

        @wraps(reading)
        def ask(evidence: Evidence, /, *args: P.args, **named: P.kwargs) -> T:
            for kind in kinds:
                if kind not in evidence.kinds:
                    raise Undeclared(kind.__name__)
            answers = known.setdefault(evidence.journal, {})
            key = (args, tuple(sorted(named.items())))
            if key not in answers:
                answers[key] = reading(evidence, *args, **named)
            return answers[key]

        return ask

    return decorate
