"""INV-IDEM-2 and 3: attempts that run beside each other, and completions lost on the wire."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from harness.checks.check import Evidence, Finding
from harness.checks.histories import Coverage, Place, coverage, runs
from harness.checks.histories.clauses import Broken, conclude
from harness.checks.histories.ledger import applied, named, requests
from harness.checks.histories.saga import Saga
from harness.journal.records import Disposition, Effect, Tapped

BOTH: Final = "both attempts were applied"
TWICE: Final = "applied again"
AGAIN: Final = "called again after its completion was recorded"
REACHED: Final = frozenset({Disposition.APPLIED, Disposition.SUPPRESSED})
_LEDGER_END: Final = frozenset({*REACHED, Disposition.VOID})


def of_sagas(
    ledger: dict[Place, list[Effect]], driven: Coverage
) -> Iterator[tuple[Place, list[Effect]]]:
    """The business effects of the sagas that were driven for an assertion."""
    fed = {(saga.tenant, saga.saga_id) for saga in driven.fed}
    return ((place, effects) for place, effects in ledger.items() if place[:2] in fed)


def zombies_change_nothing(evidence: Evidence) -> Finding:
    """ADR, Invariants: "All workflow activities must be idempotent".

    Two attempts of one activity are at a service at the same time, because the first ran out of
    its start-to-close and goes on. One effect is applied, by whichever comes first.
    """
    driven = coverage(evidence, "INV-IDEM-2")
    beside = [effects for _, effects in of_sagas(requests(evidence), driven) if _overlap(effects)]
    broken = [
        Broken(BOTH, "; ".join(map(named, effects[:4])))
        for effects in beside
        if len(applied(effects)) > 1
    ]
    types = {f"{effects[0].service}.{effects[0].operation}" for effects in beside}
    lacks = [
        driven.lacks,
        "" if beside else "no two attempts of an activity were at a service at the same time",
    ]
    figures = {"effects_with_attempts_at_once": len(beside), "activity_types": len(types)}
    kept = f"none of {len(beside)} effects that two attempts asked for at once was applied twice"
    return conclude((BOTH,), broken, lacks, kept, figures)


def _overlap(effects: list[Effect]) -> bool:
    """Whether requests of two attempts were under way at once, and both got to the ledger."""
    reached = [each for each in effects if each.disposition in _LEDGER_END]
    return any(
        one.attempt != other.attempt and other.received_ns < one.at_ns
        for n, one in enumerate(reached)
        for other in reached[n + 1 :]
    )


def lost_completions_change_nothing(evidence: Evidence) -> Finding:
    """ADR, Invariants: "All workflow activities must be idempotent".

    The report that an activity completed is lost. Where the engine had it, nothing runs again;
    where it had not, a second attempt runs. Either way the effect is applied once.
    """
    driven = coverage(evidence, "INV-IDEM-3")
    known = _bitten(evidence, driven, "lose-answer")
    unknown = _bitten(evidence, driven, "refuse")
    ledger = requests(evidence)
    attempts = _attempts(evidence)
    broken, once, repeated = [], 0, 0
    for place, effects in of_sagas(ledger, driven):
        if len(applied(effects)) > 1 and place[:2] in {*known, *unknown}:
            broken.append(Broken(TWICE, "; ".join(map(named, effects[:4]))))
        if place[:2] in known and attempts.get(place) == 1:
            once += 1
            if len(effects) > 1:
                broken.append(Broken(AGAIN, "; ".join(map(named, effects[:4]))))
        reached = {each.attempt for each in effects if each.disposition in REACHED}
        repeated += place[:2] in unknown and len(reached) > 1
    lacks = [
        driven.lacks,
        "" if once else "no completion's answer was lost after the engine had recorded it",
        "" if repeated else "no completion was lost so that a second attempt ran",
    ]
    figures = {
        "answers_lost": len(known),
        "completions_lost": len(unknown),
        "effects_of_one_attempt": once,
        "effects_of_two_attempts": repeated,
    }
    kept = (
        f"{once} effects whose recorded completion went unanswered were asked for once, and "
        f"{repeated} whose completion was lost were asked for again and not applied again"
    )
    return conclude((TWICE, AGAIN), broken, lacks, kept, figures)


def _bitten(evidence: Evidence, driven: Coverage, action: str) -> set[tuple[str, str]]:
    """The sagas of which a call was lost in this way; a lost answer is one the engine had given."""
    lost = {
        each.rule.rpartition("/")[0]
        for each in evidence.of(Tapped)
        if each.action == action and (action != "lose-answer" or each.engine_status == "OK")
    }
    return {(saga.tenant, saga.saga_id) for saga in driven.fed if _rule_name(saga) in lost}


def _rule_name(saga: Saga) -> str:
    return f"{saga.program.suite}/{saga.program.case}/{saga.tenant}"


def _attempts(evidence: Evidence) -> dict[Place, int]:
    """The last attempt of every activity that completed."""
    return {
        (run.tenant, activity.saga_id, activity.step, activity.direction): activity.attempt
        for run in runs(evidence).values()
        for activity in run.activities.values()
        if activity.ended == "completed"
    }
