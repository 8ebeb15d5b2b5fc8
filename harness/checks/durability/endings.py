"""DUR-6: sagas that were cancelled or terminated in their middle, and what they left behind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from harness.checks.check import Evidence, Finding
from harness.checks.durability.saga import (
    Ended,
    compensations_given_up,
    departures,
    ended_sagas,
    sagas_left,
)
from harness.checks.histories import (
    CANCELED,
    TERMINATED,
    TIMED_OUT,
    Run,
    Saga,
    coverage,
    ended_runs,
)
from harness.checks.histories.clauses import Broken, conclude
from harness.checks.histories.ledger import applied
from harness.journal.records import Effect, Ending, Operation

NOT_CANCELED: Final = "cancel not honoured"
NOT_UNDONE: Final = "cancelled, not compensated"
NOT_TERMINATED: Final = "terminate not honoured"
GOES_ON: Final = "goes on after terminate"
CLAUSES: Final = (NOT_CANCELED, NOT_UNDONE, NOT_TERMINATED, GOES_ON)
LEAST_POSITIONS: Final = 3
IN_FLIGHT_NS: Final = 500_000_000  # what was on its way when the run was terminated


def cancel_undoes_and_terminate_leaves(evidence: Evidence) -> Finding:
    """ADR, Option A: "Built-in saga pattern, compensation logic, automatic rollback".

    A saga that was cancelled after a step, or within one, ends as cancelled and has compensated
    what it had applied, in reverse order. One that was terminated ends as terminated, and nothing
    of it is done or undone afterwards: what it leaves at the services is nobody's, and each such
    effect is listed here, of every saga that was terminated or timed out.
    """
    driven = coverage(evidence, "DUR-6")
    ended, _, _ = ended_sagas(evidence)
    whole = {(saga.run.tenant, saga.run.saga_id): saga for saga in ended}
    given_up = compensations_given_up(evidence)
    ends = ended_runs(evidence)
    left = sagas_left(evidence)
    asked = list(_asked(evidence, driven.ended, "cancel"))
    cancelled = [saga for saga in asked if not _out_of_time(ends[saga.tenant, saga.workflow_id])]
    terminated = list(_asked(evidence, driven.ended, "terminate"))
    broken: list[Broken] = []
    for saga in cancelled:
        broken += _cancelled(ends[saga.tenant, saga.workflow_id], whole, given_up)
    for saga in terminated:
        broken += _terminated(ends[saga.tenant, saga.workflow_id], left)
    orphans = [row for saga in left for row in _orphans(saga)]
    lacks = [
        driven.lacks,
        _lacking(cancelled, "cancelled"),
        _lacking(terminated, "terminated"),
        f"{len(asked) - len(cancelled)} sagas were still being cancelled when their time was over"
        if len(asked) > len(cancelled)
        else "",
    ]
    figures: dict[str, Any] = {
        "cancelled": len(cancelled),
        "terminated": len(terminated),
        "sagas_left_as_they_were": len(left),
        "orphan_effects": len(orphans),
        "orphans": orphans,
    }
    kept = (
        f"{len(cancelled)} cancelled sagas were compensated; {len(terminated)} terminated ones did "
        f"nothing more; {len(orphans)} effects of {len(left)} abandoned sagas are left, and listed"
    )
    return conclude(CLAUSES, broken, lacks, kept, figures)


def _asked(evidence: Evidence, found: tuple[Saga, ...], what: str) -> Iterator[Saga]:
    """The sagas for which the engine acknowledged a cancellation or a termination."""
    done = {
        (op.tenant, op.workflow_id)
        for op in evidence.of(Operation)
        if op.name == what and op.ending is Ending.OK
    }
    return (saga for saga in found if (saga.tenant, saga.workflow_id) in done)


def _out_of_time(found: list[Run]) -> bool:
    """Whether it timed out: too slow, which says nothing of what it would have done."""
    return any(run.closing == TIMED_OUT for run in found)


def _cancelled(
    found: list[Run], whole: Mapping[tuple[str, str], Ended], given_up: frozenset[Any]
) -> Iterator[Broken]:
    for run in found:
        if run.closing != CANCELED:
            yield Broken(NOT_CANCELED, f"{run.name}: {run.closing}", run.history.path)
        elif saga := whole.get((run.tenant, run.saga_id)):
            for each in departures(saga, given_up):
                yield Broken(NOT_UNDONE, f"{each.text} ({each.clause})", each.path)


def _terminated(found: list[Run], left: list[Ended]) -> Iterator[Broken]:
    first = min(found, key=lambda run: run.closed_ns)
    if first.closing != TERMINATED:
        yield Broken(NOT_TERMINATED, f"{first.name}: {first.closing}", first.history.path)
        return
    over_ns = first.closed_ns + IN_FLIGHT_NS
    for saga in left:
        if (saga.run.tenant, saga.run.saga_id) != (first.tenant, first.saga_id):
            continue
        for effect in _requests(saga):
            if _arrived_ns(effect) > over_ns:
                late_ms = (_arrived_ns(effect) - first.closed_ns) / 1e6
                text = (
                    f"{first.name}: step {effect.step} {effect.direction} came to "
                    f"{effect.service} {late_ms:.0f} ms after it was terminated"
                )
                yield Broken(GOES_ON, text, first.history.path)


def _requests(saga: Ended) -> Iterator[Effect]:
    for by_step in (saga.forward, saga.back):
        for effects in by_step.values():
            yield from effects


def _arrived_ns(effect: Effect) -> int:
    """Of the wall clock, as histories have it."""
    return effect.wall_ns - (effect.at_ns - effect.received_ns)


def _orphans(saga: Ended) -> Iterator[dict[str, Any]]:
    """The effects that were applied and that nothing gave back."""
    for step, effects in sorted(saga.forward.items()):
        done = applied(effects)
        if done and not applied(saga.back.get(step, [])):
            yield {
                "tenant": saga.run.tenant,
                "workflow_id": saga.run.history.workflow_id,
                "ended": saga.run.closing.removeprefix("WORKFLOW_EXECUTION_"),
                "effect": f"{done[0].service}.{done[0].operation}",
                "resource": done[0].resource,
                "amount": done[0].amount,
                "step": step,
            }


def _lacking(found: list[Saga], how: str) -> str:
    at = {len(saga.nodes) for saga in found}
    if len(at) >= LEAST_POSITIONS:
        return ""
    return f"sagas were {how} at {len(at)} positions, {LEAST_POSITIONS} are the least"
