"""A workflow with every kind of command that the Python SDK can issue."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from temporalio import activity, workflow
from temporalio.common import RetryPolicy, SearchAttributeKey
from temporalio.exceptions import ActivityError, ApplicationError

SOON: Final = timedelta(seconds=10)
REGION: Final = SearchAttributeKey.for_keyword("Region")
LOCALLY: Final = [1]  # what the local activity answers: of the outside world


@activity.defn(name="rms.reserve")
async def reserve(argument: Any) -> Any:
    return {"ok": argument}


@activity.defn(name="slow")
async def slow() -> None:
    with suppress(asyncio.CancelledError):
        while True:
            activity.heartbeat()
            await asyncio.sleep(0.05)
    raise ApplicationError("given up", type="GivenUp", non_retryable=True)


@activity.defn(name="local")
async def local() -> int:
    return LOCALLY[0]


ACTIVITIES: Final = [reserve, slow, local]


@dataclass(frozen=True)
class Version:
    """What differs between builds of `rich`."""

    note: str = "noted"
    told: str = "told"
    memo: str = "one"
    region: str = "north"
    child_id: str = "child"
    rejects: bool = False
    after_local: str = "x"


def rich(version: Version) -> type:
    """A build of the workflow."""

    class Rich:
        def __init__(self) -> None:
            self.notes: list[str] = []
            self.gone = False

        async def run(self, turn: int) -> Any:
            info = workflow.info()
            if turn == 0:
                workflow.upsert_search_attributes([REGION.value_set(version.region)])
                workflow.upsert_memo({"stage": version.memo})
                await self._steps()
                await workflow.wait_condition(lambda: self.gone)
                workflow.continue_as_new(1)
            chance = workflow.random().random()
            await workflow.sleep(timedelta(milliseconds=20))
            return {
                "notes": self.notes,
                "run": info.run_id,
                "key": str(workflow.uuid4()),
                "chance": chance,
                "at": workflow.now().timestamp(),
            }

        async def _steps(self) -> None:
            if workflow.patched("first"):
                await workflow.execute_activity(
                    "rms.reserve", {"key": str(workflow.uuid4())}, start_to_close_timeout=SOON
                )
            got = await workflow.execute_local_activity("local", start_to_close_timeout=SOON)
            await workflow.execute_activity(
                "rms.reserve", [got, version.after_local], start_to_close_timeout=SOON
            )
            await self._cancelled()
            child = await workflow.start_child_workflow(
                "Child", id=f"{workflow.info().workflow_id}/{version.child_id}"
            )
            await child.signal("go", version.told)
            await child
            other: Any = workflow.get_external_workflow_handle("nobody")
            with suppress(Exception):
                await other.cancel()

        async def _cancelled(self) -> None:
            """A timer and an activity that are given up."""
            timer = asyncio.create_task(workflow.sleep(timedelta(seconds=300)))
            task = workflow.start_activity(
                "slow",
                start_to_close_timeout=SOON,
                heartbeat_timeout=timedelta(seconds=5),
                retry_policy=RetryPolicy(maximum_attempts=1),
                cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            )
            await workflow.sleep(timedelta(milliseconds=50))
            timer.cancel()
            task.cancel()
            with suppress(ActivityError, asyncio.CancelledError):
                await task

        def go(self) -> None:
            self.gone = True

        async def note(self, text: str) -> str:
            self.notes.append(text)
            await workflow.sleep(timedelta(milliseconds=10))
            return version.note

        def check(self, text: str) -> None:
            if version.rejects or not text:
                raise ValueError("refused")

        async def fails(self) -> None:
            raise ApplicationError("no", type="Refused")

    return _defined(Rich)


def _defined(rich: Any) -> type:
    """With the decorators' work done by hand: their names would be taken from this function."""
    for name in ("run", "go", "note", "fails"):
        getattr(rich, name).__qualname__ = f"Rich.{name}"
    rich.__qualname__ = "Rich"
    workflow.run(rich.run)
    workflow.signal(name="go")(rich.go)
    note = workflow.update(name="note")(rich.note)
    note.validator(rich.check)
    workflow.update(name="fails")(rich.fails)
    made: type = workflow.defn(name="Rich", sandboxed=False)(rich)
    return made


@workflow.defn(name="Child", sandboxed=False)
class Child:
    """Waits for a signal, and ends."""

    def __init__(self) -> None:
        self.told = ""

    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: bool(self.told))
        return self.told

    @workflow.signal
    def go(self, told: str) -> None:
        self.told = told
