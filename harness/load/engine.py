"""The open loop: arrivals at their intended times, whatever the platform does.

It runs in an asyncio loop of its own and touches no file and no Locust. Other threads only read
its counters, `take` what has happened, and call `stop`. Latency counts from the intended time, so
an engine that stalls cannot slow the questions down and hide; an arrival that finds too many
unfinished ones is not sent and says so. Every arrival ends in exactly one `Sample`.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Protocol

from harness.load.plan import Plan, Turns
from harness.load.samples import CAPACITY, GENERATOR, HORIZON, INTERRUPTED, SampleOutcome

LEAD_NS: Final = 100_000_000  # from being ready to the first planned arrival
GRACE_S: Final = 1.0  # what is in flight may still end when the run is told to stop
_SLICE_S: Final = 0.1  # the longest sleep: how soon `stop` is noticed
_PULSE_S: Final = 0.01
_REST_S: Final = 0.05  # lets the SDK's threads settle before the loop closes
_BATCH: Final = 10_000

Clock = Callable[[], int]
Arrival = tuple[int, int, int, int]


@dataclass(slots=True, eq=False, kw_only=True)
class Sample:
    """One arrival, from its intended time to its end; times in ns of the clock, 0 for never."""

    index: int
    tenant: int
    operation: int = 0
    intended_ns: int
    sent_ns: int = 0
    first_attempt_ns: int = 0
    answered_ns: int = 0
    first_task_ns: int = 0
    completed_ns: int = 0
    attempts: int = 0
    outcome: SampleOutcome = SampleOutcome.INFO
    cause: str = ""
    run_id: str = ""

    def end(self, outcome: SampleOutcome, cause: str = "") -> None:
        """Settle what became of the arrival."""
        self.outcome = outcome
        self.cause = cause


class Driver(Protocol):
    """Starts and follows what arrives; the engine's loop is the only one that calls it."""

    async def open(self) -> None:
        """Connect; raises `UnavailableError` for a platform that is not there."""
        ...

    async def start(self, sample: Sample) -> bool:
        """Start it: sets the start's times, or ends the sample and answers False."""
        ...

    async def follow(self, sample: Sample) -> None:
        """Wait for the end of what was started, and end the sample."""
        ...

    async def close(self) -> None:
        """Let go of the connection."""
        ...


class Pace(Protocol):
    """When arrivals are due."""

    def arrivals(self, begin_ns: int, stopped: Callable[[], bool]) -> AsyncIterator[Arrival]:
        """(index, due time, tenant, operation) of each arrival once due; ends when stopped."""
        ...

    def rest(self) -> Iterable[Arrival]:
        """The planned arrivals that did not come to be due."""
        ...


async def wait_until(due_ns: int, clock: Clock, stopped: Callable[[], bool]) -> None:
    """Return when a time has come, never before it, or soon after being stopped."""
    while (left := (due_ns - clock()) / 1e9) > 0 and not stopped():  # noqa: ASYNC110 - a time
        await asyncio.sleep(_whole_ms(left))


def _whole_ms(left_s: float) -> float:
    """What to sleep: the loop's timers count whole milliseconds, so the next one, less than 1 late.

    Never longer than a slice, so that a stop or a new rate is noticed.
    """
    return min(math.ceil(left_s * 1000) / 1000, _SLICE_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a plan: each `of`-th arrival from `number` on, which begins at a common moment.

    Without a plan `of` is 0: one process of any number.
    """

    number: int = 0
    of: int = 1
    begin_wall_ns: int = 0


WHOLE: Final = Part()


@dataclass(slots=True, kw_only=True)
class Planned:
    """The arrivals of a plan, or of a part of it."""

    plan: Plan
    part: Part = WHOLE
    clock: Clock = time.monotonic_ns
    _taken: int = 0
    _begin_ns: int = 0

    @property
    def _next(self) -> int:
        return self.part.number + self._taken * self.part.of

    async def arrivals(self, begin_ns: int, stopped: Callable[[], bool]) -> AsyncIterator[Arrival]:
        """Each arrival of the plan at its offset from `begin_ns`."""
        self._begin_ns = begin_ns
        while self._next < len(self.plan) and not stopped():
            arrival = self._at(self._next)
            await wait_until(arrival[1], self.clock, stopped)
            if not stopped():
                self._taken += 1
                yield arrival

    def rest(self) -> Iterable[Arrival]:
        """The arrivals of the plan that did not come to be due."""
        left = range(self._next, len(self.plan), self.part.of)
        return (self._at(index) for index in left)

    def _at(self, index: int) -> Arrival:
        return index, self._begin_ns + self.plan.offsets_ns[index], *self.plan.turns.at(index)


@dataclass(slots=True, kw_only=True)
class Tokens:
    """Arrivals at `per_token_per_s` for each of a number of tokens that may change at any time."""

    per_token_per_s: float
    turns: Turns
    clock: Clock = time.monotonic_ns
    count: int = 0

    async def arrivals(self, begin_ns: int, stopped: Callable[[], bool]) -> AsyncIterator[Arrival]:
        """Evenly spaced arrivals at the rate of the moment; none without a token."""
        last_ns, index = begin_ns, 0
        while not stopped():
            count = self.count  # read once: it may become 0 between two reads
            due_ns = last_ns + round(1e9 / (count * self.per_token_per_s)) if count else 0
            if not count:
                last_ns = self.clock()
                await asyncio.sleep(_SLICE_S)
            elif (left := (due_ns - self.clock()) / 1e9) > 0:
                await asyncio.sleep(_whole_ms(left))  # by then the rate may be another
            else:
                yield index, due_ns, *self.turns.at(index)
                last_ns = due_ns
                index += 1

    def rest(self) -> Iterable[Arrival]:
        """Nothing was planned."""
        return ()


@dataclass(slots=True, kw_only=True)
class Engine:
    """One run of the open loop. `ready`, `finished`, `sent` and `unfinished` may be read at will.

    `failure` is the exception that ended the run: the platform is not there, or a bug of ours.
    """

    driver: Driver
    pace: Pace
    in_flight: int
    horizon_s: float
    clock: Clock = time.monotonic_ns
    begin_at_wall_ns: int = 0  # 0: as soon as it is ready
    begin_ns: int = 0
    begin_wall_ns: int = 0
    ready: bool = False
    finished: bool = False
    sent: int = 0
    failure: BaseException | None = None
    _stopped: bool = False
    _abandoned: bool = False
    _open: dict[Sample, asyncio.Task[None]] = field(default_factory=dict)
    _pulses: deque[int] = field(default_factory=deque)
    _answered: deque[Sample] = field(default_factory=deque)
    _ended: deque[Sample] = field(default_factory=deque)

    @property
    def unfinished(self) -> int:
        """How many arrivals were sent and have not ended: the backlog as the generator sees it."""
        return len(self._open)

    @property
    def stopped(self) -> bool:
        """Whether it was told to stop."""
        return self._stopped

    def stop(self) -> None:
        """No further arrivals; what is in flight gets `GRACE_S` to end. From any thread."""
        self._stopped = True

    def answered(self) -> list[Sample]:
        """The samples whose start was acknowledged or given up since the last call."""
        return _drained(self._answered)

    def ended(self) -> list[Sample]:
        """At most a batch of the samples that ended since the last call, oldest first."""
        return _drained(self._ended)

    def stalls(self) -> list[int]:
        """How much later than asked the loop woke up each time since the last call, in ns.

        It asks a hundred times a second: what it does not see to, no answer was timed in either.
        """
        return [self._pulses.popleft() for _ in range(len(self._pulses))]

    def leftover(self) -> Iterator[Sample]:
        """What a finished (or hanging) run has not `ended`, so that no arrival goes missing."""
        self._abandoned = True
        for sample in list(self._open):
            sample.end(SampleOutcome.INFO, INTERRUPTED)
            yield sample
        for arrival in self.pace.rest():
            sample = _sample(arrival)
            sample.end(SampleOutcome.NOT_SENT, INTERRUPTED)
            yield sample

    async def run(self) -> None:
        """The whole run; never raises, see `failure`."""
        try:
            await self.driver.open()
            lead_ns = LEAD_NS
            if self.begin_at_wall_ns:
                lead_ns = self.begin_at_wall_ns - time.time_ns()
            self.begin_ns = self.clock() + lead_ns
            self.begin_wall_ns = time.time_ns() + lead_ns
            self.ready = True
            pulse = asyncio.create_task(self._beat())
            try:
                await self._arrive()
                await self._settle()
            finally:
                pulse.cancel()
        except BaseException as error:  # noqa: BLE001 - the outer border of this thread
            self.failure = error
        finally:
            try:
                await self.driver.close()
                await asyncio.sleep(_REST_S)
            finally:
                self.finished = True

    async def _beat(self) -> None:
        while True:
            asked_ns = self.clock()
            await asyncio.sleep(_PULSE_S)
            self._pulses.append(max(0, self.clock() - asked_ns - round(_PULSE_S * 1e9)))

    async def _arrive(self) -> None:
        arrivals = self.pace.arrivals(self.begin_ns, lambda: self._stopped)
        async for arrival in arrivals:
            sample = _sample(arrival)
            if len(self._open) >= self.in_flight:
                sample.end(SampleOutcome.NOT_SENT, CAPACITY)
                self._answered.append(sample)
                self._ended.append(sample)
            else:
                self.sent += 1
                self._open[sample] = asyncio.create_task(self._one(sample))

    async def _settle(self) -> None:
        while self._open and not self._stopped:
            await asyncio.wait(self._open.values(), timeout=_SLICE_S)
        if self._open:
            _, left = await asyncio.wait(self._open.values(), timeout=GRACE_S)
            for task in left:
                task.cancel()
            if left:
                await asyncio.wait(left, timeout=GRACE_S)

    async def _one(self, sample: Sample) -> None:
        sample.sent_ns = self.clock()
        left_s = self.horizon_s - (sample.sent_ns - sample.intended_ns) / 1e9
        try:
            async with asyncio.timeout(left_s):
                if await self._start(sample):
                    await self.driver.follow(sample)
        except TimeoutError:
            sample.end(SampleOutcome.INFO, HORIZON)
        except asyncio.CancelledError:
            sample.end(SampleOutcome.INFO, INTERRUPTED)
        except Exception as error:  # noqa: BLE001 - the border of this task; its row is written
            sample.end(SampleOutcome.INFO, GENERATOR)
            self.failure = self.failure or error
            self._stopped = True
        finally:
            if not self._abandoned:
                self._ended.append(sample)
            del self._open[sample]

    async def _start(self, sample: Sample) -> bool:
        try:
            return await self.driver.start(sample)
        finally:
            self._answered.append(sample)


def _sample(arrival: Arrival) -> Sample:
    index, due_ns, tenant, operation = arrival
    return Sample(index=index, tenant=tenant, operation=operation, intended_ns=due_ns)


def _drained(samples: deque[Sample]) -> list[Sample]:
    return [samples.popleft() for _ in range(min(len(samples), _BATCH))]
