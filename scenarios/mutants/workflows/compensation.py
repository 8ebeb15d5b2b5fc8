"""Sagas that are not undone as the contract says."""

from __future__ import annotations

import asyncio
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ActivityError, ApplicationError

from scenarios.reference.workflow import NOTHING, NodeFailed, ReferenceSaga

with workflow.unsafe.imports_passed_through():
    from scenarios.reference.program import Step


@workflow.defn(name="ReferenceSaga")
class ForwardOrder(ReferenceSaga):
    """Compensates in the order in which it went."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    def to_compensate(self, unknown: int | None) -> list[int]:
        return super().to_compensate(unknown)[::-1]


@workflow.defn(name="ReferenceSaga")
class OneForgotten(ReferenceSaga):
    """Never compensates the saga's first step."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    def to_compensate(self, unknown: int | None) -> list[int]:
        return super().to_compensate(unknown)[:-1]


@workflow.defn(name="ReferenceSaga")
class DoubtfulForgotten(ReferenceSaga):
    """Takes a step whose outcome is unknown for one that had no effect."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    def may_be_applied(self, cause: str) -> bool:
        return False


@workflow.defn(name="ReferenceSaga")
class EarlierAttemptForgotten(ReferenceSaga):
    """Takes a step that was not authorized in the end for one that had no effect before."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    def tried_before(self, cause: str, error: ActivityError) -> bool:
        return False


@workflow.defn(name="ReferenceSaga")
class DoubtfulForgottenOnceContinued(ReferenceSaga):
    """The same, but only in a run that another one continued as."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    def may_be_applied(self, cause: str) -> bool:
        return not self.program.progress.next_node and super().may_be_applied(cause)


@workflow.defn(name="ReferenceSaga")
class StepLeftOut(ReferenceSaga):
    """Takes the second step for done."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    async def step(self, number: int, node: Step) -> None:
        if number == 1:
            self.results[number] = {}
        else:
            await super().step(number, node)


@workflow.defn(name="ReferenceSaga")
class CompletedUndone(ReferenceSaga):
    """Undoes what it has completed, and says that it is completed."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    async def _execute(self) -> None:
        await super()._execute()
        last = len(self.program.nodes)
        await self._compensate(NodeFailed(last, "", may_be_applied=False))


@workflow.defn(name="ReferenceSaga")
class CancelNotUndone(ReferenceSaga):
    """Ends as cancelled without compensating anything."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    def to_compensate(self, unknown: int | None) -> list[int]:
        cancelled = workflow.cancellation_reason() is not None
        return [] if cancelled else super().to_compensate(unknown)


@workflow.defn(name="ReferenceSaga")
class CancelIsAFailure(ReferenceSaga):
    """Ends as failed where it was cancelled."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        try:
            return await super().run(raw)
        except asyncio.CancelledError as error:
            if workflow.cancellation_reason() is None:
                raise  # the run is evicted from the worker's cache
            raise ApplicationError("cancelled", type="SagaFailed", non_retryable=True) from error
