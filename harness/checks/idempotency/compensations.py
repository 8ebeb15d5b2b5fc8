"""INV-IDEM-9: compensations that come twice, out of order, or for what was never done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from harness.checks.check import Evidence, Finding
from harness.checks.histories import coverage
from harness.checks.histories.clauses import Broken, conclude
from harness.checks.histories.ledger import applied, named, requests
from harness.checks.idempotency.wire import of_sagas
from harness.journal.records import Disposition, Effect

UNDONE_TWICE: Final = "undone more than once"
UNDONE_NOTHING: Final = "undone what was never done"
DONE_AFTER: Final = "done after it was undone"
NOT_UNDONE: Final = "done and not undone"


def compensations_commute(evidence: Evidence) -> Finding:
    """ADR, Invariants: "All workflow activities must be idempotent".

    A compensation that comes twice undoes once; one for a step that was never applied undoes
    nothing; a step that arrives after its compensation is not applied. So every compensated step
    ends as if it had never been.
    """
    driven = coverage(evidence, "INV-IDEM-9")
    ledger = requests(evidence)
    broken: list[Broken] = []
    twice = void = late = 0
    for place, back in of_sagas(ledger, driven):
        reached = [each for each in back if each.disposition in _ANSWERED]
        if place[3] != "compensation" or not reached:
            continue
        there = ledger.get((*place[:3], "forward"), [])
        broken += _broken(there, back)
        twice += len(reached) > 1
        void += any(each.disposition is Disposition.VOID for each in back)
        late += any(_decided_ns(each) > _decided_ns(reached[0]) for each in there)
    lacks = [
        driven.lacks,
        "" if twice else "no compensation came twice",
        "" if void or broken else "no compensation came for a step that was never applied",
        "" if late else "no step arrived after its compensation",
    ]
    figures = {"came_twice": twice, "for_nothing": void, "overtaken": late}
    kept = (
        f"{twice} compensations that came twice, {void} for what was never done and {late} that "
        "overtook their step left every step undone once or never done"
    )
    clauses = (UNDONE_TWICE, UNDONE_NOTHING, DONE_AFTER, NOT_UNDONE)
    return conclude(clauses, broken, lacks, kept, figures)


_ANSWERED: Final = frozenset({Disposition.APPLIED, Disposition.SUPPRESSED, Disposition.VOID})


def _decided_ns(effect: Effect) -> int:
    return effect.applied_ns or effect.at_ns


def _broken(there: Sequence[Effect], back: Sequence[Effect]) -> list[Broken]:
    done, undone = applied(list(there)), applied(list(back))
    shown = "; ".join(named(each) for each in [*there, *back][:5])
    if len(undone) > 1:
        return [Broken(UNDONE_TWICE, shown)]
    if undone and not [each for each in done if each.applied_ns < undone[0].applied_ns]:
        return [Broken(UNDONE_NOTHING, shown)]
    if done and not undone:
        return [Broken(_still_done(done[0], back), shown)]
    return []


def _still_done(done: Effect, back: Sequence[Effect]) -> str:
    """A step that stays: it came after a compensation in vain, or none undid it."""
    void = [each for each in back if each.disposition is Disposition.VOID]
    return DONE_AFTER if void and void[0].at_ns < done.applied_ns else NOT_UNDONE
