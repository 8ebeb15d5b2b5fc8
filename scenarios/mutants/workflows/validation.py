"""Sagas that do not look at their argument as the contract asks."""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from scenarios.reference.workflow import NOTHING, ReferenceSaga

with workflow.unsafe.imports_passed_through():
    from scenarios.reference.program import Misfit, parse

KNOWN = frozenset({"contract", "tenant", "saga_id", "nodes", "progress"})


def _is_misfit(error: ApplicationError) -> bool:
    return error.type == "InvalidInput"


@workflow.defn(name="ReferenceSaga")
class TakesAnything(ReferenceSaga):
    """Completes with nothing done where the argument does not fit."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        try:
            return await super().run(raw)
        except ApplicationError as error:
            if not _is_misfit(error):
                raise
            return self.result()


@workflow.defn(name="ReferenceSaga")
class FailsTheTask(ReferenceSaga):
    """Has the workflow task fail, which the engine tries for ever."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        try:
            return await super().run(raw)
        except ApplicationError as error:
            if not _is_misfit(error):
                raise
            raise ValueError(str(error)) from error


@workflow.defn(name="ReferenceSaga")
class RefusesForNow(ReferenceSaga):
    """Fails in a way that lets the run be retried."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        try:
            return await super().run(raw)
        except ApplicationError as error:
            if not _is_misfit(error):
                raise
            raise ApplicationError(str(error), type="InvalidInput") from error


@workflow.defn(name="ReferenceSaga")
class WorksUntilTheMisfit(ReferenceSaga):
    """Carries out the first node before it looks at the others."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        try:
            return await super().run(raw)
        except ApplicationError as error:
            if _is_misfit(error):
                await self._first_node()
            raise

    async def _first_node(self) -> None:
        try:
            first = self.argument.get("nodes", [])[:1]
            self.program = parse({**self.argument, "nodes": first})
        except (Misfit, TypeError, KeyError):
            return
        self._take_up(self.program.progress)
        await self._execute()


@workflow.defn(name="ReferenceSaga")
class KnowsAllMembers(ReferenceSaga):
    """Refuses an argument with a member that it does not know."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        value = workflow.payload_converter().from_payload(raw.payload)
        if isinstance(value, dict) and set(value) - KNOWN:
            raise ApplicationError("unknown members", type="InvalidInput", non_retryable=True)
        return await super().run(raw)
