"""DUR-5: what a saga left behind in the services, against how it ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from harness.checks.check import Evidence, Finding
from harness.checks.histories import (
    CANCELED,
    COMPENSATION_RETRY,
    COMPLETED,
    FAILED,
    TERMINATED,
    TIMED_OUT,
    Run,
    coverage,
    runs,
    sagas,
    steps_of,
)
from harness.checks.histories.clauses import Broken, conclude
from harness.checks.histories.ledger import applied, requests
from harness.journal.records import Answer, Decision, Disposition, Effect

NOT_APPLIED: Final = "not applied"
NEEDLESS: Final = "compensated though completed"
NOT_COMPENSATED: Final = "not compensated"
TWICE: Final = "compensated twice"
ORDER: Final = "wrong order"
GOES_ON: Final = "forward after compensation"
FOREIGN: Final = "effect of no step"
CLAUSES: Final = (NOT_APPLIED, NEEDLESS, NOT_COMPENSATED, TWICE, ORDER, GOES_ON, FOREIGN)
LEAST_POSITIONS: Final = 3
_ABANDONED: Final = (TERMINATED, TIMED_OUT)

_Step = tuple[str, str, int]  # tenant, saga id, step
_BySteps = dict[int, list[Effect]]
_NOTHING: Final[tuple[_BySteps, _BySteps]] = ({}, {})


@dataclass(frozen=True, slots=True)
class Ended:
    """A saga that came to its end, with what its services saw, by step."""

    run: Run
    steps: tuple[int, ...]
    forward: _BySteps
    back: _BySteps

    @property
    def position(self) -> int:
        """How many steps were applied before the first that was not."""
        for position, step in enumerate(self.steps):
            if not applied(self.forward.get(step, [])):
                return position
        return len(self.steps)

    def broken(self, clause: str, text: str) -> Broken:
        return Broken(clause, f"{self.run.name} {text}", self.run.history.path)


def all_or_compensated(evidence: Evidence) -> Finding:
    """ADR, Option A: "Built-in saga pattern, compensation logic, automatic rollback".

    A completed saga has applied every step and compensated none. A failed or cancelled one has
    compensated exactly the steps that were applied, each once, in reverse order of application,
    and applied nothing after the first compensation. Terminated and timed-out sagas are counted:
    nothing can be promised for them. Sagas must have failed at their first step, at their last and
    at another position.
    """
    ended, abandoned, mixed = ended_sagas(evidence)
    given_up = compensations_given_up(evidence)
    broken = [each for saga in ended for each in departures(saga, given_up)]
    driven = coverage(evidence, "DUR-5")
    fed = {(saga.tenant, saga.saga_id) for saga in driven.fed}
    failed = [
        saga
        for saga in ended
        if saga.run.closing == FAILED and (saga.run.tenant, saga.run.saga_id) in fed
    ]
    lacks = [
        driven.lacks,
        *_positions(failed),
        f"{len(mixed & fed)} sagas had several runs that ended differently" if mixed & fed else "",
    ]
    endings = Counter(saga.run.closing for saga in ended)
    figures = {
        "sagas_judged": len(ended),
        "completed": endings[COMPLETED],
        "failed": endings[FAILED],
        "cancelled": endings[CANCELED],
        "abandoned": abandoned,
        "failing_positions": sorted({saga.position for saga in failed}),
        "compensations_without_effect": sum(_voids(saga.back) for saga in ended),
    }
    kept = (
        f"{endings[COMPLETED]} completed sagas applied every step; {endings[FAILED]} failed and "
        f"{endings[CANCELED]} cancelled ones compensated exactly what they had applied, in "
        "reverse order"
    )
    return conclude(CLAUSES, broken, lacks, kept, figures)


def ended_sagas(evidence: Evidence) -> tuple[list[Ended], int, set[tuple[str, str]]]:
    """The sagas to judge, how many were abandoned, and which ended in several ways."""
    known = sagas(evidence)
    by_saga: dict[tuple[str, str], list[Run]] = {}
    for run in runs(evidence).values():
        if run.ended and (run.tenant, run.saga_id) in known:
            by_saga.setdefault((run.tenant, run.saga_id), []).append(run)
    ledger = _by_saga(evidence)
    ended: list[Ended] = []
    abandoned = 0
    mixed: set[tuple[str, str]] = set()
    for (tenant, saga_id), found in by_saga.items():
        own = [run for run in found if run.closing not in _ABANDONED]
        if not own:
            abandoned += 1
        elif len({run.closing for run in own}) > 1:
            mixed.add((tenant, saga_id))
        else:
            last = max(own, key=lambda run: run.closed_ns)
            steps = tuple(steps_of(last.program.get("nodes")))
            forward, back = ledger.get((tenant, saga_id), _NOTHING)
            ended.append(Ended(last, steps, forward, back))
    return ended, abandoned, mixed


def departures(saga: Ended, given_up: frozenset[_Step]) -> Iterator[Broken]:
    """Where what a saga left in the services departs from how it ended."""
    yield from _completed(saga) if saga.run.closing == COMPLETED else _undone(saga, given_up)
    yield from _of_no_step(saga)


def _by_saga(evidence: Evidence) -> dict[tuple[str, str], tuple[_BySteps, _BySteps]]:
    """For each (tenant, saga) its forward and its compensating requests, by step."""
    found: dict[tuple[str, str], tuple[_BySteps, _BySteps]] = {}
    for (tenant, saga_id, step, direction), effects in requests(evidence).items():
        forward, back = found.setdefault((tenant, saga_id), ({}, {}))
        (back if direction == "compensation" else forward)[step] = effects
    return found


def _completed(saga: Ended) -> Iterator[Broken]:
    for step in saga.steps:
        if not applied(saga.forward.get(step, [])):
            yield saga.broken(NOT_APPLIED, f"completed, and its step {step} was never applied")
    for step in _by_application(saga.back):
        if step in saga.steps:
            yield saga.broken(NEEDLESS, f"completed, and its step {step} was compensated")


def _undone(saga: Ended, given_up: frozenset[_Step]) -> Iterator[Broken]:
    how = "failed" if saga.run.closing == FAILED else "was cancelled"
    done = _by_application(saga.forward)
    undone = _by_application(saga.back)
    for step in done:
        if step not in undone and not _excused(saga, step, given_up):
            yield saga.broken(NOT_COMPENSATED, f"{how}, and its step {step} is still applied")
    for step in undone:
        times = len(applied(saga.back[step]))
        if times > 1:
            yield saga.broken(TWICE, f"{how}, and its step {step} was compensated {times} times")
    expected = [step for step in reversed(done) if step in undone]
    if undone != expected:
        text = f"{how}, applied {done} and compensated {undone}, expected {expected}"
        yield saga.broken(ORDER, text)
    first_ns = min((e.received_ns for effects in saga.back.values() for e in effects), default=0)
    for step in done:
        late = [e for e in applied(saga.forward[step]) if first_ns and e.applied_ns > first_ns]
        if late:
            text = f"{how}, and its step {step} was applied after the first compensation"
            yield saga.broken(GOES_ON, text)


def _of_no_step(saga: Ended) -> Iterator[Broken]:
    for step in {*_by_application(saga.forward), *_by_application(saga.back)} - {*saga.steps}:
        yield saga.broken(FOREIGN, f"has applied effects of {step}, which is none of its steps")


def _by_application(effects: _BySteps) -> list[int]:
    """The steps that were applied, in the order of their first application."""
    first = {step: found[0] for step, each in effects.items() if (found := applied(each))}
    return sorted(first, key=lambda step: first[step].applied_ns)


def _excused(saga: Ended, step: int, given_up: frozenset[_Step]) -> bool:
    """Whether a compensation was made impossible by our doubles, and the run says it is missing."""
    told = saga.run.detail.get("outcome") == "compensation_incomplete"
    told = told or saga.run.closing == CANCELED  # which has nowhere to say it
    return told and (saga.run.tenant, saga.run.saga_id, step) in given_up


def compensations_given_up(evidence: Evidence) -> frozenset[_Step]:
    """The compensations that were refused for good, or failed as often as they may be tried."""
    final: set[_Step] = set()
    failures: Counter[_Step] = Counter()
    for effect in evidence.of(Effect):
        if effect.direction == "compensation":
            step = (effect.tenant, effect.saga_id, effect.step)
            failures[step] += effect.disposition is Disposition.FAILED
            if effect.disposition is Disposition.REFUSED:
                final.add(step)
    for decision in evidence.of(Decision):
        if decision.direction == "compensation":
            step = (decision.tenant, decision.saga_id, decision.step)
            failures[step] += decision.answer is Answer.NONE
            if decision.answer is Answer.DENY:
                final.add(step)
    most = COMPENSATION_RETRY.max_attempts
    return frozenset(final | {step for step, count in failures.items() if count >= most})


def _voids(effects: _BySteps) -> int:
    return sum(e.disposition is Disposition.VOID for found in effects.values() for e in found)


def _positions(failed: Iterable[Ended]) -> Iterator[str]:
    """What lacks of the positions at which sagas failed."""
    at = [(saga.position, len(saga.steps)) for saga in failed]
    positions = {position for position, steps in at if position < steps}
    if len(positions) < LEAST_POSITIONS:
        yield f"sagas failed at {len(positions)} positions, {LEAST_POSITIONS} are the least"
    if 0 not in positions:
        yield "no saga failed at its first step"
    if not any(position == steps - 1 > 0 for position, steps in at):
        yield "no saga failed at its last step"
