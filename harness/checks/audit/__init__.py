"""The audit trail: complete against the histories, valid, ordered, telling, and chained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial, update_wrapper
from typing import Any, Final

from harness.checks.audit.arrivals import received
from harness.checks.audit.chain import tampering_is_evident
from harness.checks.audit.changes import (
    left_out_transitions_are_covered,
    material_changes_are_audited,
)
from harness.checks.audit.content import denials_are_audited, events_say_enough
from harness.checks.audit.families import second_family_agrees
from harness.checks.audit.matching import (
    DUPLICATE,
    EXTRA,
    KINDS,
    LATE,
    MISSING,
    READS,
    Fault,
    Reconciliation,
    meaning,
    reconcile,
)
from harness.checks.audit.naming import (
    events_fit_their_schemas,
    older_schemas_read_newer_events,
    types_are_named_alike,
)
from harness.checks.audit.order import events_of_a_run_are_ordered
from harness.checks.audit.replays import replays_emit_nothing
from harness.checks.check import Check, Evidence, Finding
from harness.checks.histories import coverage
from harness.checks.histories.clauses import Broken, conclude
from harness.checks.histories.pace import starved_between
from harness.cloudevents import MUST
from harness.journal.records import (
    AuditEvent,
    History,
    Process,
    Program,
    Record,
    Replay,
    Subject,
)

_OF_ONE_TYPE: Final = (MISSING, EXTRA, DUPLICATE)
_ATTEMPTS: Final = (
    "activity_failed_event is declared as each_attempt, and histories keep no event for an attempt "
    "that is retried, so only final failures could be judged"
)


def every_transition_has_its_event(evidence: Evidence) -> Finding:
    """ADR, Invariants: "Emit CloudEvents-compatible audit events for workflow state transitions
    and material state changes".

    Every transition in every recorded history, of open runs as well, has exactly one acknowledged
    event, within the declared lag, that names its tenant; no event speaks of a transition that did
    not happen, and no two events share source and id. An identical redelivery is allowed, and on a
    starved machine what is late tells nothing.
    """
    declared = meaning(evidence.parameters)
    found = reconcile(evidence, declared)
    events, types = dict(declared.types), {name for _, name in declared.types}
    faults = [fault for fault in found.faults if fault.type in types]
    slow = {
        fault: why
        for fault in faults
        if fault.kind == LATE and (why := starved_between(evidence, *fault.span))
    }
    faults = [fault for fault in faults if fault not in slow]
    total = sum(found.expected[event] for event in events)
    lacks = [
        coverage(evidence, "INV-AUD-1").lacks,
        *(
            f"{len(slow)} events were late; the first: {fault.text}, and {why}"
            for fault, why in list(slow.items())[:1]
        ),
        *_unsettled(found, events, types),
        _ATTEMPTS if declared.each_attempt else "",
        "" if total else "no recorded history has a transition",
    ]
    kept = (
        f"all {total} transitions of the recorded histories have their event, "
        f"none came later than {declared.lag_ms} ms, and no event was without a transition"
    )
    figures = {"transitions": total, "matched": sum(found.matched[event] for event in events)}
    return conclude(KINDS, _broken(faults), lacks, kept, figures | _figures(found, faults))


def _broken(faults: Iterable[Fault]) -> list[Broken]:
    return [Broken(fault.kind, fault.text, fault.path) for fault in faults]


def _unsettled(
    found: Reconciliation, not_due: Iterable[str], types: Iterable[str]
) -> Iterator[str]:
    waiting = sum(found.not_due[name] for name in not_due)
    if waiting:
        yield f"{waiting} events that had not come were not due yet when the trial ended"
    unjudged = sum(found.unjudged[name] for name in types)
    if unjudged:
        yield f"{unjudged} events speak of what no recorded history can confirm"


def _figures(found: Reconciliation, faults: Iterable[Fault]) -> dict[str, Any]:
    kinds = Counter(fault.kind for fault in faults)
    lags = sorted(found.lags_ms)
    return {
        **{kind.replace(" ", "_"): kinds[kind] for kind in KINDS},
        **found.figures,
        **({"lag_median_ms": lags[len(lags) // 2], "lag_max_ms": lags[-1]} if lags else {}),
    }


def transitions_of_one_type(assertion_id: str, transition: str, evidence: Evidence) -> Finding:
    """ADR, Events: "Event types: `workflow.started`, `workflow.completed`, `workflow.failed`,
    `workflow.canceled`, `activity.completed`, `activity.failed`".

    Exactly one event of this type for each such transition in the recorded histories, and none
    for anything else.
    """
    declared = meaning(evidence.parameters)
    found = reconcile(evidence, declared)
    name = dict(declared.types)[transition]
    faults = [f for f in found.faults if f.type == name and f.kind in _OF_ONE_TYPE]
    total = found.expected[transition]
    lacks = [
        coverage(evidence, assertion_id).lacks,
        "" if total else f"no recorded history has {transition}",
        *_unsettled(found, [transition], [name]),
        _ATTEMPTS if declared.each_attempt == name else "",
    ]
    kept = f"all {total} {transition} have exactly one {name}, and no other was emitted"
    kinds = Counter(fault.kind for fault in faults)
    figures = {
        "transitions": total,
        "matched": found.matched[transition],
        **{kind: kinds[kind] for kind in _OF_ONE_TYPE},
    }
    return conclude(_OF_ONE_TYPE, _broken(faults), lacks, kept, figures)


def every_event_is_valid(evidence: Evidence) -> Finding:
    """ADR, Invariants: "Emit CloudEvents-compatible audit events".

    The raw bytes of every event that reached the sink keep every rule of CloudEvents 1.0.2 and its
    HTTP binding that says MUST. Rules that say SHOULD are counted.
    """
    events = received(evidence)
    broken = [
        Broken(problem.rule, f"{problem.text}; {event.mode}, {event.name}")
        for event in events
        for problem in event.problems
        if problem.level == MUST
    ]
    rules = Counter(problem.rule for event in events for problem in event.problems)
    figures = {
        "events": len(events),
        "modes": dict(sorted(Counter(event.mode for event in events).items())),
        "rules_broken": dict(sorted(rules.items())),
    }
    lacks = [coverage(evidence, "INV-AUD-2").lacks, "" if events else "no event reached the sink"]
    kept = f"all {len(events)} events keep every MUST of CloudEvents 1.0.2"
    return conclude(sorted({b.clause for b in broken}), broken, lacks, kept, figures)


_RECONCILED: Final[dict[type[Record], int]] = {
    **dict.fromkeys(READS, 0),
    Program: 1,
    History: 1,
}
_BY_TYPE: Final = {
    "EVT-1": "WORKFLOW_EXECUTION_STARTED",
    "EVT-2": "WORKFLOW_EXECUTION_COMPLETED",
    "EVT-3": "WORKFLOW_EXECUTION_FAILED",
    "EVT-4": "WORKFLOW_EXECUTION_CANCELED",
    "EVT-5": "ACTIVITY_TASK_COMPLETED",
    "EVT-6": "ACTIVITY_TASK_FAILED",
}


_SECOND: Final = {
    "EVT-7": "WORKFLOW_EXECUTION_STARTED",
    "EVT-8": "WORKFLOW_EXECUTION_COMPLETED",
    "EVT-9": "WORKFLOW_EXECUTION_FAILED",
}
Judge = Callable[[Evidence], Finding]


def _of_type(assertion_id: str, transition: str) -> Judge:
    judge = partial(transitions_of_one_type, assertion_id, transition)
    return update_wrapper(judge, transitions_of_one_type)


def _second(assertion_id: str, transition: str) -> Judge:
    return update_wrapper(
        partial(second_family_agrees, assertion_id, transition), second_family_agrees
    )


def _check(assertion_id: str, judge: Judge) -> Check:
    return Check(id=assertion_id, subject=Subject.EXPORTER, needs=_RECONCILED, judge=judge)


CHECKS: Final[tuple[Check, ...]] = (
    _check("INV-AUD-1", every_transition_has_its_event),
    Check(
        id="INV-AUD-2",
        subject=Subject.EXPORTER,
        needs={AuditEvent: 1, Program: 1, History: 1},
        judge=every_event_is_valid,
    ),
    Check(
        id="INV-AUD-4",
        subject=Subject.EXPORTER,
        needs={**_RECONCILED, Process: 0, Replay: 0},
        judge=replays_emit_nothing,
    ),
    _check("INV-AUD-5", events_of_a_run_are_ordered),
    _check("INV-AUD-6", events_say_enough),
    _check("INV-AUD-7", tampering_is_evident),
    _check("INV-AUD-8", denials_are_audited),
    _check("INV-AUD-9", material_changes_are_audited),
    *(_check(each, _of_type(each, transition)) for each, transition in _BY_TYPE.items()),
    *(_check(each, _second(each, transition)) for each, transition in _SECOND.items()),
    _check("EVT-10", left_out_transitions_are_covered),
    _check("EVT-11", events_fit_their_schemas),
    _check("EVT-12", types_are_named_alike),
    _check("EVT-13", older_schemas_read_newer_events),
)
