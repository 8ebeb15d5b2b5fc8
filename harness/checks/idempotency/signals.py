"""INV-IDEM-7: signals and cancellations that come twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from harness.checks.check import Evidence, Finding
from harness.checks.histories import CANCELED, COMPLETED, Coverage, Run, coverage, runs
from harness.checks.histories.clauses import Broken, conclude
from harness.checks.histories.run import payload
from harness.journal.records import Ending, Operation

COUNTED_TWICE: Final = "signal counted twice"
NOT_COUNTED: Final = "signal not counted"
UNDONE_AGAIN: Final = "cancelled twice, undone twice"


def repeats_count_once(evidence: Evidence) -> Finding:
    """ADR, Invariants: "All workflow activities must be idempotent".

    A signal that is delivered twice under one id is in the saga's result once; a saga that is
    asked twice to cancel compensates each of its steps once.
    """
    driven = coverage(evidence, "INV-IDEM-7")
    fed = {(saga.tenant, saga.saga_id) for saga in driven.fed}
    ours = [run for run in runs(evidence).values() if (run.tenant, run.saga_id) in fed]
    signalled = [found for run in ours if (found := _signals(evidence, run))]
    cancelled = list(_cancelled_twice(evidence, ours))
    broken = [each for run, sent, counted in signalled for each in _miscounted(run, sent, counted)]
    broken += [each for run in cancelled for each in _undone_again(run)]
    lacks = [*_lacks(driven, len(signalled), len(cancelled))]
    figures = {"sagas_signalled_twice": len(signalled), "sagas_cancelled_twice": len(cancelled)}
    kept = (
        f"{len(signalled)} sagas counted a signal that came twice once, and {len(cancelled)} that "
        "were cancelled twice undid each step once"
    )
    return conclude((COUNTED_TWICE, NOT_COUNTED, UNDONE_AGAIN), broken, lacks, kept, figures)


def _lacks(driven: Coverage, signalled: int, cancelled: int) -> Iterator[str]:
    yield driven.lacks
    yield "" if signalled else "no completed saga had received a signal twice"
    yield "" if cancelled else "no saga was cancelled twice"


def _signals(evidence: Evidence, run: Run) -> tuple[Run, list[str], list[str]] | None:
    """What was sent and what the result counts, of a completed run that got an id twice."""
    if run.closing != COMPLETED:
        return None
    sent: list[str] = []
    result: Any = None
    for event in evidence.events(run.history):
        if event.type == "WORKFLOW_EXECUTION_SIGNALED":
            signal = payload(event.attributes.get("input"))
            sent.append(str(signal.get("id")) if isinstance(signal, dict) else "")
        elif event.type == COMPLETED:
            result = payload(event.attributes.get("result"))
    if len(set(sent)) == len(sent):
        return None
    counted = result.get("signals") if isinstance(result, dict) else None
    return run, sent, [str(each) for each in counted] if isinstance(counted, list) else []


def _miscounted(run: Run, sent: list[str], counted: list[str]) -> Iterator[Broken]:
    text = f"{run.name} received {', '.join(sent)} and counts {', '.join(counted) or 'none'}"
    if set(sent) - set(counted):
        yield Broken(NOT_COUNTED, text, run.history.path)
    if len(counted) > len(set(sent)):
        yield Broken(COUNTED_TWICE, text, run.history.path)


def _cancelled_twice(evidence: Evidence, ours: list[Run]) -> Iterator[Run]:
    """The runs that ended as cancelled after two requests that the engine took."""
    asked = Counter(
        (op.tenant, op.workflow_id)
        for op in evidence.of(Operation)
        if op.name == "cancel" and op.ending is Ending.OK
    )
    for run in ours:
        if run.closing == CANCELED and asked[run.tenant, run.history.workflow_id] > 1:
            yield run


def _undone_again(run: Run) -> Iterator[Broken]:
    undone = Counter(
        activity.step
        for activity in run.activities.values()
        if activity.direction == "compensation" and activity.saga_id == run.saga_id
    )
    for step, times in undone.items():
        if times > 1:
            text = f"{run.name} step {step}: its compensation was scheduled {times} times"
            yield Broken(UNDONE_AGAIN, text, run.history.path)
