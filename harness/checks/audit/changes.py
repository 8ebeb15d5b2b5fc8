"""Material changes, and the transitions for which the ADR names no event type."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from harness.checks.audit.matching import (
    DUPLICATE,
    EXTRA,
    MISSING,
    Reconciliation,
    meaning,
    reconcile,
)
from harness.checks.check import Evidence, Finding
from harness.checks.histories import coverage, runs
from harness.checks.histories.clauses import Broken, conclude
from harness.contract.transitions import MATERIAL, state_types

LEFT_OUT: Final[dict[str, tuple[str, ...]]] = {
    "terminated": ("WORKFLOW_EXECUTION_TERMINATED",),
    "timed_out": ("WORKFLOW_EXECUTION_TIMED_OUT",),
    "continued_as_new": ("WORKFLOW_EXECUTION_CONTINUED_AS_NEW",),
    **{word: tuple(events) for word, events in MATERIAL.items()},
    "activity_timed_out": ("ACTIVITY_TASK_TIMED_OUT",),
    "activity_canceled": ("ACTIVITY_TASK_CANCELED",),
}
"""What no event type of the ADR speaks of, and the history events that show it."""
PROMISED: Final = (
    "terminated", "timed_out", "continued_as_new", "reset", "signal", "update", "pause",
)  # fmt: skip
_KINDS: Final = (MISSING, EXTRA, DUPLICATE)


class Covered(NamedTuple):
    """What became of one kind of change: how often it happened, and its declared type's events."""

    word: str
    happened: int
    types: tuple[str, ...]
    events: int


def covered(evidence: Evidence) -> list[Covered]:
    """What this platform did about each transition that the ADR's event list leaves out."""
    declared = meaning(evidence.parameters)
    types = {**dict(declared.types), **dict(declared.changes)}
    matched = reconcile(evidence, declared).matched
    happened = _happened(evidence)
    return [
        Covered(
            word,
            sum(happened.get(event, 0) for event in events),
            tuple(types[event] for event in events if event in types),
            sum(matched[event] for event in events),
        )
        for word, events in LEFT_OUT.items()
    ]


def _happened(evidence: Evidence) -> Mapping[str, int]:
    counts: dict[str, int] = {}
    for run in runs(evidence).values():
        for each in run.transitions:
            if each.event_id >= run.reset_event_id:  # what is before it was copied
                counts[each.type] = counts.get(each.type, 0) + 1
    return counts


def material_changes_are_audited(evidence: Evidence) -> Finding:
    """ADR, Invariants: "material state changes".

    Each kind of change that is declared as material happened, and each time it did there is
    exactly one event of its type, and none besides.
    """
    words = list(evidence.parameters.get("material_state_changes", MATERIAL))
    unknown = [
        f"{word}: no history event is known for it" for word in words if word not in MATERIAL
    ]
    return _judged(evidence, "INV-AUD-9", [word for word in words if word in MATERIAL], unknown)


def left_out_transitions_are_covered(evidence: Evidence) -> Finding:
    """ADR, Invariants: "audit events for workflow state transitions".

    A run that is terminated, timed out, continued as new, paused or reset, a signal and an update
    are transitions too, though the ADR's list has no type for them. Each happened, and each has its
    event of the declared type. One that is declared to have none is left open.
    """
    states = state_types(evidence.parameters)
    words = set(evidence.parameters.get("material_state_changes", MATERIAL))
    none = [
        f"{word} is declared to emit no event"
        for word in PROMISED
        if (word not in words if word in MATERIAL else LEFT_OUT[word][0] not in states)
    ]
    return _judged(evidence, "EVT-10", PROMISED, none)


def _judged(
    evidence: Evidence, assertion_id: str, words: Iterable[str], lacks: Iterable[str]
) -> Finding:
    found = reconcile(evidence, meaning(evidence.parameters))
    asked = {each.word: each for each in covered(evidence) if each.word in set(words)}
    owed = {word: each for word, each in asked.items() if each.types}
    broken = [b for word, each in owed.items() for b in _faults(found, word, each)]
    not_driven = [word for word, each in asked.items() if not each.happened]
    waiting = sum(found.not_due[event] for word in owed for event in LEFT_OUT[word])
    kept = f"all {sum(e.happened for e in owed.values())} changes have their event: " + ", ".join(
        owed
    )
    figures: dict[str, Any] = {
        word: f"{each.happened} happened, {each.events} with event" for word, each in asked.items()
    }
    lacking = [
        coverage(evidence, assertion_id).lacks,
        f"did not happen: {', '.join(not_driven)}" if not_driven else "",
        f"{waiting} events that had not come were not due yet" if waiting else "",
        *lacks,
    ]
    return conclude(sorted({*owed}), broken, lacking, kept, figures)


def _faults(found: Reconciliation, word: str, covered: Covered) -> list[Broken]:
    types = set(covered.types)
    return [
        Broken(word, f"{fault.kind}: {fault.text}", fault.path)
        for fault in found.faults
        if fault.type in types and fault.kind in _KINDS
    ]
