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
from harness.contract.pdp_modes import MODES
from harness.journal.records import Answer, Decision

FALSE_ALLOW: Final = "FALSE_ALLOW"
FALSE_DENY: Final = "FALSE_DENY"
TOO_LONG: Final = "waited too long"
LEAST_FAILURE_MODES: Final = 20
_MARGIN: Final = 1.5
_IN_TIME: Final = 0.8  # of the deadline: an answer that took longer may have come too late
_MS: Final = 1_000_000
_DIGITS: Final = len("FM-00")
_CONTROLS: Final = {mode.id for mode in MODES if mode.family == "control"}
_FAILURES: Final = {mode.id[:_DIGITS] for mode in MODES} - {m[:_DIGITS] for m in _CONTROLS}
_STALLS: Final = {mode.id for mode in MODES if mode.family == "timing"}


def closed_on_every_error(evidence: Evidence) -> Finding:
    """ADR, Invariants: "Workflow activities must call PDP for authorization decisions; fail-closed
    on authorization errors".

    After an answer that is no valid allow nothing reaches a service in that attempt (else
    FALSE_ALLOW); after a valid allow, however unusual, the service is called (else FALSE_DENY,
    unless the attempt was interrupted); and nobody waits for an answer much longer than the
    declared deadline. At least 20 ways to fail and all the controls must have been asked.
    """
    deadline_ns = int(evidence.parameters.get("pdp_deadline_ms", 1000)) * _MS
    decisions = [each for group in asked(evidence).values() for each in group]
    judge = _AllowJudge(evidence, deadline_ns)
    broken = [
        *_false_allows(evidence),
        *judge.false_denies(),
        *_waits(decisions, deadline_ns),
    ]
    lacks = [coverage(evidence, "INV-PDP-3").lacks, *_not_asked(decisions, judge.followed)]
    modes = Counter(each.mode for each in decisions)
    figures: dict[str, Any] = {
        "questions": len(decisions),
        "failure_modes": len(_failure_modes(decisions)),
        "allows_not_judged": judge.not_judged,
        "redirects_followed": sum(map(followed_redirect, evidence.of(Decision))),
        "asked_by_mode": dict(sorted(modes.items())),
    }
    kept = (
        f"{len(decisions)} questions in {figures['failure_modes']} failure modes and "
        f"{len(_CONTROLS)} controls: no effect without a valid allow, none withheld after one, "
        f"and nobody waited longer than {_MARGIN:g} deadlines"
    )
    return conclude((FALSE_ALLOW, FALSE_DENY, TOO_LONG), broken, lacks, kept, figures)


def _false_allows(evidence: Evidence) -> Iterator[Broken]:
    effects = done(evidence)
    for attempt, decisions in asked(evidence).items():
        if attempt not in effects:
            continue
        for decision in decisions:
            if decision.answer is not Answer.ALLOW:
                effect = effects[attempt][0]
                text = f"{named(decision)}, and {effect.service}.{effect.operation} was called"
                yield Broken(FALSE_ALLOW, text)


def _waits(decisions: Iterable[Decision], deadline_ns: int) -> Iterator[Broken]:
    for decision in decisions:
        if decision.mode in _STALLS:
            lasted_ns = decision.at_ns - decision.received_ns
            if lasted_ns > _MARGIN * deadline_ns:
                yield Broken(TOO_LONG, f"{named(decision)}, waited for {lasted_ns // _MS} ms")


class _AllowJudge:
    """Whether what was allowed was done. `followed` are the modes after which it was."""

    def __init__(self, evidence: Evidence, deadline_ns: int) -> None:
        self.followed: set[str] = set()
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
            self.followed.add(decision.mode)
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


def _failure_modes(decisions: Iterable[Decision]) -> set[str]:
    return {decision.mode[:_DIGITS] for decision in decisions} & _FAILURES


def _not_asked(decisions: Iterable[Decision], followed: set[str]) -> Iterator[str]:
    found = _failure_modes(decisions)
    if len(found) < LEAST_FAILURE_MODES:
        missing = ", ".join(sorted(_FAILURES - found))
        yield (
            f"{len(found)} failure modes were asked, {LEAST_FAILURE_MODES} are the least; "
            f"not asked: {missing}"
        )
    seen = followed | {each.mode for each in decisions if each.answer is Answer.DENY}
    if not seen >= _CONTROLS:
        missing = ", ".join(sorted(_CONTROLS - seen))
        yield f"no attempt shows what follows on the controls {missing}"
