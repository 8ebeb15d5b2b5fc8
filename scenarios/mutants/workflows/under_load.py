"""What only a load shows: slow first tasks, and sagas that get lost."""

from __future__ import annotations

import time
from collections import deque
from hashlib import sha256
from typing import Any, Final

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from scenarios.reference.workflow import NOTHING, ReferenceSaga

with workflow.unsafe.imports_passed_through():
    from scenarios.reference.program import Step

SLOW_S = 1.5
LOST_ONE_IN = 5
MANY, WITHIN_S, LATE_S = 5, 0.6, 1.0
CAME: Final[deque[float]] = deque(maxlen=MANY)  # signals to any run in this process


@workflow.defn(name="ReferenceSaga")
class SlowFirstTask(ReferenceSaga):
    """Thinks for a while before it begins."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        time.sleep(SLOW_S)  # noqa: ASYNC251 - the defect
        return await super().run(raw)


@workflow.defn(name="ReferenceSaga")
class LosesSome(ReferenceSaga):
    """Gives one saga in five up, for no reason of the business."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        if sha256(workflow.info().workflow_id.encode()).digest()[0] % LOST_ONE_IN == 0:
            raise ApplicationError("lost", type="Lost", non_retryable=True)
        return await super().run(raw)


@workflow.defn(name="ReferenceSaga")
class Overwhelmed(ReferenceSaga):
    """With many signals in its process, whosever, it gives up sagas and answers queries late."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    async def step(self, number: int, node: Step) -> None:
        if many():
            raise ApplicationError("overwhelmed", type="Overwhelmed", non_retryable=True)
        await super().step(number, node)

    def receive(self, signal_id: str, name: str) -> None:
        CAME.append(time.monotonic())
        super().receive(signal_id, name)

    @workflow.query(name="state")
    def state(self) -> dict[str, Any]:
        if many():
            time.sleep(LATE_S)
        return super().state()


@workflow.defn(name="ReferenceSaga")
class Counting(ReferenceSaga):
    """Counts the signals in its process, whosever."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    def receive(self, signal_id: str, name: str) -> None:
        CAME.append(time.monotonic())
        super().receive(signal_id, name)


def many() -> bool:
    """Whether many signals came a moment ago."""
    return len(CAME) == MANY and time.monotonic() - CAME[0] < WITHIN_S
