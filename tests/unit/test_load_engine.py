"""The open loop against a driver made by hand: no arrival is lost, doubled or hurried."""

from __future__ import annotations

import asyncio
import time
from array import array
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from harness.errors import UnavailableError
from harness.load.engine import Engine, Planned, Sample, Tokens
from harness.load.plan import Plan, Turns
from harness.load.samples import CAPACITY, GENERATOR, HORIZON, INTERRUPTED, SampleOutcome


async def at_once(sample: Sample) -> bool:
    sample.attempts = 1
    sample.answered_ns = sample.first_attempt_ns = time.monotonic_ns()
    return True


async def completes(sample: Sample) -> None:
    sample.completed_ns = time.monotonic_ns()
    sample.end(SampleOutcome.OK)


async def never(sample: Sample) -> None:
    await asyncio.Event().wait()


@dataclass(kw_only=True)
class Stub:
    """A platform of two functions."""

    on_start: Callable[[Sample], Awaitable[bool]] = at_once
    on_follow: Callable[[Sample], Awaitable[None]] = completes
    on_open: Callable[[], None] = lambda: None
    closed: int = 0
    started: list[int] = field(default_factory=list)

    async def open(self) -> None:
        self.on_open()

    async def start(self, sample: Sample) -> bool:
        self.started.append(sample.index)
        return await self.on_start(sample)

    async def follow(self, sample: Sample) -> None:
        await self.on_follow(sample)

    async def close(self) -> None:
        self.closed += 1


def engine(
    driver: Stub, count: int = 20, gap_ms: int = 5, in_flight: int = 100, horizon_s: float = 5.0
) -> Engine:
    offsets = array("q", (i * gap_ms * 1_000_000 for i in range(count)))
    pace = Planned(plan=Plan(offsets_ns=offsets, turns=Turns([1, 1])))
    return Engine(driver=driver, pace=pace, in_flight=in_flight, horizon_s=horizon_s)


def rows(run: Engine) -> list[Sample]:
    """All rows of a finished run, by index."""
    return sorted([*run.ended(), *run.leftover()], key=lambda sample: sample.index)


async def test_every_arrival_is_sent_once_not_before_its_time_and_ends() -> None:
    driver = Stub()
    run = engine(driver)
    await run.run()
    found = rows(run)
    assert [sample.index for sample in found] == sorted(driver.started) == list(range(20))
    assert all(sample.outcome is SampleOutcome.OK for sample in found)
    assert all(sample.sent_ns >= sample.intended_ns for sample in found)
    assert [s.intended_ns - run.begin_ns for s in found] == [i * 5_000_000 for i in range(20)]
    assert [sample.tenant for sample in found] == [0, 1] * 10
    assert run.finished
    assert run.failure is None
    assert driver.closed == 1


async def test_a_platform_that_stalls_does_not_slow_the_arrivals_down() -> None:
    """The coordinated omission: latency counts from the intended time, arrivals go on."""
    healed = asyncio.Event()
    driver = Stub()

    async def stalls(sample: Sample) -> bool:
        if sample.index == 19:
            healed.set()
        await healed.wait()
        return await at_once(sample)

    driver.on_start = stalls
    run = engine(driver)
    await run.run()
    found = rows(run)
    last_ns = found[19].intended_ns
    assert all(sample.answered_ns >= last_ns for sample in found)
    assert found[0].answered_ns - found[0].intended_ns >= 19 * 5_000_000


async def test_what_cannot_be_sent_is_a_row_of_its_own() -> None:
    release = asyncio.Event()
    driver = Stub()

    async def waits(sample: Sample) -> bool:
        await release.wait()
        return await at_once(sample)

    driver.on_start = waits
    run = engine(driver, count=8, in_flight=3)
    task = asyncio.create_task(run.run())
    refused_so_far: list[Sample] = []
    while len(refused_so_far) < 5:  # what it says is polled, as Locust's greenlet does
        await asyncio.sleep(0.005)
        refused_so_far += run.ended()
    release.set()
    await task
    found = sorted([*refused_so_far, *rows(run)], key=lambda sample: sample.index)
    assert [sample.index for sample in found] == list(range(8))
    refused = [s for s in found if s.outcome is SampleOutcome.NOT_SENT]
    assert [s.index for s in refused] == [3, 4, 5, 6, 7]
    assert {s.cause for s in refused} == {CAPACITY}
    assert {s.sent_ns for s in refused} == {0}
    assert run.sent == 3


async def test_a_saga_that_does_not_end_is_info_at_the_horizon() -> None:
    run = engine(Stub(on_follow=never), count=3, horizon_s=0.2)
    await run.run()
    found = rows(run)
    assert {(s.outcome, s.cause) for s in found} == {(SampleOutcome.INFO, HORIZON)}
    assert all(s.answered_ns and not s.completed_ns for s in found)


async def test_a_start_that_is_never_answered_is_info_at_the_horizon() -> None:
    async def silent(sample: Sample) -> bool:
        await asyncio.Event().wait()
        return True

    run = engine(Stub(on_start=silent), count=2, horizon_s=0.1)
    await run.run()
    assert {(s.outcome, s.cause, s.answered_ns) for s in rows(run)} == {
        (SampleOutcome.INFO, HORIZON, 0)
    }
    assert len(run.answered()) == 2


async def test_stop_ends_at_once_and_accounts_for_all() -> None:
    """In flight: info, never a success. Not due yet: not sent. Nothing is missing."""
    begun = asyncio.Event()
    driver = Stub()

    async def hangs(sample: Sample) -> None:
        begun.set()
        await never(sample)

    driver.on_follow = hangs
    run = engine(driver, count=1000, gap_ms=100, horizon_s=1000)
    task = asyncio.create_task(run.run())
    await begun.wait()
    run.stop()
    await task
    found = rows(run)
    assert [sample.index for sample in found] == list(range(1000))
    assert {s.cause for s in found} == {INTERRUPTED}
    assert found[0].outcome is SampleOutcome.INFO
    assert found[-1].outcome is SampleOutcome.NOT_SENT


async def test_what_ends_while_stopping_keeps_its_outcome() -> None:
    driver = Stub()
    run = engine(driver, count=1)

    async def ends_after_the_stop(sample: Sample) -> None:
        run.stop()
        await asyncio.sleep(0.05)
        await completes(sample)

    driver.on_follow = ends_after_the_stop
    await run.run()
    assert rows(run)[0].outcome is SampleOutcome.OK


async def test_a_bug_of_the_driver_is_ours_and_not_the_platform_s() -> None:
    async def breaks(sample: Sample) -> None:
        raise TypeError("a bug")

    run = engine(Stub(on_follow=breaks), count=5)
    await run.run()
    assert isinstance(run.failure, TypeError)
    assert rows(run)[0].cause == GENERATOR


async def test_an_engine_that_is_not_there_ends_the_run_before_it_begins() -> None:
    def absent() -> None:
        raise UnavailableError("nobody there")

    run = engine(Stub(on_open=absent), count=5)
    await run.run()
    assert isinstance(run.failure, UnavailableError)
    assert run.finished
    assert not run.ready
    assert run.sent == 0


async def test_a_hanging_run_gives_its_rows_away_only_once() -> None:
    """After `leftover` a late end adds no second row."""
    release = asyncio.Event()
    begun = asyncio.Event()
    driver = Stub()

    async def waits(sample: Sample) -> None:
        begun.set()
        await release.wait()
        await completes(sample)

    driver.on_follow = waits
    run = engine(driver, count=1)
    task = asyncio.create_task(run.run())
    await begun.wait()
    assert [sample.cause for sample in run.leftover()] == [INTERRUPTED]
    release.set()
    await task
    assert run.ended() == []


async def test_tokens_set_the_rate_at_any_moment() -> None:
    pace = Tokens(per_token_per_s=100.0, turns=Turns([1, 1]), count=2)
    begin_ns = time.monotonic_ns()
    arrivals = pace.arrivals(begin_ns, lambda: False)
    due_ns = [(await anext(arrivals))[1] for _ in range(3)]
    pace.count = 4
    due_ns += [(await anext(arrivals))[1] for _ in range(2)]
    assert [due - begin_ns for due in due_ns] == [5e6, 10e6, 15e6, 17.5e6, 20e6]
    assert (await anext(arrivals))[::2] == (5, 1)
    assert list(pace.rest()) == []


async def test_without_a_token_nothing_arrives() -> None:
    pace = Tokens(per_token_per_s=100.0, turns=Turns([1]))
    asked = 0

    def stopped() -> bool:
        nonlocal asked
        asked += 1
        return asked > 2

    assert [arrival async for arrival in pace.arrivals(0, stopped)] == []


@pytest.mark.parametrize("count", [0, 1])
async def test_a_plan_ends_by_itself(count: int) -> None:
    run = engine(Stub(), count=count)
    await run.run()
    assert len(rows(run)) == count
