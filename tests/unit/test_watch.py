"""Watching the engine: long silence is told, a short one is not."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from temporalio.service import RPCError, RPCStatusCode

from harness.drive import watch
from harness.drive.__main__ import _while_there
from harness.drive.plan import Steady
from harness.errors import TargetGone


class Engine:
    """Answers, or does not, as `silent` says; `asked` counts."""

    def __init__(self, silent: Any) -> None:
        self._silent = silent
        self.asked = 0

    async def get_system_info(self, *_: Any, **__: Any) -> None:
        self.asked += 1
        if self._silent(self.asked):
            raise RPCError("connection refused", RPCStatusCode.UNAVAILABLE, b"")


def driven(engine: Engine, steady: Steady | None = None) -> Any:
    client = SimpleNamespace(workflow_service=engine)
    plan = SimpleNamespace(engine=SimpleNamespace(address="127.0.0.1:1"), steady=steady)
    return SimpleNamespace(
        clients={"alpha": client}, tenants=[SimpleNamespace(name="alpha")], plan=plan
    )


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the watch, time goes by only while it sleeps, and at once."""
    now = [0.0]

    async def sleep(seconds: float) -> None:
        now[0] += seconds
        await asyncio.sleep(0)

    clock = SimpleNamespace(time=lambda: now[0])
    monkeypatch.setattr(
        watch, "asyncio", SimpleNamespace(sleep=sleep, get_running_loop=lambda: clock)
    )


async def test_an_engine_that_stays_silent_ends_the_work_and_is_named() -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(TargetGone, match=r"127\.0\.0\.1:1 has not answered .*UNAVAILABLE"):
        await _while_there(driven(Engine(lambda _: True)), work())
    assert began.is_set()
    assert ended.is_set()


async def test_an_engine_that_answers_now_and_then_is_there() -> None:
    """It is silent most of the time, but never for long."""
    enough = asyncio.Event()

    def silent(asked: int) -> bool:
        if asked > 10 * watch.GONE_AFTER_S:
            enough.set()
        return asked % 15 != 0

    async def work() -> None:
        await enough.wait()

    await _while_there(driven(Engine(silent)), work())


async def test_what_the_work_raises_is_raised() -> None:
    async def work() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await _while_there(driven(Engine(lambda _: False)), work())


async def test_a_chaos_schedule_may_silence_the_engine() -> None:
    engine = Engine(lambda _: True)

    async def work() -> None:
        await asyncio.sleep(0)

    await _while_there(driven(engine, Steady(rate_per_s=1, duration_s=1)), work())
    assert engine.asked == 0
