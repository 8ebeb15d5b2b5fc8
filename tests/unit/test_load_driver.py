"""What the generator makes of each answer of the engine: every status and every way to close."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.enums.v1 import EventType
from temporalio.api.failure.v1 import (
    ApplicationFailureInfo,
    Failure,
    TerminatedFailureInfo,
    TimeoutFailureInfo,
)
from temporalio.api.history.v1 import (
    History,
    HistoryEvent,
    WorkflowExecutionCompletedEventAttributes,
    WorkflowExecutionContinuedAsNewEventAttributes,
    WorkflowExecutionFailedEventAttributes,
)
from temporalio.api.workflowservice.v1 import (
    GetWorkflowExecutionHistoryRequest,
    GetWorkflowExecutionHistoryResponse,
    StartWorkflowExecutionRequest,
    StartWorkflowExecutionResponse,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from harness.drive.endings import BY_STATUS
from harness.journal.records import Ending
from harness.load.driver import CLOSED, RETRIED, UNSEEN, TemporalDriver, failure_name
from harness.load.engine import Sample
from harness.load.samples import LOST, SampleOutcome
from harness.load.settings import Settings, Tenant
from harness.load.workload import Kind, Operation, Workload

COMPLETED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED
FAILED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED
CONTINUED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW
Answers = list[HistoryEvent | RPCStatusCode | None]


class Service:
    """An engine that answers from two lists; None is a long poll that ended without news."""

    def __init__(self, starts: list[RPCStatusCode | None], polls: Answers) -> None:
        self.starts = starts
        self.polls = polls
        self.started: list[StartWorkflowExecutionRequest] = []
        self.polled: list[GetWorkflowExecutionHistoryRequest] = []

    async def start_workflow_execution(
        self, request: StartWorkflowExecutionRequest, **_: Any
    ) -> StartWorkflowExecutionResponse:
        self.started.append(request)
        status = self.starts.pop(0)
        if status is not None:
            raise RPCError("refused", status, b"")
        return StartWorkflowExecutionResponse(run_id="run-1")

    async def get_workflow_execution_history(
        self, request: GetWorkflowExecutionHistoryRequest, **_: Any
    ) -> GetWorkflowExecutionHistoryResponse:
        kept = GetWorkflowExecutionHistoryRequest()
        kept.CopyFrom(request)
        self.polled.append(kept)
        answer = self.polls.pop(0)
        if isinstance(answer, int):
            raise RPCError("refused", RPCStatusCode(answer), b"")
        events = [] if answer is None else [answer]
        return GetWorkflowExecutionHistoryResponse(
            history=History(events=events), next_page_token=b"more"
        )


async def driven(starts: list[RPCStatusCode | None], polls: Answers) -> tuple[Sample, Service]:
    """A sample after its start and, if that was acknowledged, its end; no pause is waited for."""

    async def no_pause(_: float) -> None:
        return None

    service = Service(starts, polls)
    settings = Settings(
        address="", tenants=(Tenant(tenant="alpha", namespace="ten-a", task_queue="q"),)
    )
    operation = Operation(
        name="saga", kind=Kind.RUN, argument=lambda tenant, saga_id: {"t": tenant, "s": saga_id}
    )
    workload = Workload(name="saga", operations=(operation,))
    driver = TemporalDriver(settings, workload, "load-t-1", time.monotonic_ns, sleep=no_pause)
    driver.client = cast("Client", SimpleNamespace(workflow_service=service))
    sample = Sample(index=7, tenant=0, intended_ns=1, sent_ns=1)
    if await driver.start(sample):
        await driver.follow(sample)
    return sample, service


def event(kind: EventType.ValueType, **attributes: Any) -> HistoryEvent:
    return HistoryEvent(event_id=9, event_type=kind, **attributes)


def done() -> HistoryEvent:
    return event(
        COMPLETED,
        workflow_execution_completed_event_attributes=WorkflowExecutionCompletedEventAttributes(),
    )


async def test_a_start_and_its_end() -> None:
    sample, service = await driven([None], [None, done()])
    assert sample.outcome is SampleOutcome.OK
    assert sample.first_attempt_ns == sample.answered_ns > 0
    assert sample.completed_ns >= sample.answered_ns
    assert sample.attempts == 1
    request = service.started[0]
    assert (request.namespace, request.workflow_id) == ("ten-a", "load-t-1-7")
    assert request.workflow_type.name == "ReferenceSaga"
    assert request.input.payloads[0].metadata["encoding"] == b"json/plain"
    assert msgspec.json.decode(request.input.payloads[0].data) == {"t": "alpha", "s": "load-t-1-7"}
    assert service.polled[0].execution.run_id == "run-1"
    assert service.polled[1].next_page_token == b"more"


async def test_a_retried_start_has_no_first_attempt() -> None:
    """And it is the same request, so the engine starts one workflow only."""
    statuses: list[RPCStatusCode | None] = [RPCStatusCode.UNAVAILABLE] * 3
    sample, service = await driven([*statuses, None], [done()])
    assert sample.outcome is SampleOutcome.OK
    assert sample.first_attempt_ns == 0
    assert sample.answered_ns > 0
    assert sample.attempts == 4
    assert len({request.request_id for request in service.started}) == 1


@pytest.mark.parametrize("status", [s for s in RPCStatusCode if s is not RPCStatusCode.OK])
async def test_every_status_of_a_start_is_an_ending(status: RPCStatusCode) -> None:
    sample, service = await driven([status] * 20, [])
    info = BY_STATUS[status] is Ending.INFO
    assert sample.outcome is (SampleOutcome.INFO if info else SampleOutcome.FAIL)
    assert sample.cause == f"start:{status.name}"
    assert sample.answered_ns == 0
    assert len(service.started) == (11 if status in RETRIED else 1)


@pytest.mark.parametrize("status", [s for s in RPCStatusCode if s is not RPCStatusCode.OK])
async def test_every_status_of_a_poll_is_an_ending_or_tried_again(status: RPCStatusCode) -> None:
    sample, service = await driven([None], [status, done()])
    if status is RPCStatusCode.NOT_FOUND:
        assert (sample.outcome, sample.cause) == (SampleOutcome.FAIL, LOST)
    elif status in UNSEEN:
        assert (sample.outcome, sample.cause) == (SampleOutcome.INFO, f"follow:{status.name}")
    else:
        assert sample.outcome is SampleOutcome.OK
        assert len(service.polled) == 2


@pytest.mark.parametrize("kind", [kind for kind in CLOSED if kind not in (COMPLETED, FAILED)])
async def test_every_other_way_to_close_is_a_failure(kind: EventType.ValueType) -> None:
    sample, _ = await driven([None], [event(kind)])
    assert sample.outcome is SampleOutcome.FAIL
    assert sample.cause == CLOSED[kind][1]
    assert sample.completed_ns > 0


async def test_a_run_that_is_continued_is_followed() -> None:
    continued = event(
        CONTINUED,
        workflow_execution_continued_as_new_event_attributes=(
            WorkflowExecutionContinuedAsNewEventAttributes(new_execution_run_id="run-2")
        ),
    )
    retried = event(
        FAILED,
        workflow_execution_failed_event_attributes=WorkflowExecutionFailedEventAttributes(
            new_execution_run_id="run-3"
        ),
    )
    sample, service = await driven([None], [continued, retried, done()])
    assert sample.outcome is SampleOutcome.OK
    assert [r.execution.run_id for r in service.polled] == ["run-1", "run-2", "run-3"]


async def test_a_failed_run_says_what_of() -> None:
    failed = event(
        FAILED,
        workflow_execution_failed_event_attributes=WorkflowExecutionFailedEventAttributes(
            failure=saga_failed(outcome="compensated", cause="BusinessFailure")
        ),
    )
    sample, _ = await driven([None], [failed])
    assert sample.outcome is SampleOutcome.FAIL
    assert sample.cause == "failure:BusinessFailure"


def saga_failed(**detail: Any) -> Failure:
    details = Payloads(payloads=[Payload(data=msgspec.json.encode(detail))])
    return Failure(
        application_failure_info=ApplicationFailureInfo(type="SagaFailed", details=details)
    )


@pytest.mark.parametrize(
    ("failure", "name"),
    [
        (lambda: saga_failed(outcome="compensated", cause="AuthorizationDenied"),
         "AuthorizationDenied"),
        (lambda: saga_failed(outcome="compensation_incomplete", cause="BusinessFailure"),
         "compensation_incomplete"),
        (lambda: saga_failed(), "SagaFailed"),
        (lambda: Failure(application_failure_info=ApplicationFailureInfo(type="SagaFailed")),
         "SagaFailed"),
        (lambda: Failure(application_failure_info=ApplicationFailureInfo(type="InvalidInput")),
         "InvalidInput"),
        (lambda: Failure(timeout_failure_info=TimeoutFailureInfo()), "timeout_failure_info"),
        (lambda: Failure(terminated_failure_info=TerminatedFailureInfo()),
         "terminated_failure_info"),
        (lambda: Failure(), "unknown"),
    ],
)  # fmt: skip
def test_a_failure_has_a_name(failure: Callable[[], Failure], name: str) -> None:
    assert failure_name(failure()) == name
