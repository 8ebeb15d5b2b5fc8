"""How a finding is put together from what was broken, what is lacking, and what was measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from harness.checks.check import Clause, Finding, Witness
from harness.outcome import Outcome

COVERAGE: Final = "coverage"


class Broken(NamedTuple):
    """One place where a promise was broken: the clause, what happened, the history's path."""

    clause: str
    text: str
    path: str = ""


def conclude(
    clauses: Sequence[str],
    broken: Sequence[Broken],
    lacks: Iterable[str],
    kept: str,
    figures: Mapping[str, Any],
) -> Finding:
    """Fail if anything is broken, else inconclusive if anything lacks, else pass because of `kept`.

    The clauses are the promise's parts and `coverage`, which says what lacks also where something
    is broken, so that a waived clause hides none of it.
    """
    counts = Counter(each.clause for each in broken)
    lacking = "; ".join(text for text in lacks if text)
    if broken:
        outcome, reason = Outcome.FAIL, _sum(clauses, counts)
    elif lacking:
        outcome, reason = Outcome.INCONCLUSIVE, lacking
    else:
        outcome, reason = Outcome.PASS, kept
    return Finding(
        outcome=outcome,
        reason=reason,
        figures=dict(figures),
        witnesses=_witnesses(broken),
        clauses=[*_clauses(clauses, broken, counts), _coverage(lacking)],
    )


def _sum(clauses: Sequence[str], counts: Mapping[str, int]) -> str:
    return ", ".join(f"{counts[clause]} {clause}" for clause in clauses if counts[clause])


def _clauses(
    clauses: Sequence[str], broken: Sequence[Broken], counts: Mapping[str, int]
) -> list[Clause]:
    first = {each.clause: each.text for each in reversed(broken)}
    return [
        Clause(
            name=name,
            outcome=Outcome.FAIL if counts[name] else Outcome.PASS,
            reason=f"{counts[name]}, the first: {first[name]}" if counts[name] else "",
        )
        for name in clauses
    ]


def _coverage(lacking: str) -> Clause:
    outcome = Outcome.INCONCLUSIVE if lacking else Outcome.PASS
    return Clause(name=COVERAGE, outcome=outcome, reason=lacking)


def _witnesses(broken: Sequence[Broken]) -> list[Witness]:
    """The first of every clause before the second of any, so that a short list shows them all."""
    seen: Counter[str] = Counter()
    ranked: list[tuple[int, Broken]] = []
    for each in broken:
        ranked.append((seen[each.clause], each))
        seen[each.clause] += 1
    ranked.sort(key=lambda pair: pair[0])
    return [Witness(text=f"{each.clause}: {each.text}", path=each.path) for _, each in ranked]
