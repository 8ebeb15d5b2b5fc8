"""The order of outcomes and the exit codes: the only place that knows either.

`pass < inconclusive < fail`, the worst wins. Not applicable, out of profile, attested and waived
stand outside that order: they are listed, and can neither turn a run green nor red.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable

EXIT_PASS = 0
EXIT_FAIL = 1
EXIT_INCONCLUSIVE = 2


class Outcome(enum.StrEnum):
    """What a verdict says of one assertion for one subject."""

    PASS = "pass"
    INCONCLUSIVE = "inconclusive"
    FAIL = "fail"
    NOT_APPLICABLE = "not applicable"
    WAIVED = "waived"
    ATTESTED = "attested"


_ORDER = (Outcome.PASS, Outcome.INCONCLUSIVE, Outcome.FAIL)
_EXIT = {
    Outcome.PASS: EXIT_PASS,
    Outcome.INCONCLUSIVE: EXIT_INCONCLUSIVE,
    Outcome.FAIL: EXIT_FAIL,
}
COUNTING_LEVELS = frozenset({"M", "N"})


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """The worst of the ordered outcomes; nothing at all is inconclusive, never a pass."""
    ranked = [_ORDER.index(outcome) for outcome in outcomes if outcome in _ORDER]
    return _ORDER[max(ranked)] if ranked else Outcome.INCONCLUSIVE


def exit_code(judged: Iterable[tuple[str, Outcome]]) -> int:
    """The exit code of (level, outcome) pairs: only levels M and N decide."""
    return _EXIT[worst(outcome for level, outcome in judged if level in COUNTING_LEVELS)]
