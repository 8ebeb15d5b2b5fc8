"""Lets single activities be handed over at once, with the answer that scheduled them (eagerly).

The SDK allows that for all activities of a worker or for none. The reference worker allows it for
none, so that each activity goes through the task queue; no-op activities that ask for it
(contract §10) are the exception.
"""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.worker import (
    Interceptor,
    StartActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)

from scenarios.reference.noop import ACTIVITY_TYPE


class EagerWhereAsked(Interceptor):
    """For a worker with `disable_eager_activity_execution`."""

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor]:
        """The SDK makes one of it for each run."""
        return _Inbound


class _Inbound(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_Outbound(outbound))


class _Outbound(WorkflowOutboundInterceptor):
    def start_activity(self, input: StartActivityInput) -> workflow.ActivityHandle[Any]:
        if input.activity == ACTIVITY_TYPE and list(input.args) == [{"how": "eager"}]:
            input.disable_eager_execution = False
        return super().start_activity(input)
