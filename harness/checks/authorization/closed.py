"""INV-PDP-3: the enforcement point fails closed, in time, and only when it must."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final

from harness.checks.authorization.attempts import (
    Interruptions,
    asked,
    done,
    followed_redirect,
    named,
)
from harness.checks.check import Evidence, Finding
from harness.checks.histories import CANCELED, TERMINATED, TIMED_OUT, Run, coverage, runs
from harness.checks.histories.clauses import Broken, conclude
from harness.checks.histories.ledger import named as named_effect
from harness.checks.histories.saga import ended_runs
from harness.contract.pdp_modes import MODES
from harness.groups import GROUPS
from harness.journal.records import Answer, Decision

FALSE_ALLOW: Final = "FALSE_ALLOW"
FALSE_DENY: Final = "FALSE_DENY"
TOO_LONG: Final = "waited too long"
_MARGIN: Final = 1.5
_IN_TIME: Final = 0.8  # of the deadline: an answer that took longer may have come too late
_MS: Final = 1_000_000
_DIGITS: Final = len("FM-00")
_DIRECTIONS: Final = ("forward", "compensation")
_CONTROLS: Final = {mode.id for mode in MODES if mode.family == "control"}
_FAILURES: Final = {mode.id[:_DIGITS] for mode in MODES} - {m[:_DIGITS] for m in _CONTROLS}
_OBLIGES: Final = {mode.id: mode.obligation for mode in MODES if mode.obligation}
_STALLS: Final = {mode.id for mode in MODES if mode.family == "timing"}


def closed_on_every_error(evidence: Evidence) -> Finding:
    """ADR, Invariants: "Workflow activities must call PDP for authorization decisions; fail-closed
    on authorization errors".

    In a saga that was driven for it nothing reaches a service but after a valid allow of the same
    attempt (else FALSE_ALLOW; an allow with an obligation that the platform declares to carry out
    is judged by INV-PDP-8). After a valid allow, however unusual, the service is called (else
    FALSE_DENY, unless the attempt was interrupted). Nobody waits for an answer much longer than the
    declared deadline. Every way to fail and every control must have been met, forward and back.
    """
    deadline_ns = int(evidence.parameters.get("pdp_deadline_ms", 1000)) * _MS
    decisions = [each for group in asked(evidence).values() for each in group]
    judge = _AllowJudge(evidence, deadline_ns)
    broken = [
        *_false_allows(evidence),
        *_unasked(evidence),
        *judge.false_denies(),
        *_waits(decisions, deadline_ns),
    ]
    links = dict(_links(evidence))
    lacks = [
        coverage(evidence, "INV-PDP-3").lacks,
        *_not_asked(decisions, judge.followed),
        *(f"the PDP was never away in {name}" for name, closed in links.items() if not closed),
    ]
    modes = Counter(each.mode for each in decisions)
    figures: dict[str, Any] = {
        "questions": len(decisions),
        "failure_modes": len(_failure_modes(decisions, "forward")),
        "failure_modes_back": len(_failure_modes(decisions, "compensation")),
        "attempts_without_a_pdp": links,
        "allows_not_judged": judge.not_judged,
        "redirects_followed": sum(map(followed_redirect, evidence.of(Decision))),
        "asked_by_mode": dict(sorted(modes.items())),
    }
    kept = (
        f"{len(decisions)} questions in {figures['failure_modes']} failure modes forward, "
        f"{figures['failure_modes_back']} back, and {len(_CONTROLS)} controls: no effect without "
        f"a valid allow, none withheld after one, and nobody waited longer than {_MARGIN:g} "
        "deadlines"
    )
    return conclude((FALSE_ALLOW, FALSE_DENY, TOO_LONG), broken, lacks, kept, figures)


def _false_allows(evidence: Evidence) -> Iterator[Broken]:
    effects = done(evidence)
    carried_out = set(evidence.parameters.get("obligations_honoured", ()))
    for attempt, decisions in asked(evidence).items():
        if attempt not in effects:
            continue
        for decision in decisions:
            honoured = _OBLIGES.get(decision.mode, "") in carried_out
            if decision.answer is not Answer.ALLOW and not honoured:
                effect = effects[attempt][0]
                text = f"{named(decision)}, and {effect.service}.{effect.operation} was called"
                yield Broken(FALSE_ALLOW, text)


def _unasked(evidence: Evidence) -> Iterator[Broken]:
    """Effects of sagas driven for this, in attempts whose question reached no PDP."""
    fed = {(saga.tenant, saga.saga_id) for saga in coverage(evidence, "INV-PDP-3").fed}
    decided = asked(evidence)
    for attempt, effects in done(evidence).items():
        if attempt[:2] in fed and attempt not in decided:
            yield Broken(FALSE_ALLOW, f"{named_effect(effects[0])}; the PDP was not reached")


def _links(evidence: Evidence) -> Iterator[tuple[str, int]]:
    """For each saga whose worker has a PDP address of its own, by case and direction, how many
    attempts the history has for which no question arrived: they were closed."""
    decided = asked(evidence)
    ends = ended_runs(evidence)
    for saga in coverage(evidence, "INV-PDP-3").ended:
        pdp = GROUPS[saga.program.group].pdp if saga.program.group in GROUPS else ""
        if not pdp:
            continue
        closed = dict.fromkeys(("forward",) if "://" in pdp else _DIRECTIONS, 0)
        for run in ends[saga.tenant, saga.workflow_id]:
            for activity in run.activities.values():
                place = (saga.tenant, saga.saga_id, activity.step, activity.direction)
                arrived = sum(attempt[:4] == place for attempt in decided)
                if activity.direction in closed:
                    closed[activity.direction] += max(0, activity.attempt - arrived)
        for direction, attempts in closed.items():
            yield f"{saga.program.case} {direction}", attempts


def _waits(decisions: Iterable[Decision], deadline_ns: int) -> Iterator[Broken]:
    for decision in decisions:
        if decision.mode in _STALLS:
            lasted_ns = decision.at_ns - decision.received_ns
            if lasted_ns > _MARGIN * deadline_ns:
                yield Broken(TOO_LONG, f"{named(decision)}, waited for {lasted_ns // _MS} ms")


class _AllowJudge:
    """Whether what was allowed was done. `followed`: the modes and directions in which it was."""

    def __init__(self, evidence: Evidence, deadline_ns: int) -> None:
        self.followed: set[tuple[str, str]] = set()
        self.not_judged = 0
        self._evidence = evidence
        self._in_time_ns = _IN_TIME * deadline_ns
        self._interruptions = Interruptions(evidence)
        self._runs = runs(evidence)

    def false_denies(self) -> list[Broken]:
        effects = done(self._evidence)
        return [
            Broken(FALSE_DENY, f"{named(decision)}, and no service was called", run.history.path)
            for attempt, decisions in asked(self._evidence).items()
            for decision in decisions
            if decision.answer is Answer.ALLOW
            and (run := self._withheld(decision, followed=attempt in effects))
        ]

    def _withheld(self, decision: Decision, *, followed: bool) -> Run | None:
        """The run whose attempt had an allow and did not use it."""
        if followed:
            self.followed.add((decision.mode, decision.direction))
            return None
        run = self._runs.get((decision.tenant, decision.run_id))
        if run is None or not self._undisturbed(run, decision):
            self.not_judged += 1
            return None
        return run

    def _undisturbed(self, run: Run, decision: Decision) -> bool:
        """Whether the attempt had its answer in time and was left alone to use it."""
        took_ns = (decision.answered_ns or decision.at_ns) - decision.received_ns
        return (
            took_ns <= self._in_time_ns
            and bool(run.closing)
            and run.closing not in (CANCELED, TERMINATED, TIMED_OUT)
            and not run.cancel_requested
            and not self._interruptions.concern(decision)
        )


def _failure_modes(decisions: Iterable[Decision], direction: str) -> set[str]:
    return {each.mode[:_DIGITS] for each in decisions if each.direction == direction} & _FAILURES


def _not_asked(decisions: Iterable[Decision], followed: set[tuple[str, str]]) -> Iterator[str]:
    seen = followed | {(d.mode, d.direction) for d in decisions if d.answer is Answer.DENY}
    for direction in _DIRECTIONS:
        missing = _FAILURES - _failure_modes(decisions, direction)
        if missing:
            yield f"never asked, {direction}: {', '.join(sorted(missing))}"
        unshown = {control for control in _CONTROLS if (control, direction) not in seen}
        if unshown:
            shown = ", ".join(sorted(unshown))
            yield f"no attempt shows what follows, {direction}, on the controls {shown}"
