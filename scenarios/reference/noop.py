"""`ReferenceNoop`: activities that do nothing, one after the other (contract §10).

A load runs it to time what the platform adds to an activity; it has no effect and asks nobody.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from temporalio import workflow
from temporalio.common import RawValue, RetryPolicy
from temporalio.exceptions import ApplicationError

from scenarios.reference.workflow import NOTHING, SCHEDULE_TO_CLOSE, decode

with workflow.unsafe.imports_passed_through():
    from scenarios.reference.program import Misfit, Noops, parse_noops

WORKFLOW_TYPE: Final = "ReferenceNoop"
ACTIVITY_TYPE: Final = "noop"
START_TO_CLOSE: Final = timedelta(seconds=10)
RETRY: Final = RetryPolicy(
    initial_interval=timedelta(milliseconds=200),
    backoff_coefficient=2.0,
    maximum_interval=timedelta(seconds=2),
    maximum_attempts=5,
)


@workflow.defn(name=WORKFLOW_TYPE)
class ReferenceNoop:
    """As many no-op activities as its argument says."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        """The argument is taken undecoded, so that a misfit ends the run and not the task."""
        try:
            noops = parse_noops(decode(raw))
        except Misfit as error:
            raise ApplicationError(str(error), type="InvalidInput", non_retryable=True) from error
        for _ in range(noops.count):
            await _one(noops)
        return {"tenant": noops.tenant, "saga_id": noops.saga_id, "outcome": "completed"}


async def _one(noops: Noops) -> None:
    start = workflow.start_local_activity if noops.how == "local" else workflow.start_activity
    await start(
        ACTIVITY_TYPE,
        {"how": noops.how},  # by which `eager.py` knows those that may be handed over at once
        schedule_to_close_timeout=SCHEDULE_TO_CLOSE,
        start_to_close_timeout=START_TO_CLOSE,
        retry_policy=RETRY,
    )
