"""The second family of events, one to one with the first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from harness.checks.audit.matching import DUPLICATE, EXTRA, MISSING, Match, meaning, reconcile
from harness.checks.check import Evidence, Finding
from harness.checks.histories import coverage
from harness.checks.histories.clauses import Broken, conclude

DIFFERS: Final = "pair differs"
_KINDS: Final = (MISSING, EXTRA, DUPLICATE)
_SAME: Final = ("tenant", "workflow_id", "run_id", "outcome", "correlation", "time", "actor")


def second_family_agrees(assertion_id: str, transition: str, evidence: Evidence) -> Finding:
    """ADR, Events: "Event types: `workflow.execution.started`, `workflow.execution.completed`,
    `workflow.execution.failed`".

    Where the target declares the second family, each such transition has exactly one event of it
    beside the one of the first family, and both say the same.
    """
    declared = meaning(evidence.parameters)
    if not declared.second:
        lacks = ["the target declares (audit_family) that it emits no second family"]
        return conclude((), [], lacks, "", {})
    found = reconcile(evidence, declared)
    name = dict(declared.second)[transition]
    pairs = [
        (match, found.matches.get((run_id, event_id, False)))
        for (run_id, event_id, second), match in found.matches.items()
        if second and match.first.type == name
    ]
    faults = [f for f in found.faults if f.type == name and f.kind in _KINDS]
    broken = [Broken(f.kind, f.text, f.path) for f in faults]
    broken += [each for pair in pairs for each in _differences(*pair)]
    total, waiting = found.expected[name], found.not_due[name]
    kinds = Counter(each.clause for each in broken)
    lacks = [
        coverage(evidence, assertion_id).lacks,
        "" if total else f"no recorded history has {transition}",
        f"{waiting} events that had not come were not due yet" if waiting else "",
    ]
    kept = f"all {total} {transition} have one {name}, which says what the first family says"
    figures = {"transitions": total, "pairs": len(pairs), **{k: kinds[k] for k in _KINDS}}
    return conclude((*_KINDS, DIFFERS), broken, lacks, kept, figures)


def _differences(second: Match, first: Match | None) -> Iterator[Broken]:
    if first is None:
        text = f"{second.first.name} has no event of the first family beside it"
        yield Broken(DIFFERS, text, second.run.history.path)
        return
    for word in _SAME:
        says, other = second.first.says(word), first.first.says(word)
        if says != other:
            text = f"{second.first.name} says {word} {says}, the first family {other}"
            yield Broken(DIFFERS, text, second.run.history.path)
