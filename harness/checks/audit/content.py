"""What events say: who did what, when, where, with what outcome and why; and denials."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from harness.checks.audit.matching import Match, meaning, reconcile
from harness.checks.audit.order import by_run
from harness.checks.check import Evidence, Finding
from harness.checks.histories import Activity, Run, coverage, runs
from harness.checks.histories.clauses import Broken, conclude
from harness.journal.records import Answer, Decision

REQUIRED: Final = (
    "tenant", "actor", "workflow_id", "workflow_type", "namespace", "transition", "time",
    "outcome", "correlation", "reason",
)  # fmt: skip
_WITH_REASON: Final = frozenset({"failed", "terminated", "timed_out"})
CORRELATION: Final = "correlation changes"
TYPE: Final = "wrong type"
UNAUDITED: Final = "denial without event"
NO_CLASS: Final = "no reason class"
NO_WHAT: Final = "no action"
_REFUSALS: Final = frozenset({"AuthorizationDenied", "AuthorizationUnavailable"})
_ENGINE: Final = (
    "refused_calls_audited is declared as required, and calls that the engine refuses leave "
    "nothing in a history: that needs a gateway or a secured cluster"
)


def events_say_enough(evidence: Evidence) -> Finding:
    """ADR, Data Classification: "Contain workflow execution metadata".

    Every event that arrived for a transition carries the fields that are declared as required, a
    reason where something failed, was terminated or timed out; the workflow type is the history's,
    and all events of a run have one correlation id.
    """
    required = tuple(evidence.parameters.get("audit_fields", REQUIRED))
    found = by_run(evidence)
    matches = [match for of_run in found.values() for match in of_run]
    owed: Counter[str] = Counter()
    given: Counter[str] = Counter()
    broken = [each for match in matches for each in _absent(match, required, owed, given)]
    broken += [each for of_run in found.values() for each in _contradicted(of_run)]
    lacks = [
        coverage(evidence, "INV-AUD-6").lacks,
        "" if matches else "no event arrived for a transition",
    ]
    complete = {f"{word}_percent": _percent(given[word], owed[word]) for word in required}
    kept = f"all {len(matches)} events carry {', '.join(required)}"
    figures = {"events": len(matches), **complete}
    return conclude((*required, CORRELATION, TYPE), broken, lacks, kept, figures)


def _percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 1) if whole else 0.0


def _absent(
    match: Match, required: tuple[str, ...], owed: Counter[str], given: Counter[str]
) -> Iterator[Broken]:
    for word in required:
        if word == "reason" and match.first.says("outcome") not in _WITH_REASON:
            continue
        owed[word] += 1
        if match.first.says(word):
            given[word] += 1
        else:
            yield Broken(word, f"{match.first.name} says no {word}", match.run.history.path)


def _contradicted(matches: list[Match]) -> Iterator[Broken]:
    ids = {match.first.says("correlation") for match in matches} - {""}
    if len(ids) > 1:
        text = f"the events of {matches[0].run.name} have {len(ids)} correlation ids"
        yield Broken(CORRELATION, text, matches[0].run.history.path)
    for match in matches:
        said, is_so = match.first.says("workflow_type"), match.run.history.workflow_type
        if said and said != is_so:
            text = f"{match.first.name} says workflow type {said}, the history {is_so}"
            yield Broken(TYPE, text, match.run.history.path)


def denials_are_audited(evidence: Evidence) -> Finding:
    """ADR, Context: "must support audit trails".

    Each activity that ended because its authorization was denied or failed has its failed event,
    which names the class of the failure as its reason and the activity that was tried. A call that
    the engine itself refuses, as one with another tenant's task token, leaves nothing in a history
    and is asked only where that is declared.
    """
    found = reconcile(evidence, meaning(evidence.parameters))
    refused = [
        (run, activity)
        for run in runs(evidence).values()
        for activity in run.activities.values()
        if activity.failure in _REFUSALS
    ]
    events = {(m.run.history.run_id, m.transition.event_id): m for m in found.matches.values()}
    waiting = found.not_due["ACTIVITY_TASK_FAILED"]
    broken = [
        each
        for run, activity in refused
        for each in _denial(run, activity, events)
        if not (waiting and each.clause == UNAUDITED)
    ]
    denials = sum(1 for d in evidence.of(Decision) if d.answer is Answer.DENY)
    asked = evidence.parameters.get("refused_calls_audited", "not_asked") == "required"
    lacks = [
        coverage(evidence, "INV-AUD-8").lacks,
        "" if denials else "the PDP denied nothing",
        "" if refused else "no recorded activity ended because of a refused authorization",
        f"{waiting} events that had not come were not due yet" if waiting else "",
        _ENGINE if asked else "",
    ]
    kept = (
        f"all {len(refused)} activities that were refused have an event with the reason; calls "
        "that the engine refuses leave nothing in histories and were not asked"
    )
    figures = {"denials_of_the_pdp": denials, "refused_activities": len(refused)}
    return conclude((UNAUDITED, NO_CLASS, NO_WHAT), broken, lacks, kept, figures)


def _denial(run: Run, activity: Activity, events: dict[tuple[str, int], Match]) -> Iterator[Broken]:
    path, what = run.history.path, f"{activity.type} of {run.name} ({activity.failure})"
    match = events.get((run.history.run_id, activity.ended_event_id))
    if match is None:
        yield Broken(UNAUDITED, f"{what} has no event", path)
        return
    if activity.failure not in match.first.says("reason"):
        yield Broken(NO_CLASS, f"{match.first.name} does not say {activity.failure}", path)
    if match.first.says("activity_type") != activity.type:
        yield Broken(NO_WHAT, f"{match.first.name} does not say {activity.type}", path)
