"""INV-PDP-4: an explicit deny ends the step at once, and the saga says so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from harness.checks.authorization.attempts import Interruptions, asked, named
from harness.checks.check import Evidence, Finding
from harness.checks.histories import (
    CANCELED,
    FAILED,
    TERMINATED,
    TIMED_OUT,
    Activity,
    Run,
    coverage,
    runs,
)
from harness.checks.histories.clauses import Broken, conclude
from harness.journal.records import Answer, Decision

AGAIN: Final = "asked again"
NOT_TYPED: Final = "not typed"
NOT_ENDED: Final = "wrong ending"
DENIED: Final = "AuthorizationDenied"
_OVERRIDDEN: Final = (CANCELED, TERMINATED, TIMED_OUT)

_Question = tuple[str, str, int, str, str]  # tenant, saga id, step, direction, run id


def a_deny_is_final(evidence: Evidence) -> Finding:
    """ADR, Invariants: "Workflow activities must call PDP for authorization decisions".

    After an explicit deny the step is not attempted again, its activity fails with
    AuthorizationDenied, and the saga takes its deny branch: the run ends with SagaFailed because of
    AuthorizationDenied (where a compensation was denied: with SagaFailed).
    """
    denies = _denies(evidence)
    judge = _DenyJudge(evidence)
    broken = [each for question, found in denies.items() for each in judge.broken(question, found)]
    forward = {decision.saga_id for decision in judge.ended if decision.direction == "forward"}
    driven = coverage(evidence, "INV-PDP-4")
    lacks = [
        driven.lacks,
        ""
        if forward & {saga.saga_id for saga in driven.fed}
        else "no saga driven for it was denied a forward step and came to a recorded end",
    ]
    compensated = sum(bool(judge.run_of(each).detail.get("compensated")) for each in judge.ended)
    figures = {
        "denies": len(denies),
        "with_recorded_end": len(judge.ended),
        "compensated_after": compensated,
        "interrupted": judge.interrupted,
    }
    kept = (
        f"{len(judge.ended)} denied steps had no further attempt and failed as {DENIED}; "
        f"{compensated} of their sagas compensated what they had done"
    )
    return conclude((AGAIN, NOT_TYPED, NOT_ENDED), broken, lacks, kept, figures)


def _denies(evidence: Evidence) -> dict[_Question, list[Decision]]:
    """The questions that were denied at least once, with everything asked for them in that run."""
    by_question: dict[_Question, list[Decision]] = {}
    for attempt, decisions in asked(evidence).items():
        by_question.setdefault(attempt[:5], []).extend(decisions)
    return {
        question: sorted(decisions, key=lambda decision: decision.seq)
        for question, decisions in by_question.items()
        if any(decision.answer is Answer.DENY for decision in decisions)
    }


class _DenyJudge:
    """Judges one denied question at a time. `ended` are the denies whose run has ended."""

    def __init__(self, evidence: Evidence) -> None:
        self.ended: list[Decision] = []
        self.interrupted = 0
        self._runs = runs(evidence)
        self._interruptions = Interruptions(evidence)

    def run_of(self, deny: Decision) -> Run:
        """The run of a deny in `ended`."""
        return self._runs[deny.tenant, deny.run_id]

    def broken(self, question: _Question, decisions: list[Decision]) -> Iterator[Broken]:
        """What is wrong with the course of a step after its first deny."""
        deny = next(each for each in decisions if each.answer is Answer.DENY)
        later = [each for each in decisions if each.seq > deny.seq]
        if self._interruptions.concern(deny):
            self.interrupted += 1
            return
        run = self._runs.get((deny.tenant, deny.run_id))
        path = run.history.path if run else ""
        if later:
            text = f"{named(deny)}, and the PDP was asked again: {named(later[-1])}"
            yield Broken(AGAIN, text, path)
        if run is None or not run.closing:
            return
        self.ended.append(deny)
        activity = _activity(run, question)
        if activity is not None:
            yield from self._activity_of(run, deny, activity, path)
        yield from self._ending_of(run, deny, path)

    def _activity_of(
        self, run: Run, deny: Decision, activity: Activity, path: str
    ) -> Iterator[Broken]:
        if activity.attempt > deny.attempt:
            text = f"{named(deny)}, and the history has attempt {activity.attempt}"
            yield Broken(AGAIN, text, path)
        if run.cancel_requested or run.closing in _OVERRIDDEN:
            return
        if activity.ended != "failed" or activity.failure != DENIED:
            text = f"{named(deny)}, and the activity {activity.ended or 'is open'}"
            yield Broken(NOT_TYPED, f"{text} {activity.failure}".rstrip(), path)

    def _ending_of(self, run: Run, deny: Decision, path: str) -> Iterator[Broken]:
        if run.cancel_requested or run.closing in _OVERRIDDEN:
            return
        cause = run.detail.get("cause", "")
        saga_failed = run.closing == FAILED and run.failure == "SagaFailed"
        if not saga_failed or (deny.direction == "forward" and cause != DENIED):
            text = f"{named(deny)}, and the run ended with {run.closing} {run.failure} {cause}"
            yield Broken(NOT_ENDED, text.rstrip(), path)


def _activity(run: Run, question: _Question) -> Activity | None:
    _, saga_id, step, direction, _ = question
    found = [
        activity
        for activity in run.activities.values()
        if (activity.saga_id, activity.step, activity.direction) == (saga_id, step, direction)
    ]
    return found[-1] if found else None
