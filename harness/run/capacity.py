"""The capacity arm: steps of a load on one platform, each of which decides the next one's rate.

Each step is one run of the generator, so that its raw samples are kept and can be judged again: a
time to settle, which is cut, then as long as the p95 needs at that rate, then until what is open
has ended. It is judged as soon as it is over, by the very function with which the checks judge it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, cast

from harness.checks.capacity.knee import Tried, interval_of
from harness.checks.capacity.searched import vote
from harness.checks.capacity.steps import Judged, judge_step
from harness.errors import DriveError, TargetGone, UnavailableError, UsageError
from harness.journal.manifest import JOURNAL
from harness.journal.read import read_segment
from harness.journal.records import LoadRun, Search, Step, now
from harness.load.settings import Settings
from harness.load.shape_text import shape_of
from harness.load.workload import WORKLOADS
from harness.platform.child import Children
from harness.platform.platform import Platform
from harness.run.beside import beside
from harness.run.conduct import Ended, conduct, timed
from harness.run.load import Arrivals, allowed_per_s, generate, set_up, settings_of
from harness.run.prepare import start_hosting
from harness.run.request import Request
from harness.run.roles import sample_roles
from harness.run.search import Bounds, Ending, Purpose, Try, next_try
from harness.trial import Trial

JUDGED: Final = frozenset({"SLO-START-1", "SLO-REL-1"})  # the service levels that a step judges
SEARCHED: Final = tuple(
    name
    for name, shows in WORKLOADS.items()
    if {each for each in shows if each.startswith("SLO-")} == JUDGED
)
"""Workloads that show these and no other ones: a rate that breaks another one has not held."""
DEFAULT_START_PER_S: Final = 2.0
DEFAULT_BUDGET_S: Final = 600.0
MOST_BUDGET_S: Final = 86_400.0
SETTLES_S: Final = 5.0
SHORTEST_S: Final = 20.0  # of the measured time
LONG_S: Final = 60.0  # as long as samples may be waited for that are good to have
LONGEST_S: Final = 150.0  # and as long for those without which nothing is decided
GOOD_SAMPLES: Final = 200
LEAST_SAMPLES: Final = 70  # the p95 of fewer than 59 has no upper bound at 95 % confidence
DRAINS_S: Final = 20.0
MOST_DRAIN_S: Final = 60.0  # and of what is open still
NOTHING_OPEN: Final = "open: 0"  # as `harness.drive.drained` says it
CONFIRMS: Final = 1.5  # so many times as long as a step of the search
MOST_TIMES: Final = 4  # so many times, where shorter ones decided nothing
STARTS_AND_ENDS_S: Final = 8.0  # of the generator's process
LEAST_PER_S: Final = 0.05
MOST_WORKERS: Final = 16
MOST_REPEATS: Final = 10
GROUP: Final = "calm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What is searched. `most_per_s` None is what the target allows. With several numbers of
    `workers` no knee is searched: each number is offered more than it carries, in its part of the
    budget."""

    workload: str = "saga"
    start_per_s: float = DEFAULT_START_PER_S
    most_per_s: float | None = None
    budget_s: float = DEFAULT_BUDGET_S
    resolution: float = 0.1
    repeats: int = 3
    workers: tuple[int, ...] = (1,)


def capacity(request: Request, asked: Capacity) -> Ended:
    """One search for the knee, sealed. Raises `UsageError` for one that cannot be."""
    bounds = bounds_of(request, asked)

    async def arm(platform: Platform, trial: Trial, children: Children) -> dict[str, str]:
        await set_up(request, platform, children, [GROUP])
        steps = _Steps(request, asked, platform, trial, children)
        with timed(platform, "capacity: all steps"):
            async with beside(sample_roles(platform, children)):
                if len(asked.workers) == 1:
                    await _add_workers(platform, 1, asked.workers[0])
                    await steps.search(asked.workers[0], bounds, asked.budget_s)
                else:
                    await _each_number(platform, steps, bounds, asked)
        with timed(platform, "stopping the platform"):
            await platform.stop()
        return {}

    return conduct(request, arm)


async def _each_number(platform: Platform, steps: _Steps, bounds: Bounds, asked: Capacity) -> None:
    """What each number of worker processes carries of more than that."""
    running = 1
    for number in asked.workers:
        await _add_workers(platform, running, number)
        running = number
        rate = await steps.saturate(number, bounds, asked.budget_s / len(asked.workers))
        bounds = replace(bounds, start_per_s=rate)


async def _add_workers(platform: Platform, running: int, wanted: int) -> None:
    for number in range(running + 1, wanted + 1):
        await platform.start_worker(GROUP, number=number)


def bounds_of(request: Request, asked: Capacity) -> Bounds:
    """The bounds of the search; raises `UsageError` for what cannot be searched."""
    allowed = allowed_per_s(request.target)
    most = allowed if asked.most_per_s is None else asked.most_per_s
    problems = [
        *_outside("--budget", asked.budget_s, 1.0, MOST_BUDGET_S, "seconds"),
        *_outside("--resolution", asked.resolution * 100, 1.0, 100.0, "per cent"),
        *_outside("--repeats", asked.repeats, 1, MOST_REPEATS, "steps"),
        *_outside("--start", asked.start_per_s, LEAST_PER_S, allowed, "a second"),
        *_outside("--max-rate", most, LEAST_PER_S, allowed, "a second"),
    ]
    if any("a second" in problem for problem in problems):
        problems.append("the target's max_rate_per_s bounds both rates")
    if not problems and asked.start_per_s > most:
        problems.append(f"--start {asked.start_per_s:g} lies above --max-rate {most:g}")
    if asked.workload not in SEARCHED:
        problems.append(
            f"--workload {asked.workload}: a knee is searched with {', '.join(SEARCHED)}; of other "
            "workloads a step does not judge all service levels"
        )
    problems += _workers(request, asked.workers)
    if problems:
        raise UsageError("; ".join(problems))
    purpose = Purpose.SEARCH if len(asked.workers) == 1 else Purpose.SATURATE
    first = Try(rate_per_s=asked.start_per_s, purpose=purpose)
    share_s = asked.budget_s / len(asked.workers)
    if cost_s(request, first) > share_s:
        for_each = " for each number of workers" if len(asked.workers) > 1 else ""
        raise UsageError(
            f"--budget {asked.budget_s:g}: one step at {asked.start_per_s:g}/s may take "
            f"{cost_s(request, first):.0f} s{for_each}; give more, or a higher --start"
        )
    longest_s = SETTLES_S + MOST_TIMES * measured_s(most)
    shape_of("constant", most, longest_s)
    return Bounds(
        start_per_s=asked.start_per_s,
        most_per_s=most,
        least_per_s=min(LEAST_PER_S, asked.start_per_s),
        resolution=1 + asked.resolution,
        repeats=asked.repeats,
    )


def _outside(what: str, value: float, low: float, high: float, unit: str) -> list[str]:
    """The problem with a number, if there is one; no number is outside of everything."""
    return [] if low <= value <= high else [f"{what} {value:g}: give {low:g} to {high:g} {unit}"]


def _workers(request: Request, workers: Sequence[int]) -> list[str]:
    if not workers or any(not 1 <= each <= MOST_WORKERS for each in workers):
        return [f"--workers: give numbers from 1 to {MOST_WORKERS}"]
    if list(workers) != sorted({*workers}):
        return ["--workers: give each number once, ascending: processes are only added"]
    if workers[-1] > 1 and request.target.worker.external:
        return ["--workers: the target's workers are not ours to start; leave it out"]
    return []


def measured_s(rate_per_s: float) -> float:
    """How long a step at a rate is measured: for as many samples as its p95 needs, in reason."""
    good = min(LONG_S, GOOD_SAMPLES / rate_per_s)
    least = min(LONGEST_S, LEAST_SAMPLES / rate_per_s)
    return float(round(max(SHORTEST_S, good, least)))


def lasts_s(step: Try) -> float:
    """From the first arrival of a step to its last."""
    if step.purpose is Purpose.SATURATE:  # only completions are counted
        return SETTLES_S + SHORTEST_S
    more = CONFIRMS if step.purpose is Purpose.CONFIRM else min(step.times, MOST_TIMES)
    return SETTLES_S + round(measured_s(step.rate_per_s) * more)


def drains_s(request: Request) -> float:
    """How long the end of what is open is waited for."""
    return min(DRAINS_S, float(request.parameters["horizon_s"]))


def cost_s(request: Request, step: Try) -> float:
    """The longest that a step takes, but for a generator that is slow to begin."""
    return STARTS_AND_ENDS_S + lasts_s(step) + drains_s(request)


class _Steps:
    """Makes the steps of a trial, numbered through."""

    def __init__(
        self,
        request: Request,
        asked: Capacity,
        platform: Platform,
        trial: Trial,
        children: Children,
    ) -> None:
        self._request = request
        self._asked = asked
        self._platform = platform
        self._trial = trial
        self._children = children
        self._session = 0
        self._clean = True
        self._saturated = False

    async def search(self, workers: int, bounds: Bounds, budget_s: float) -> None:
        """Search the knee with so many worker processes, which run."""
        began = time.monotonic()
        tried: list[Tried] = []

        def spent_s() -> float:
            return time.monotonic() - began

        def cost(step: Try) -> float:
            return cost_s(self._request, step)

        while isinstance(step := next_try(bounds, tried, budget_s - spent_s(), cost), Try):
            tried.append(await self._step(step, workers, budget_s - spent_s() - cost(step)))
        assert isinstance(step, Ending)
        self._ended(workers, bounds, budget_s, spent_s(), step)
        found = interval_of(tried)
        doubt = "" if found.held_sure and found.failed_sure else " (not every edge by two steps)"
        self._request.progress(f"the knee lies in {found}{doubt}: {step}")

    async def saturate(self, workers: int, bounds: Bounds, budget_s: float) -> float:
        """Offer more and more until it is too much; the last rate that was offered."""
        began = time.monotonic()
        rate = bounds.start_per_s
        ending = Ending.BUDGET
        while True:
            step = Try(rate_per_s=rate, purpose=Purpose.SATURATE)
            left_s = budget_s - (time.monotonic() - began) - cost_s(self._request, step)
            if left_s < 0:
                break
            await self._step(step, workers, left_s)
            if self._saturated:
                ending = Ending.SATURATED
                break
            if rate >= bounds.most_per_s:
                ending = Ending.CEILING
                break
            rate = min(bounds.most_per_s, rate * bounds.factor)
        self._ended(workers, bounds, budget_s, time.monotonic() - began, ending)
        self._request.progress(f"worker processes: {workers}; offered: {rate:g}/s; {ending}")
        return rate

    def _ended(
        self, workers: int, bounds: Bounds, budget_s: float, spent_s: float, ending: Ending
    ) -> None:
        self._platform.record(
            Search(
                **now(),
                workers=workers,
                start_per_s=bounds.start_per_s,
                most_per_s=bounds.most_per_s,
                resolution=round(bounds.resolution - 1, 4),
                budget_s=budget_s,
                spent_s=round(spent_s, 1),
                ended=str(ending),
            )
        )

    async def _drained(self, left_s: float) -> bool:
        """Wait until nothing is open any more; False if something may be."""
        within_s = min(MOST_DRAIN_S, left_s)
        if within_s <= 0:
            return False
        self._request.progress("waiting for the end of what is still open")
        child = await start_hosting(self._platform, self._children, "drained", within_s=within_s)
        if await child.wait(within_s + 10) is None:
            await child.kill()
        return NOTHING_OPEN in child.lines

    async def _step(self, step: Try, workers: int, left_s: float) -> Tried:
        """One step, recorded; what it leaves may take `left_s` to end."""
        self._session += 1
        settings = self._settings(step)
        try:
            await generate(settings, Arrivals(workload=self._asked.workload), self._children)
        except (UnavailableError, DriveError) as error:
            if self._session == 1:
                raise
            raise TargetGone(f"step {self._session} could not be made: {error}") from None
        judged = await asyncio.to_thread(self._judged)
        outcome = vote(judged, clean=self._clean)
        self._platform.record(
            Step(
                **now(),
                session=self._session,
                rate_per_s=step.rate_per_s,
                workers=workers,
                purpose=str(step.purpose),
                outcome=str(outcome),
                reason=judged.reason,
                left_open=judged.left_open,
                clean=self._clean,
            )
        )
        self._request.progress(f"{step.rate_per_s:g}/s {outcome}: {_short(judged)}")
        self._saturated = judged.saturated
        self._clean = not judged.left_open or await self._drained(left_s)
        return Tried(rate_per_s=step.rate_per_s, outcome=outcome)

    def _settings(self, step: Try) -> Settings:
        shape = shape_of("constant", step.rate_per_s, lasts_s(step))
        arrivals = Arrivals(workload=self._asked.workload)
        settings = settings_of(self._request, self._platform, self._trial, arrivals, shape)
        return replace(
            settings,
            session=self._session,
            warmup_s=SETTLES_S,
            horizon_s=drains_s(self._request),
        )

    def _judged(self) -> Judged:
        """The step that has just ended, as its samples say."""
        parts = _parts(self._trial, self._session)
        if not parts:
            raise DriveError(f"step {self._session} has left no record; see logs/load.log")
        return judge_step(
            parts,
            lambda part: (self._trial.folder / part.samples).read_bytes(),
            self._request.parameters,
        )


def _parts(trial: Trial, session: int) -> list[LoadRun]:
    """The generator's records of one of its runs."""
    name = "load.jsonl" if session == 1 else f"load-{session}.jsonl"
    found = read_segment(trial.folder / JOURNAL / name, complete=False).get(LoadRun, [])
    return cast("list[LoadRun]", found)


def _short(judged: Judged) -> str:
    text = " ".join(judged.reason.split())
    return text if len(text) <= 160 else f"{text[:157]}..."
