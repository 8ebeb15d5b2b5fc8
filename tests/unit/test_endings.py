"""How an operation ended: every status and every exception of the SDK is in a table."""

from __future__ import annotations

import builtins
from typing import Any

import pytest
import temporalio.client
import temporalio.exceptions
import temporalio.service
from temporalio.client import (
    RPCTimeoutOrCancelledError,
    WorkflowFailureError,
    WorkflowQueryFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    CancelledError,
    ChildWorkflowError,
    FailureError,
    NexusOperationError,
    ServerError,
    TemporalError,
    TerminatedError,
    TimeoutError,
    WorkflowAlreadyStartedError,
)
from temporalio.service import RPCError, RPCStatusCode

from harness.drive.endings import BY_EXCEPTION, BY_STATUS, ending_of
from harness.journal.records import Ending

# Raised inside workflows and activities, or found as the cause of a failure, never by a call.
CAUSES = {
    TemporalError,
    FailureError,
    ApplicationError,
    CancelledError,
    TerminatedError,
    TimeoutError,
    ServerError,
    ActivityError,
    ChildWorkflowError,
    NexusOperationError,
}
CORE = "temporal_sdk_bridge"  # what its core raises, the SDK turns into its own `RPCError`
EXPORTED = sorted(
    {
        each
        for module in (temporalio.client, temporalio.exceptions, temporalio.service)
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, Exception) and each.__module__ != CORE
    },
    key=lambda each: each.__name__,
)
# Statuses on which the SDK repeats a call by itself, so that an earlier attempt may have counted.
REPEATED = {
    RPCStatusCode.DATA_LOSS,
    RPCStatusCode.INTERNAL,
    RPCStatusCode.UNKNOWN,
    RPCStatusCode.RESOURCE_EXHAUSTED,
    RPCStatusCode.ABORTED,
    RPCStatusCode.OUT_OF_RANGE,
    RPCStatusCode.UNAVAILABLE,
}


def rpc(status: RPCStatusCode) -> RPCError:
    return RPCError("what the server said", status, b"")


@pytest.mark.parametrize("status", list(RPCStatusCode), ids=lambda each: each.name)
def test_every_status_is_in_the_table(status: RPCStatusCode) -> None:
    assert ending_of(rpc(status)) == (BY_STATUS[status], status.name, "what the server said")


def test_the_table_of_statuses_names_no_others() -> None:
    assert set(BY_STATUS) == set(RPCStatusCode)


@pytest.mark.parametrize("kind", EXPORTED, ids=lambda each: each.__name__)
def test_every_exception_of_the_sdk_is_in_a_table(kind: type[Exception]) -> None:
    mapped = issubclass(kind, (RPCError, *(each for each, _ in BY_EXCEPTION)))
    assert mapped or kind in CAUSES


def test_the_causes_are_exceptions_that_the_sdk_still_has() -> None:
    assert set(EXPORTED) >= CAUSES


@pytest.mark.parametrize("status", sorted(REPEATED), ids=lambda each: each.name)
def test_a_status_on_which_the_sdk_repeats_the_call_leaves_it_open(status: RPCStatusCode) -> None:
    assert BY_STATUS[status] is Ending.INFO


@pytest.mark.parametrize(
    "status",
    [
        RPCStatusCode.PERMISSION_DENIED,
        RPCStatusCode.UNAUTHENTICATED,
        RPCStatusCode.INVALID_ARGUMENT,
        RPCStatusCode.NOT_FOUND,
        RPCStatusCode.FAILED_PRECONDITION,
    ],
)
def test_a_refusal_took_no_effect(status: RPCStatusCode) -> None:
    assert BY_STATUS[status] is Ending.FAIL


@pytest.mark.parametrize(
    ("error", "ending", "status"),
    [
        (WorkflowAlreadyStartedError("w", "W"), Ending.FAIL, "WorkflowAlreadyStartedError"),
        (WorkflowFailureError(cause=ApplicationError("no")), Ending.OK, "WorkflowFailureError"),
        (WorkflowQueryFailedError("no"), Ending.FAIL, "WorkflowQueryFailedError"),
        (
            WorkflowUpdateRPCTimeoutOrCancelledError(),
            Ending.INFO,
            "WorkflowUpdateRPCTimeoutOrCancelledError",
        ),
        (RPCTimeoutOrCancelledError("late"), Ending.INFO, "RPCTimeoutOrCancelledError"),
        (builtins.TimeoutError(), Ending.INFO, "TimeoutError"),  # our own deadline
        (ConnectionResetError("reset"), Ending.INFO, "ConnectionResetError"),
        (OSError("no route"), Ending.INFO, "OSError"),
    ],
    ids=lambda each: type(each).__name__,
)
def test_an_exception_tells_its_ending_and_its_name(
    error: Exception, ending: Ending, status: str
) -> None:
    assert ending_of(error)[:2] == (ending, status)


@pytest.mark.parametrize("error", [RuntimeError("?"), ApplicationError("?"), Exception()])
def test_what_is_in_no_table_is_open_and_never_taken_for_a_success(error: Any) -> None:
    assert ending_of(error)[0] is Ending.INFO
