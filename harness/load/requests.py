"""The requests of each operation, as they go to the engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import msgspec
from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload, Payloads, WorkflowExecution, WorkflowType
from temporalio.api.query.v1 import WorkflowQuery
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    CountWorkflowExecutionsRequest,
    DescribeWorkflowExecutionRequest,
    GetWorkflowExecutionHistoryRequest,
    ListWorkflowExecutionsRequest,
    QueryWorkflowRequest,
    SignalWorkflowExecutionRequest,
    StartWorkflowExecutionRequest,
)

from harness.contract.program import WORKFLOW_TYPE
from harness.load.settings import Tenant
from harness.load.workload import Kind

IDENTITY: Final = "harness-load"
PAGE: Final = 100  # of lists and histories
SIGNAL: Final = "load"  # what nobody waits for

METHODS: Final[Mapping[Kind, str]] = {
    Kind.RUN: "start_workflow_execution",
    Kind.START: "start_workflow_execution",
    Kind.SIGNAL: "signal_workflow_execution",
    Kind.QUERY: "query_workflow",
    Kind.DESCRIBE: "describe_workflow_execution",
    Kind.HISTORY: "get_workflow_execution_history",
    Kind.LIST: "list_workflow_executions",
    Kind.COUNT: "count_workflow_executions",
}


class Waiting(NamedTuple):
    """A run that waits, for signals and reads."""

    namespace: str
    execution: WorkflowExecution


def start_request(
    tenant: Tenant, workflow_id: str, argument: dict[str, Any], workflow_type: str = WORKFLOW_TYPE
) -> StartWorkflowExecutionRequest:
    """A start; the same request id each time, so that retries start one workflow only."""
    return StartWorkflowExecutionRequest(
        namespace=tenant.namespace,
        workflow_id=workflow_id,
        workflow_type=WorkflowType(name=workflow_type),
        task_queue=TaskQueue(name=tenant.task_queue),
        input=payloads(argument),
        identity=IDENTITY,
        request_id=f"{workflow_id}-start",
    )


def query_request(
    namespace: str, execution: WorkflowExecution, _: str = ""
) -> QueryWorkflowRequest:
    """The query `state` of the contract."""
    return QueryWorkflowRequest(
        namespace=namespace, execution=execution, query=WorkflowQuery(query_type="state")
    )


def _signal(namespace: str, execution: WorkflowExecution, unique: str) -> Message:
    return SignalWorkflowExecutionRequest(
        namespace=namespace,
        workflow_execution=execution,
        signal_name="deliver",
        input=payloads({"name": SIGNAL, "id": unique}),
        identity=IDENTITY,
        request_id=unique,
    )


def _describe(namespace: str, execution: WorkflowExecution, _: str) -> Message:
    return DescribeWorkflowExecutionRequest(namespace=namespace, execution=execution)


def _history(namespace: str, execution: WorkflowExecution, _: str) -> Message:
    return GetWorkflowExecutionHistoryRequest(
        namespace=namespace, execution=execution, maximum_page_size=PAGE
    )


def _list(namespace: str, _: WorkflowExecution, __: str) -> Message:
    return ListWorkflowExecutionsRequest(namespace=namespace, page_size=PAGE)


def _count(namespace: str, _: WorkflowExecution, __: str) -> Message:
    return CountWorkflowExecutionsRequest(namespace=namespace, query="ExecutionStatus = 'Running'")


REQUESTS: Final[Mapping[Kind, Callable[[str, WorkflowExecution, str], Message]]] = {
    Kind.SIGNAL: _signal,
    Kind.QUERY: query_request,
    Kind.DESCRIBE: _describe,
    Kind.HISTORY: _history,
    Kind.LIST: _list,
    Kind.COUNT: _count,
}


def payloads(value: dict[str, Any]) -> Payloads:
    """One JSON object, as the contract wants it."""
    return Payloads(
        payloads=[Payload(metadata={"encoding": b"json/plain"}, data=msgspec.json.encode(value))]
    )
