"""Retry policies that are not the program's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue, RetryPolicy

from scenarios.reference.workflow import NOTHING, ReferenceSaga

with workflow.unsafe.imports_passed_through():
    from scenarios.reference.program import Retry

LONG_MS = 9000


@workflow.defn(name="ReferenceSaga")
class ConstantInterval(ReferenceSaga):
    """Does not back off."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    def retry_policy(self, retry: Retry) -> RetryPolicy:
        return super().retry_policy(replace(retry, coefficient=1.0))


@workflow.defn(name="ReferenceSaga")
class OneMore(ReferenceSaga):
    """Tries once more than it may."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    def retry_policy(self, retry: Retry) -> RetryPolicy:
        return super().retry_policy(replace(retry, max_attempts=retry.max_attempts + 1))


@workflow.defn(name="ReferenceSaga")
class OneLess(ReferenceSaga):
    """Gives up one attempt too early."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    def retry_policy(self, retry: Retry) -> RetryPolicy:
        return super().retry_policy(replace(retry, max_attempts=retry.max_attempts - 1))


@workflow.defn(name="ReferenceSaga")
class LongInterval(ReferenceSaga):
    """Waits seconds where the program says milliseconds."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    def retry_policy(self, retry: Retry) -> RetryPolicy:
        longest_ms = max(retry.max_interval_ms, LONG_MS)
        return super().retry_policy(
            replace(retry, initial_ms=LONG_MS, coefficient=1.0, max_interval_ms=longest_ms)
        )


@workflow.defn(name="ReferenceSaga")
class WithoutBound(ReferenceSaga):
    """Tries for as long as the activity may take."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    def retry_policy(self, retry: Retry) -> RetryPolicy:
        policy = super().retry_policy(retry)
        policy.maximum_attempts = 0
        return policy


@workflow.defn(name="ReferenceSaga")
class NothingIsFinal(ReferenceSaga):
    """Knows no failure that is not tried again."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    def retry_policy(self, retry: Retry) -> RetryPolicy:
        policy = super().retry_policy(retry)
        policy.non_retryable_error_types = None
        return policy
