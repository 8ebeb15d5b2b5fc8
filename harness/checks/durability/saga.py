"""DUR-5: what a saga left behind in the services, against how it ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from harness.checks.check import Evidence, Finding
from harness.checks.durability.conserved import UNBALANCED, books
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
DEPARTURES: Final = (NOT_APPLIED, NEEDLESS, NOT_COMPENSATED, TWICE, ORDER, GOES_ON, FOREIGN)
CLAUSES: Final = (*DEPARTURES, UNBALANCED)
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
    nothing can be promised for them. A saga whose runs ended differently (it was reset, retried or
    delivered again) is as one of them ended. Stock and money are conserved: the accounts that only
    the driven sagas moved hold what the completed ones took, and nothing else. Sagas must have
    failed at every one of their steps, and at every one with compensations that failed at first.
    """
    ended, abandoned, mixed = ended_sagas(evidence)
    given_up = compensations_given_up(evidence)
    broken = [each for saga in ended for each in departures(saga, given_up)]
    broken += [each for ways in mixed.values() for each in _in_no_way(ways, given_up)]
    driven = coverage(evidence, "DUR-5")
    fed = {(saga.tenant, saga.saga_id) for saga in driven.fed}
    judged = {key: saga for saga in ended if (key := (saga.run.tenant, saga.run.saga_id)) in fed}
    failed = [saga for saga in judged.values() if saga.run.closing == FAILED]
    stock = books(evidence, {key: saga.run for key, saga in judged.items()})
    broken += stock.broken()
    both = mixed.keys() & fed
    lacks = [
        driven.lacks,
        *_positions(failed),
        f"{len(both)} sagas had several runs that ended differently" if both else "",
        stock.lacks,
    ]
    endings = Counter(saga.run.closing for saga in ended)
    figures = {
        "sagas_judged": len(ended),
        "completed": endings[COMPLETED],
        "failed": endings[FAILED],
        "cancelled": endings[CANCELED],
        "abandoned": abandoned,
        "failing_positions": sorted({saga.position for saga in failed}),
        "sagas_of_several_endings": len(mixed),
        "compensations_without_effect": sum(_voids(saga.back) for saga in ended),
        "stock_and_money": stock.rows(),
    }
    kept = (
        f"{endings[COMPLETED]} completed sagas applied every step; {endings[FAILED]} failed and "
        f"{endings[CANCELED]} cancelled ones compensated exactly what they had applied, in "
        "reverse order"
    )
    return conclude(CLAUSES, broken, lacks, kept, figures)


def ended_sagas(evidence: Evidence) -> tuple[list[Ended], int, dict[tuple[str, str], list[Ended]]]:
    """The sagas to judge, how many were abandoned, and those that ended in several ways, with the
    last run of each way."""
    by_saga = _ended_by_saga(evidence)
    ledger = _by_saga(evidence)
    ended: list[Ended] = []
    abandoned = 0
    mixed: dict[tuple[str, str], list[Ended]] = {}
    for (tenant, saga_id), found in by_saga.items():
        found.sort(key=lambda run: run.closed_ns)
        by_closing = {run.closing: run for run in found if run.closing not in _ABANDONED}
        forward, back = ledger.get((tenant, saga_id), _NOTHING)
        ways = [
            Ended(run, tuple(steps_of(run.program.get("nodes"))), forward, back)
            for run in by_closing.values()
        ]
        if not ways:
            abandoned += 1
        elif len(ways) > 1:
            mixed[tenant, saga_id] = ways
        else:
            ended += ways
    return ended, abandoned, mixed


def sagas_left(evidence: Evidence) -> list[Ended]:
    """The sagas that were terminated or timed out, with what their services saw: nothing can be
    promised for them. Where it was started again, the run that was abandoned first."""
    ledger = _by_saga(evidence)
    found: list[Ended] = []
    for key, ended in _ended_by_saga(evidence).items():
        abandoned = [run for run in ended if run.closing in _ABANDONED]
        if abandoned:
            first = min(abandoned, key=lambda run: run.closed_ns)
            forward, back = ledger.get(key, _NOTHING)
            found.append(Ended(first, tuple(steps_of(first.program.get("nodes"))), forward, back))
    return found


def _ended_by_saga(evidence: Evidence) -> dict[tuple[str, str], list[Run]]:
    """The ended runs of each saga that was driven."""
    known = sagas(evidence)
    found: dict[tuple[str, str], list[Run]] = {}
    for run in runs(evidence).values():
        if run.ended and (run.tenant, run.saga_id) in known:
            found.setdefault((run.tenant, run.saga_id), []).append(run)
    return found


def _in_no_way(ways: list[Ended], given_up: frozenset[_Step]) -> list[Broken]:
    """What is broken of a saga that ended in several ways, if it is as none of them ended.

    Of that way that it comes nearest to.
    """
    return min((list(departures(way, given_up)) for way in ways), key=len)


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
    """What lacks of the positions at which sagas failed: of one length, every one, twice over."""
    first_try: dict[int, set[int]] = {}
    undone_hard: dict[int, set[int]] = {}
    for saga in failed:
        length, position = len(saga.steps), saga.position
        if position < length:
            first_try.setdefault(length, set()).add(position)
            if _failed_at_first(saga.back):
                undone_hard.setdefault(length, set()).add(position)
    length = max((n for n, at in first_try.items() if at == {*range(n)}), default=0)
    if length < LEAST_POSITIONS:
        seen = sorted({position for at in first_try.values() for position in at})
        yield (
            f"sagas failed at the positions {seen}; some of at least {LEAST_POSITIONS} steps must "
            "fail at every one"
        )
    # before its first step there is nothing to undo
    missing = {*range(1, length)} - undone_hard.get(length, set())
    if missing:
        yield f"no compensation failed at first where a saga failed at step {sorted(missing)}"


def _failed_at_first(back: _BySteps) -> bool:
    return any(
        effects[0].disposition is Disposition.FAILED and applied(effects)
        for effects in back.values()
    )
