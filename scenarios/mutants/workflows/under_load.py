"""What only a load shows: slow first tasks, and sagas that get lost."""

from __future__ import annotations

import time
from hashlib import sha256
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from scenarios.reference.workflow import NOTHING, ReferenceSaga

SLOW_S = 1.5
LOST_ONE_IN = 5


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
