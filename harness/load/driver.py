"""The Temporal side of the load generator: what it makes of the engine's answers.

Each operation is one raw call without the SDK's retries, so that the first attempt has a latency of
its own; what may be retried is then retried by the SDK's own policy, a start under the same request
id, so that the engine starts one workflow only. The end of a run is awaited by a long poll for its
close event, so its time is the client's and includes the way back.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, Final

import msgspec
from google.protobuf.message import Message
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, HistoryEventFilterType
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    GetWorkflowExecutionHistoryRequest,
    GetWorkflowExecutionHistoryResponse,
    StartWorkflowExecutionResponse,
)
from temporalio.client import Client
from temporalio.service import RetryConfig, RPCError, RPCStatusCode, WorkflowService

from harness.drive.endings import BY_STATUS
from harness.errors import UnavailableError
from harness.journal.records import Ending
from harness.load.connect import CONNECT_WITHIN_S, connected
from harness.load.engine import Clock, Sample
from harness.load.requests import METHODS, REQUESTS, Waiting, start_request
from harness.load.samples import FAILURE, LOST, SampleOutcome
from harness.load.settings import FIRST_TASK_SLI, Settings
from harness.load.waiting import WAITING, end_waiting, fill, start_waiting, volume
from harness.load.workload import STARTING, Kind, Operation, Workload

ATTEMPT_TIMEOUT: Final = timedelta(seconds=10)
POLL_TIMEOUT: Final = timedelta(seconds=60)  # the engine ends a long poll after 20 s itself
RETRIED: Final = frozenset(
    {
        RPCStatusCode.DATA_LOSS,
        RPCStatusCode.INTERNAL,
        RPCStatusCode.UNKNOWN,
        RPCStatusCode.RESOURCE_EXHAUSTED,
        RPCStatusCode.ABORTED,
        RPCStatusCode.OUT_OF_RANGE,
        RPCStatusCode.UNAVAILABLE,
    }
)
UNSEEN: Final = frozenset(  # statuses after which the end of a run can never be seen
    {
        RPCStatusCode.INVALID_ARGUMENT,
        RPCStatusCode.PERMISSION_DENIED,
        RPCStatusCode.UNAUTHENTICATED,
        RPCStatusCode.UNIMPLEMENTED,
    }
)
CLOSED: Final[Mapping[int, tuple[SampleOutcome, str]]] = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED: (SampleOutcome.OK, ""),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED: (SampleOutcome.FAIL, FAILURE),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED: (SampleOutcome.FAIL, "canceled"),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED: (SampleOutcome.FAIL, "terminated"),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT: (SampleOutcome.FAIL, "timed_out"),
}
_ALL: Final = HistoryEventFilterType.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT
_CLOSE: Final = HistoryEventFilterType.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT
_RETRY: Final = RetryConfig()
_BACKOFF_S: Final = (0.1, 0.2, 0.5, 1.0, 2.0)
_LONGEST_CAUSE: Final = 100


class TemporalDriver:
    """Starts the workflows of a workload over one connection, for all tenants."""

    def __init__(
        self,
        settings: Settings,
        workload: Workload,
        prefix: str,
        clock: Clock,
        part: int = 0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.client: Client | None = None
        self.volumes: list[int] = []
        self._settings = settings
        self._workload = workload
        self._prefix = prefix
        self._part = part
        self._clock = clock
        self._sleep = sleep
        self._random = random.Random(settings.seed)
        self._follow_first_task = settings.sli == FIRST_TASK_SLI
        self._waiting: list[list[Waiting]] = []

    async def open(self) -> None:
        """Connect, see that each tenant's namespace is there, and have ready what is read."""
        try:
            self.client = await connected(self._settings)
            for tenant in self._settings.tenants:
                await self._see(tenant.namespace)
            if self._workload.reads:
                for tenant in self._settings.tenants if self._settings.volume else ():
                    await fill(
                        self._service, tenant, self._settings.volume, f"{self._prefix}-{self._part}"
                    )
                names = [tenant.namespace for tenant in self._settings.tenants]
                self.volumes = [await volume(self._service, name) for name in names]
            if self._workload.needs_waiting:
                self._waiting = await start_waiting(
                    self._service,
                    self._settings.tenants,
                    self._workload,
                    f"{self._prefix}-part-{self._part}",
                )
        except RPCError as error:
            raise UnavailableError(
                f"engine {self._settings.address}: {error.status.name}: {error.message}; the runs "
                "that the load is to read could not be made ready"
            ) from None
        except (RuntimeError, TimeoutError, OSError) as error:
            raise UnavailableError(
                f"engine {self._settings.address}: cannot be reached within {CONNECT_WITHIN_S:g} s "
                f"({_short(error)}); check TEMPORAL_ADDRESS, TLS and that it runs"
            ) from None

    async def close(self) -> None:
        """End the runs that wait, and let go of the client; the SDK closes the connection."""
        if self.client is not None and self._waiting:
            await end_waiting(self._service, self._waiting)
        self.client = None

    async def start(self, sample: Sample) -> bool:
        """Do what the sample's operation says; sets its attempts and the times of its answers.

        True if it was started and has still to be followed to its end.
        """
        operation = self._workload.operations[sample.operation]
        answer = await self._answered(sample, operation)
        if answer is None:
            return False
        if isinstance(answer, StartWorkflowExecutionResponse):
            sample.run_id = answer.run_id
        if operation.kind is Kind.RUN:
            return True
        sample.completed_ns = sample.answered_ns
        sample.end(SampleOutcome.OK)
        return False

    async def _answered(self, sample: Sample, operation: Operation) -> Message | None:
        """The answer to the operation's call, by whichever attempt; None if the sample ended."""
        request = self._request(sample, operation)
        call = getattr(self._service, METHODS[operation.kind])
        given_up_ns = self._clock() + (_RETRY.max_elapsed_time_millis or 0) * 1_000_000
        pause_s = _RETRY.initial_interval_millis / 1000
        while True:
            sample.attempts += 1
            try:
                answer: Message = await call(request, retry=False, timeout=ATTEMPT_TIMEOUT)
            except RPCError as error:
                late = self._clock() + pause_s * 1e9 > given_up_ns
                if error.status not in RETRIED or late or sample.attempts > _RETRY.max_retries:
                    outcome = _OUTCOMES[BY_STATUS[error.status]]
                    sample.end(outcome, f"{_cause(operation)}:{error.status.name}")
                    return None
            else:
                sample.answered_ns = self._clock()
                sample.first_attempt_ns = sample.answered_ns if sample.attempts == 1 else 0
                return answer
            spread = _RETRY.randomization_factor
            await self._sleep(pause_s * self._random.uniform(1 - spread, 1 + spread))
            pause_s = min(pause_s * _RETRY.multiplier, _RETRY.max_interval_millis / 1000)

    async def follow(self, sample: Sample) -> None:
        """Wait for the end of the sample's run, through continue-as-new and workflow retries."""
        if self._follow_first_task:
            await self._first_task(sample)
        while not sample.completed_ns:
            event = await self._close_event(sample)
            if event is None:
                return
            if following := _following_run(event):
                sample.run_id = following
            else:
                sample.completed_ns = self._clock()
                outcome, cause = CLOSED[event.event_type]
                if cause == FAILURE:
                    failure = event.workflow_execution_failed_event_attributes.failure
                    cause = f"{FAILURE}{failure_name(failure)}"[:_LONGEST_CAUSE]
                sample.end(outcome, cause)

    async def _first_task(self, sample: Sample) -> None:
        token = b""
        while not sample.first_task_ns:
            answer = await self._poll(sample, token, _ALL)
            if answer is None:
                return
            if any(_ends_first_task(event) for event in answer.history.events):
                sample.first_task_ns = self._clock()
            token = answer.next_page_token
            if not token:
                return

    async def _close_event(self, sample: Sample) -> HistoryEvent | None:
        """The event that closed the current run; None if the sample was ended without it."""
        token = b""
        while True:
            answer = await self._poll(sample, token, _CLOSE)
            if answer is None:
                return None
            for event in answer.history.events:
                if event.event_type in CLOSED or _following_run(event):
                    return event
            token = answer.next_page_token

    async def _poll(
        self, sample: Sample, token: bytes, kind: HistoryEventFilterType.ValueType
    ) -> GetWorkflowExecutionHistoryResponse | None:
        """One long poll, tried until it is answered; None if the sample was ended instead."""
        request = GetWorkflowExecutionHistoryRequest(
            namespace=self._settings.tenants[sample.tenant].namespace,
            execution=WorkflowExecution(
                workflow_id=f"{self._prefix}-{sample.index}", run_id=sample.run_id
            ),
            wait_new_event=True,
            history_event_filter_type=kind,
            skip_archival=True,
            next_page_token=token,
        )
        for attempt in range(1_000_000):
            try:
                return await self._service.get_workflow_execution_history(
                    request, retry=False, timeout=POLL_TIMEOUT
                )
            except RPCError as error:
                if error.status is RPCStatusCode.NOT_FOUND:
                    sample.end(SampleOutcome.FAIL, LOST)
                    return None
                if error.status in UNSEEN:
                    sample.end(SampleOutcome.INFO, f"follow:{error.status.name}")
                    return None
            pause_s = _BACKOFF_S[min(attempt, len(_BACKOFF_S) - 1)]
            await self._sleep(pause_s * self._random.uniform(0.8, 1.2))
        return None

    def _request(self, sample: Sample, operation: Operation) -> Message:
        tenant = self._settings.tenants[sample.tenant]
        workflow_id = f"{self._prefix}-{sample.index}"
        if operation.kind in STARTING:
            assert operation.argument is not None
            return start_request(
                tenant, workflow_id, operation.argument(tenant.tenant, workflow_id),
                operation.workflow_type,
            )  # fmt: skip
        waits = self._waiting[sample.tenant][sample.index % WAITING]
        return REQUESTS[operation.kind](tenant.namespace, waits.execution, workflow_id)

    async def _see(self, namespace: str) -> None:
        for attempt in range(40):
            try:
                await self._service.describe_namespace(
                    DescribeNamespaceRequest(namespace=namespace), timeout=ATTEMPT_TIMEOUT
                )
                return
            except RPCError as error:
                # a namespace takes a moment from being registered to being known
                if attempt == 39 or error.status is RPCStatusCode.PERMISSION_DENIED:
                    raise UnavailableError(
                        f"engine {self._settings.address}: namespace {namespace}: {error.message} "
                        "(create it or correct HARNESS_TENANTS)"
                    ) from None
            await self._sleep(0.1)

    @property
    def _service(self) -> WorkflowService:
        assert self.client is not None, "the driver is not open"
        return self.client.workflow_service


def _cause(operation: Operation) -> str:
    """What a failed call is called: all starts alike, as it is the engine that refuses them."""
    return "start" if operation.kind in STARTING else operation.name


_OUTCOMES: Final = {Ending.FAIL: SampleOutcome.FAIL, Ending.INFO: SampleOutcome.INFO}


def failure_name(failure: Failure) -> str:
    """What a failed run failed of: the cause that a saga names after it compensated, else its type.

    A saga that could not compensate failed of that, whatever made it compensate.
    """
    info = failure.application_failure_info
    if info.type != "SagaFailed":
        return info.type or failure.WhichOneof("failure_info") or "unknown"
    detail = _detail(info.details.payloads)
    if detail.get("outcome") != "compensated":
        return str(detail.get("outcome") or info.type)
    return str(detail.get("cause") or info.type)


def _detail(payloads: Any) -> dict[str, Any]:
    with contextlib.suppress(msgspec.MsgspecError, IndexError):
        return msgspec.json.decode(payloads[0].data, type=dict[str, Any])
    return {}


def _following_run(event: HistoryEvent) -> str:
    """The run that carries on after a closed one: continued as new, retried, or by cron."""
    attributes: Message | None = getattr(event, event.WhichOneof("attributes") or "", None)
    return str(getattr(attributes, "new_execution_run_id", ""))


def _ends_first_task(event: HistoryEvent) -> bool:
    return event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED


def _short(error: BaseException) -> str:
    return str(error).splitlines()[0][:160] if str(error) else type(error).__name__
