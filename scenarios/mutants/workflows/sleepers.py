"""Sagas that do not sleep as long as they were told to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

from scenarios.reference.workflow import NOTHING, ReferenceSaga

with workflow.unsafe.imports_passed_through():
    from scenarios.reference.program import Timer

DRIFT = 1.0001  # 53 minutes in a year
WRAPS_MS = 1 << 31  # a signed number of 32 bits: 25 days


@workflow.defn(name="ReferenceSaga")
class Drifts(ReferenceSaga):
    """Sleeps a little longer."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    async def timer(self, node: Timer) -> None:
        await super().timer(replace(node, duration_ms=int(node.duration_ms * DRIFT)))


@workflow.defn(name="ReferenceSaga")
class Wraps(ReferenceSaga):
    """Keeps milliseconds in 32 bits."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    async def timer(self, node: Timer) -> None:
        await super().timer(replace(node, duration_ms=node.duration_ms % WRAPS_MS))


@workflow.defn(name="ReferenceSaga")
class LosesTimers(ReferenceSaga):
    """Starts a timer only the first time, not when its history is replayed."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    async def timer(self, node: Timer) -> None:
        if not workflow.unsafe.is_replaying():
            await super().timer(node)
