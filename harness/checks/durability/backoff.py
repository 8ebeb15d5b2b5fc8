"""DUR-7: the gaps between attempts, as the services saw them, and how many attempts there were."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from harness.checks.check import Evidence, Finding
from harness.checks.histories import FAILED, Place, Saga, coverage, runs, sagas
from harness.checks.histories.clauses import Broken, conclude
from harness.checks.histories.ledger import requests
from harness.checks.histories.pace import SLOW_TASK_MS
from harness.checks.histories.run import Activity
from harness.contract.program import Retry
from harness.journal.records import Disposition, Effect

TOO_EARLY: Final = "too early"
TOO_LATE: Final = "too late"
NO_GROWTH: Final = "no growth"
ATTEMPTS: Final = "wrong number of attempts"
EARLIEST: Final = 0.8  # of the nominal gap
LATEST: Final = 3.0
LATEST_MORE_MS: Final = 2000.0
TELLING_MS: Final = 1500.0  # growth of the nominal gaps that late timers do not hide
LEAST_GAPS: Final = 3
GROWTH: Final = 1.5
_MS: Final = 1_000_000
_SCHEDULE_TO_CLOSE_MS: Final = 55_000  # the contract's 60 s, less what the attempts take


@dataclass(frozen=True, slots=True)
class Gap:
    """The time between the failing answer of an attempt and the request of the next, beside what
    the policy says."""

    attempt: int
    ms: float
    nominal_ms: float

    @property
    def shown(self) -> str:
        return f"{self.ms:.0f} ms after attempt {self.attempt} (nominal {self.nominal_ms:.0f})"


@dataclass(frozen=True, slots=True)
class Series:
    """The requests of one business effect in one run, and the gaps between them."""

    saga: Saga
    place: Place
    effects: tuple[Effect, ...]
    gaps: tuple[Gap, ...]

    @property
    def retry(self) -> Retry:
        return self.saga.retry(self.place[2], self.place[3])

    @property
    def name(self) -> str:
        _, _, step, direction = self.place
        return f"{self.saga.name} step {step} {direction}"

    @property
    def should_grow(self) -> bool:
        """Whether its gaps are many enough, and meant to grow."""
        enough = len(self.gaps) >= LEAST_GAPS
        return enough and self.gaps[-1].nominal_ms >= 2 * self.gaps[0].nominal_ms

    @property
    def grows(self) -> bool:
        return self.gaps[-1].ms >= GROWTH * self.gaps[0].ms

    @property
    def telling(self) -> bool:
        """Whether its growth would show though an engine's timers come late."""
        return self.gaps[-1].nominal_ms - self.gaps[0].nominal_ms >= TELLING_MS


def retries_back_off(evidence: Evidence) -> Finding:
    """ADR, Option A: "Configurable retry policies: exponential backoff, max attempts".

    The gap after the n-th failed attempt is the initial interval times the coefficient to the power
    of n - 1, up to the longest interval: never under 0.8 of that, and in the sagas driven for it
    most are not over 3 times and 2 s (unless workflow tasks of the same runs took over 2 s: a
    starved machine tells nothing of the policy). The gaps grow. A step that fails for ever has
    exactly as many attempts as its policy says.
    """
    series = list(_series(evidence))
    driven = coverage(evidence, "DUR-7")
    ended = {(saga.tenant, saga.saga_id) for saga in driven.ended}
    fed = [each for each in series if each.place[:2] in ended]
    growing = [each for each in fed if each.should_grow]
    exhausted = list(_exhausted(evidence, fed))
    late = list(_late(fed))
    slowest_ms = _slowest_task_ms(evidence, fed)
    most = 2 * len(late) > sum(len(each.gaps) for each in fed)
    systematic = most and slowest_ms <= SLOW_TASK_MS
    broken = [
        *(
            Broken(TOO_EARLY, f"{each.name}: {gap.shown}")
            for each in series
            for gap in each.gaps
            if gap.ms < EARLIEST * gap.nominal_ms
        ),
        *(late if systematic else ()),
        *_too_many(series),
        *_too_few(evidence, exhausted),
    ]
    flat, doubt = _growth(growing)
    if flat and slowest_ms > SLOW_TASK_MS:
        flat, doubt = [], f"gaps did not grow on a machine that was too slow: {flat[0].text}"
    lacks = [
        driven.lacks,
        "" if growing else f"no series of {LEAST_GAPS} gaps that should grow was driven to its end",
        doubt,
        "" if exhausted else "no step that fails for ever was driven to its end",
        ""
        if systematic or not late
        else f"{len(late)} gaps were much too long, "
        f"{'but' if most else 'most were not, and'} workflow tasks took up to {slowest_ms:.0f} ms: "
        f"a machine that was too slow may be the reason; the first: {late[0].text}",
    ]
    gaps = [gap for each in series for gap in each.gaps]
    figures: dict[str, Any] = {
        "gaps": len(gaps),
        "series_that_should_grow": len(growing),
        "steps_out_of_attempts": len(exhausted),
        "least_share_of_nominal": min((g.ms / g.nominal_ms for g in gaps), default=0.0),
        "slowest_workflow_task_ms": slowest_ms,
        "most_over_nominal_ms": max((g.ms - g.nominal_ms for g in gaps), default=0.0),
        "gap_table_ms": {
            each.name: [f"{gap.ms:.0f} of {gap.nominal_ms:.0f}" for gap in each.gaps]
            for each in growing[:8]
        },
    }
    kept = (
        f"{len(gaps)} gaps kept to their policy, {len(growing)} series grew as they should, and "
        f"{len(exhausted)} steps that failed for ever had exactly their attempts"
    )
    clauses = (TOO_EARLY, TOO_LATE, NO_GROWTH, ATTEMPTS)
    return conclude(clauses, [*broken, *flat], lacks, kept, figures)


def _slowest_task_ms(evidence: Evidence, fed: Iterable[Series]) -> float:
    """How long the slowest workflow task of these series' runs took to be answered."""
    known = runs(evidence)
    keys = {(each.saga.tenant, each.effects[0].run_id) for each in fed}
    return max((known[key].slowest_task_ns / _MS for key in keys if key in known), default=0.0)


def _late(fed: Iterable[Series]) -> Iterator[Broken]:
    """Gaps far over what their policy says; when most are, it is the policy."""
    for each in fed:
        for gap in each.gaps:
            if gap.ms > LATEST * gap.nominal_ms + LATEST_MORE_MS:
                yield Broken(TOO_LATE, f"{each.name}: {gap.shown}")


def nominal_ms(retry: Retry, attempt: int) -> float:
    """The gap that a policy asks for after the failure of an attempt, from 1."""
    initial = min(retry.initial_ms, retry.max_interval_ms)
    exponent = min(attempt - 1, 1000)
    try:
        grown = initial * retry.coefficient**exponent
    except OverflowError:
        return float(retry.max_interval_ms)
    return float(min(grown, retry.max_interval_ms))


def _series(evidence: Evidence) -> Iterator[Series]:
    known = sagas(evidence)
    for place, effects in requests(evidence).items():
        saga = known.get(place[:2])
        if saga is None or not any(e.disposition is Disposition.FAILED for e in effects):
            continue
        retry = saga.retry(place[2], place[3])
        by_run: dict[str, list[Effect]] = {}
        for effect in effects:
            by_run.setdefault(effect.run_id, []).append(effect)
        for found in by_run.values():
            yield Series(saga, place, tuple(found), tuple(_gaps(found, retry)))


def _gaps(effects: list[Effect], retry: Retry) -> Iterator[Gap]:
    """The gaps after answered failures; an attempt that did not reach the service leaves none."""
    for one, following in pairwise(effects):
        answered = one.disposition is Disposition.FAILED and one.status != 0
        if answered and following.attempt == one.attempt + 1:
            waited_ms = (following.received_ns - one.at_ns) / _MS
            yield Gap(one.attempt, waited_ms, nominal_ms(retry, one.attempt))


def _growth(growing: list[Series]) -> tuple[list[Broken], str]:
    """What is flat though it should grow, and a doubt where late timers may be the reason.

    One series that grows shows that the policy does.
    """
    if not growing or any(each.grows for each in growing):
        return [], ""
    flat = [each for each in growing if each.telling]
    if not flat:
        late_ms = max(gap.ms - gap.nominal_ms for each in growing for gap in each.gaps)
        return [], (
            f"no gaps were seen to grow, but timers came up to {late_ms:.0f} ms late, and no "
            f"series was driven whose gaps should grow by {TELLING_MS:.0f} ms"
        )
    return [
        Broken(NO_GROWTH, f"{each.name}: {', '.join(gap.shown for gap in each.gaps)}")
        for each in flat
    ], ""


def _too_many(series: Iterable[Series]) -> Iterator[Broken]:
    for each in series:
        last = max(effect.attempt for effect in each.effects)
        if last > each.retry.max_attempts:
            text = f"{each.name}: attempt {last}, {each.retry.max_attempts} are the most"
            yield Broken(ATTEMPTS, text)


def _exhausted(evidence: Evidence, fed: Iterable[Series]) -> Iterator[Series]:
    """The steps that the service failed for ever, in runs that ended by that and nothing else."""
    known = runs(evidence)
    for each in fed:
        run = known.get((each.saga.tenant, each.effects[0].run_id))
        retry = each.retry
        waits_ms = sum(nominal_ms(retry, n) for n in range(1, min(retry.max_attempts, 100)))
        if (
            each.saga.behaviour(each.place[2], each.place[3]).fail >= retry.max_attempts
            and waits_ms < _SCHEDULE_TO_CLOSE_MS
            and run is not None
            and run.closing == FAILED
            and not run.cancel_requested
        ):
            yield each


def _too_few(evidence: Evidence, exhausted: Iterable[Series]) -> Iterator[Broken]:
    known = runs(evidence)
    for each in exhausted:
        run = known[each.saga.tenant, each.effects[0].run_id]
        attempts = max(
            *(effect.attempt for effect in each.effects),
            # one that the PDP did not answer in time does not come to the service
            *(a.attempt for a in run.activities.values() if _at(a) == each.place[1:]),
            0,
        )
        if attempts < each.retry.max_attempts:
            text = f"{each.name}: {attempts} attempts, {each.retry.max_attempts} were to be made"
            yield Broken(ATTEMPTS, text)


def _at(activity: Activity) -> tuple[str, int, str]:
    return activity.saga_id, activity.step, activity.direction
