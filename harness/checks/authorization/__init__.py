"""Externalised authorization: whether, when and how the PDP was asked, and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from harness.checks.authorization.attempts import asked, done, place_of
from harness.checks.authorization.certified import pdp_is_certified
from harness.checks.authorization.closed import closed_on_every_error
from harness.checks.authorization.denied import a_deny_is_final
from harness.checks.authorization.obligations import obligations_are_honoured_or_refused
from harness.checks.authorization.outage import (
    a_rollback_is_authorized_and_ends,
    an_outage_is_bounded,
)
from harness.checks.authorization.question import the_right_question_is_asked
from harness.checks.authorization.reuse import no_allow_outlives_its_policy
from harness.checks.authorization.source import workflows_do_not_ask
from harness.checks.check import Check, Evidence, Finding
from harness.checks.histories import Place, coverage, runs, sagas
from harness.checks.histories.clauses import Broken, conclude
from harness.checks.histories.ledger import named
from harness.contract.program import ACTIVITY_TYPES
from harness.journal.records import (
    Answer,
    Decision,
    Effect,
    Fault,
    History,
    Operation,
    Part,
    Process,
    Program,
    Record,
    SourceScan,
    Subject,
)

UNASKED: Final = "effect without a decision"
UNASKED_RESULT: Final = "completed without a decision"
TOO_EARLY: Final = "effect before the answer"
NOT_ASKED_AGAIN: Final = "retry without a decision"


def every_activity_asks(evidence: Evidence) -> Finding:
    """ADR, Invariants: "Workflow activities must call PDP for authorization decisions".

    Every request that reached a service has a decision of the same tenant, saga, step, direction,
    run and attempt, and so has every activity that a history shows as completed. All eight activity
    types must have been seen to ask.
    """
    decided = asked(evidence)
    effects = done(evidence)
    broken = [
        Broken(UNASKED, f"{named(each)}; the PDP was not asked in this attempt")
        for attempt, requests in effects.items()
        if attempt not in decided
        for each in requests
    ]
    completed = list(_completed(evidence))
    broken += [each for each in completed if each]
    types = Counter(
        f"{requests[0].service}.{requests[0].operation}"
        for attempt, requests in effects.items()
        if attempt in decided
    )
    unseen = [name for name in ACTIVITY_TYPES if not types[name]]
    lacks = [
        coverage(evidence, "INV-PDP-1").lacks,
        f"never seen: {', '.join(unseen)}" if unseen else "",
    ]
    figures: dict[str, Any] = {
        "attempts_with_effect": len(effects),
        "retries_with_effect": sum(attempt[5] > 1 for attempt in effects),
        "completed_activities": len(completed),
        "by_activity_type": dict(sorted(types.items())),
    }
    kept = (
        f"all {len(effects)} attempts with an effect, over {len(types)} activity types, and all "
        f"{len(completed)} completed activities asked the PDP"
    )
    return conclude((UNASKED, UNASKED_RESULT), broken, lacks, kept, figures)


def _completed(evidence: Evidence) -> Iterator[Broken | None]:
    """For each completed activity of a driven saga what is wrong with it, if anything."""
    driven = sagas(evidence)
    decided = {(*place_of(attempt), attempt[5]) for attempt in asked(evidence)}
    for run in runs(evidence).values():
        for activity in run.activities.values():
            if activity.ended != "completed" or (run.tenant, run.saga_id) not in driven:
                continue
            place: Place = (run.tenant, activity.saga_id, activity.step, activity.direction)
            if (*place, activity.attempt) in decided:
                yield None
                continue
            text = (
                f"{run.name} step {activity.step} {activity.direction} attempt "
                f"{activity.attempt}: {activity.type} completed and the PDP was not asked"
            )
            yield Broken(UNASKED_RESULT, text, run.history.path)


def the_answer_comes_first(evidence: Evidence) -> Finding:
    """ADR, Invariants: "Workflow activities must call PDP for authorization decisions".

    In each attempt the decision comes before the effect: an allow had been answered completely when
    the request reached the service. A retry asks again instead of carrying an answer over.
    """
    decided = asked(evidence)
    ever_asked = {place_of(attempt) for attempt in decided}
    broken: list[Broken] = []
    retried = 0
    judged = 0
    for attempt, effects in done(evidence).items():
        decisions = decided.get(attempt)
        if decisions is None:
            if place_of(attempt) in ever_asked:
                text = f"{named(effects[0])}; only other attempts asked"
                broken.append(Broken(NOT_ASKED_AGAIN, text))
            continue
        judged += len(effects)
        retried += attempt[5] > 1
        broken += [
            Broken(TOO_EARLY, f"{named(each)}; it arrived before an answer was complete")
            for each in effects
            if not any(_precedes(decision, each) for decision in decisions)
        ]
    lacks = [
        coverage(evidence, "INV-PDP-2").lacks,
        "" if retried else "no second attempt reached a service, so no retry was seen to ask again",
    ]
    kept = (
        f"{judged} effects followed a decision of their own attempt, {retried} retries asked anew"
    )
    figures = {"effects_judged": judged, "retries_with_effect": retried}
    return conclude((TOO_EARLY, NOT_ASKED_AGAIN), broken, lacks, kept, figures)


def _precedes(decision: Decision, effect: Effect) -> bool:
    """Whether a decision was over when an effect's request arrived.

    What is not an allow is judged elsewhere; here its place in the sequence suffices.
    """
    if decision.seq >= effect.seq:
        return False
    if decision.answer is not Answer.ALLOW:
        return True
    return 0 < decision.answered_ns <= effect.received_ns


# a worker that never asks leaves no decision at all, which is a failure and no lack of evidence
_NEEDS: Final[dict[type[Record], int]] = {Decision: 0, Effect: 1, Program: 1, History: 1}
_ANSWERED: Final[dict[type[Record], int]] = {**_NEEDS, Decision: 1, Effect: 0, Process: 0, Fault: 0}
_ASKED: Final[dict[type[Record], int]] = {
    Decision: 1, Effect: 0, Program: 1, History: 1, Operation: 0,
}  # fmt: skip

CHECKS: Final[tuple[Check, ...]] = (
    Check(id="INV-PDP-1", subject=Subject.WORKER, needs=_NEEDS, judge=every_activity_asks),
    Check(id="INV-PDP-2", subject=Subject.WORKER, needs=_NEEDS, judge=the_answer_comes_first),
    Check(id="INV-PDP-3", subject=Subject.WORKER, needs=_ANSWERED, judge=closed_on_every_error),
    Check(id="INV-PDP-4", subject=Subject.WORKER, needs=_ANSWERED, judge=a_deny_is_final),
    Check(
        id="INV-PDP-10",
        subject=Subject.PDP,
        needs={Operation: 1},
        judge=pdp_is_certified,
    ),
    Check(
        id="INV-PDP-13",
        subject=Subject.WORKER,
        needs={SourceScan: 0, Part: 1},
        judge=workflows_do_not_ask,
    ),
    Check(id="INV-PDP-5", subject=Subject.WORKER, needs=_ASKED, judge=an_outage_is_bounded),
    Check(id="INV-PDP-6", subject=Subject.WORKER, needs=_ASKED, judge=the_right_question_is_asked),
    Check(id="INV-PDP-7", subject=Subject.WORKER, needs=_ASKED, judge=no_allow_outlives_its_policy),
    Check(
        id="INV-PDP-8", subject=Subject.WORKER, needs=_ASKED,
        judge=obligations_are_honoured_or_refused,
    ),
    Check(
        id="INV-PDP-11", subject=Subject.WORKER, needs=_ASKED,
        judge=a_rollback_is_authorized_and_ends,
    ),
)  # fmt: skip
