"""INV-PDP-5 and INV-PDP-11: what an outage of the PDP may cost, forward and in a rollback."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from harness.checks.authorization.attempts import asked, attempt_of, done, named
from harness.checks.check import Evidence, Finding
from harness.checks.histories import TIMED_OUT, Activity, Place, Run, Saga, coverage, remembered
from harness.checks.histories.clauses import Broken, conclude
from harness.checks.histories.ledger import applied, requests
from harness.checks.histories.ledger import named as named_effect
from harness.checks.histories.pace import starved
from harness.checks.histories.saga import ended_runs, steps_of
from harness.journal.records import Answer, Decision, History, Program

BEYOND: Final = "asked beyond the policy"
WITHIN: Final = "asked again within an attempt"
SEVERAL: Final = "several effects"
NO_END: Final = "without an end"
UNALLOWED: Final = "compensated without an allow"
NOT_BACK: Final = "not rolled back"
UNAVAILABLE: Final = "AuthorizationUnavailable"
_PACE_NS: Final = 1_000_000_000  # from an allow to its request: no machine with time to spare
_NEARLY: Final = 0.4  # of the time an attempt may take: the saga's own time may run out first


@dataclass(frozen=True, slots=True)
class _Met:
    """A step in one direction whose PDP was away at least once: its questions and its activity."""

    saga: Saga
    run: Run
    place: Place
    decisions: list[Decision]
    activity: Activity | None

    @property
    def name(self) -> str:
        """For a witness."""
        return f"{self.saga.name} step {self.place[2]} {self.place[3]}"

    @property
    def most(self) -> int:
        """How many attempts its policy allows."""
        return self.saga.retry(self.place[2], self.place[3]).max_attempts


@remembered(Decision)
def _by_place(evidence: Evidence) -> dict[Place, list[Decision]]:
    found: dict[Place, list[Decision]] = {}
    for attempt, decisions in asked(evidence).items():
        found.setdefault(attempt[:4], []).extend(decisions)
    return found


@remembered(Decision, Program, History)
def _met(evidence: Evidence, assertion_id: str) -> list[_Met]:
    """The steps driven for an assertion that were asked for in vain, in sagas that ended."""
    ends = ended_runs(evidence)
    found = []
    for saga in coverage(evidence, assertion_id).ended:
        (run, *_) = ends[saga.tenant, saga.workflow_id]
        activities = {(a.step, a.direction): a for a in run.activities.values()}
        for step in steps_of(saga.nodes):
            for direction in ("forward", "compensation"):
                place = (saga.tenant, saga.saga_id, step, direction)
                decisions = _by_place(evidence).get(place, [])
                if any(each.answer is Answer.NONE for each in decisions):
                    activity = activities.get((step, direction))
                    found.append(_Met(saga, run, place, decisions, activity))
    return found


def an_outage_is_bounded(evidence: Evidence) -> Finding:
    """ADR, Invariants: "fail-closed on authorization errors".

    While the PDP is away a step asks once in each attempt and makes no more attempts than its
    policy allows; it ends, and so does its saga, before the horizon; and when the PDP is back, what
    was put off is done once. An outage that was survived and one that outlasted the policy must
    both have been met.
    """
    met = _met(evidence, "INV-PDP-5")
    patience = _Patience(evidence)
    broken = [each for one in met for each in _bounds(evidence, one)]
    broken += [each for one in met for each in patience.broken(one)]
    survived = [one for one in met if one.activity and one.activity.ended == "completed"]
    outlasted = [one for one in met if one.activity and one.activity.failure == UNAVAILABLE]
    lacks = [
        coverage(evidence, "INV-PDP-5").lacks,
        "" if survived else "no step was seen to survive an outage",
        "" if outlasted else "no step was seen to give up in an outage that outlasted its policy",
        patience.lacks,
    ]
    figures: dict[str, Any] = {
        "steps_in_outages": len(met),
        "survived": len(survived),
        "given_up": len(outlasted),
        "most_questions": max((len(one.decisions) for one in met), default=0),
        "longest_question_ms": max(
            ((d.at_ns - d.received_ns) / 1e6 for one in met for d in one.decisions), default=0.0
        ),
    }
    kept = (
        f"{len(survived)} steps survived an outage with one effect each, {len(outlasted)} gave up "
        "within their policy; none asked more than once in an attempt"
    )
    return conclude((BEYOND, WITHIN, SEVERAL, NO_END), broken, lacks, kept, figures)


def _bounds(evidence: Evidence, one: _Met) -> Iterator[Broken]:
    path = one.run.history.path
    attempts = {(each.run_id, each.attempt) for each in one.decisions}
    last = max(attempt for _, attempt in attempts)
    if last > one.most:
        text = f"{one.name}: attempt {last}, the policy allows {one.most}"
        yield Broken(BEYOND, text, path)
    for attempt in dict.fromkeys(map(attempt_of, one.decisions)):
        decisions = asked(evidence)[attempt]
        if len(decisions) > 1:
            text = f"{named(decisions[0])}: {len(decisions)} questions in one attempt"
            yield Broken(WITHIN, text, path)
    effects = applied(requests(evidence).get(one.place, []))
    if len(effects) > 1:
        yield Broken(SEVERAL, f"{named_effect(effects[1])}: applied {len(effects)} times", path)


class _Patience:
    """Which steps did nothing for so long that their saga ran out of time.

    A machine that is starved lets everybody wait: `slow` says that this one was, and then nobody
    is blamed. `not_judged` are sagas that timed out all the same.
    """

    def __init__(self, evidence: Evidence) -> None:
        self.not_judged = 0
        decided = asked(evidence)
        self.slow = bool(starved(evidence)) or any(
            effect.received_ns - decision.answered_ns > _PACE_NS
            for attempt, effects in done(evidence).items()
            for effect in effects[:1]
            for decision in decided.get(attempt, [])[:1]
            if decision.answered_ns
        )

    def broken(self, one: _Met) -> Iterator[Broken]:
        """A saga that timed out because this step waited, asked or not, longer than it may run."""
        if one.run.closing != TIMED_OUT:
            return
        most_ns = one.saga.node(one.place[2]).get("start_to_close_ms", 10_000) * 1_000_000
        waited_ns = max(_pauses(one))
        if self.slow or waited_ns < _NEARLY * most_ns:
            self.not_judged += 1
            return
        text = f"{one.name}: nothing happened for {waited_ns // 10**9} s, and the run timed out"
        yield Broken(NO_END, text, one.run.history.path)

    @property
    def lacks(self) -> str:
        """What could not be judged."""
        return f"{self.not_judged} steps of sagas that timed out" if self.not_judged else ""


def _pauses(one: _Met) -> Iterator[int]:
    """Between the questions of a step, and after the last one if the step never ended."""
    questions = sorted(one.decisions, key=lambda each: each.seq)
    for earlier, later in pairwise(questions):
        yield later.received_ns - earlier.at_ns
    ended = one.activity is not None and one.activity.ended == "completed"
    yield 0 if ended else one.run.closed_ns - questions[-1].wall_ns


def a_rollback_is_authorized_and_ends(evidence: Evidence) -> Finding:
    """ADR, Invariants: "fail-closed on authorization errors"; Consequences: "automatic rollback".

    While the PDP is away during a rollback nothing is compensated without an allow of the same
    attempt (unless `compensation_authorization` exempts it); once the PDP is back the saga ends
    fully compensated. A rollback whose outage outlasted its retries shows nothing.
    """
    met = [one for one in _met(evidence, "INV-PDP-11") if one.place[3] == "compensation"]
    broken: list[Broken] = []
    if evidence.parameters.get("compensation_authorization", "required") == "required":
        broken += _unallowed(evidence)
    outlasted = [one for one in met if _outlasted(one)]
    patience = _Patience(evidence)
    for one in met:
        broken += patience.broken(one)
        broken += [] if one in outlasted else _not_back(evidence, one)
    back = [one for one in met if one.activity and one.activity.ended == "completed"]
    lacks = [
        coverage(evidence, "INV-PDP-11").lacks,
        "" if back else "no compensation was seen to survive an outage",
        f"{len(outlasted)} compensations whose outage outlasted their retries" if outlasted else "",
        patience.lacks,
    ]
    figures = {"compensations_in_outages": len(met), "completed_afterwards": len(back)}
    kept = f"{len(back)} compensations waited for the PDP to come back, and none went without it"
    return conclude((UNALLOWED, NOT_BACK, NO_END), broken, lacks, kept, figures)


def _unallowed(evidence: Evidence) -> Iterator[Broken]:
    fed = {(saga.tenant, saga.saga_id) for saga in coverage(evidence, "INV-PDP-11").fed}
    decided = asked(evidence)
    for attempt, effects in done(evidence).items():
        if attempt[:2] not in fed or attempt[3] != "compensation":
            continue
        if not any(each.answer is Answer.ALLOW for each in decided.get(attempt, ())):
            yield Broken(UNALLOWED, f"{named_effect(effects[0])}, and the PDP had not allowed it")


def _outlasted(one: _Met) -> bool:
    return (
        one.activity is not None
        and one.activity.ended != "completed"
        and len(one.decisions) >= one.most
    )


def _not_back(evidence: Evidence, one: _Met) -> Iterator[Broken]:
    tenant, saga_id, step, _ = one.place
    ledger = requests(evidence)
    forward = applied(ledger.get((tenant, saga_id, step, "forward"), []))
    if forward and not applied(ledger.get(one.place, [])) and one.run.closing != TIMED_OUT:
        text = f"{one.name}: {forward[0].service}.{forward[0].operation} stands, and the saga ended"
        yield Broken(NOT_BACK, text, one.run.history.path)
