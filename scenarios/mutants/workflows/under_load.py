"""What only a load shows: slow first tasks, and sagas that get lost."""

from __future__ import annotations

import time
from collections import deque
from hashlib import sha256
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from scenarios.reference.workflow import NOTHING, ReferenceSaga

with workflow.unsafe.imports_passed_through():
    from scenarios.reference.program import Step

SLOW_S = 1.5
LOST_ONE_IN = 5
MANY, WITHIN_S, LATE_S = 6, 0.5, 0.6
_BEGAN: deque[float] = deque(maxlen=MANY)  # of all runs in this process, whosever they are


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
    """With many new runs in its process, whosever, it gives up sagas and answers queries late."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        _BEGAN.append(time.monotonic())
        return await super().run(raw)

    async def step(self, number: int, node: Step) -> None:
        if _many():
            raise ApplicationError("overwhelmed", type="Overwhelmed", non_retryable=True)
        await super().step(number, node)

    @workflow.query(name="state")
    def state(self) -> dict[str, Any]:
        if _many():
            time.sleep(LATE_S)
        return super().state()


def _many() -> bool:
    return len(_BEGAN) == MANY and time.monotonic() - _BEGAN[0] < WITHIN_S
