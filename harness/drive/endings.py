"""How an operation ended, from what the SDK raised: an enumerated table, never a guess.

A status that leaves open whether the call took effect is `info`; it is resolved later from
histories and the services' ledger.
"""

from __future__ import annotations

from typing import Final

from temporalio.client import (
    ActivityFailureError,
    AsyncActivityCancelledError,
    NexusOperationFailureError,
    RPCTimeoutOrCancelledError,
    ScheduleAlreadyRunningError,
    WorkflowContinuedAsNewError,
    WorkflowFailureError,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
)
from temporalio.exceptions import (
    ActivityAlreadyStartedError,
    InvalidVersioningOverrideError,
    NexusOperationAlreadyStartedError,
    WorkflowAlreadyStartedError,
)
from temporalio.service import RPCError, RPCStatusCode

from harness.journal.records import Ending

# The SDK retries some calls by itself and shows the status of the last attempt: of those that it
# retries on, none says what an earlier attempt did.
BY_STATUS: Final = {
    RPCStatusCode.OK: Ending.OK,
    RPCStatusCode.CANCELLED: Ending.INFO,
    RPCStatusCode.UNKNOWN: Ending.INFO,
    RPCStatusCode.INVALID_ARGUMENT: Ending.FAIL,
    RPCStatusCode.DEADLINE_EXCEEDED: Ending.INFO,
    RPCStatusCode.NOT_FOUND: Ending.FAIL,
    RPCStatusCode.ALREADY_EXISTS: Ending.FAIL,
    RPCStatusCode.PERMISSION_DENIED: Ending.FAIL,
    RPCStatusCode.RESOURCE_EXHAUSTED: Ending.INFO,
    RPCStatusCode.FAILED_PRECONDITION: Ending.FAIL,
    RPCStatusCode.ABORTED: Ending.INFO,
    RPCStatusCode.OUT_OF_RANGE: Ending.INFO,
    RPCStatusCode.UNIMPLEMENTED: Ending.FAIL,
    RPCStatusCode.INTERNAL: Ending.INFO,
    RPCStatusCode.UNAVAILABLE: Ending.INFO,
    RPCStatusCode.DATA_LOSS: Ending.INFO,
    RPCStatusCode.UNAUTHENTICATED: Ending.FAIL,
}
BY_EXCEPTION: Final[tuple[tuple[type[BaseException], Ending], ...]] = (
    (WorkflowAlreadyStartedError, Ending.FAIL),
    (ActivityAlreadyStartedError, Ending.FAIL),
    (NexusOperationAlreadyStartedError, Ending.FAIL),
    (ScheduleAlreadyRunningError, Ending.FAIL),
    (InvalidVersioningOverrideError, Ending.FAIL),
    (AsyncActivityCancelledError, Ending.FAIL),
    (WorkflowFailureError, Ending.OK),  # the run's result is known: it is a failure
    (WorkflowContinuedAsNewError, Ending.OK),  # the same: it is another run
    (ActivityFailureError, Ending.OK),
    (NexusOperationFailureError, Ending.OK),
    (WorkflowQueryFailedError, Ending.FAIL),
    (WorkflowQueryRejectedError, Ending.FAIL),
    (WorkflowUpdateFailedError, Ending.INFO),  # refused by its validator, or failed half way
    (RPCTimeoutOrCancelledError, Ending.INFO),
    (TimeoutError, Ending.INFO),
    (OSError, Ending.INFO),
)


def ending_of(error: BaseException) -> tuple[Ending, str, str]:
    """(ending, status, message) of an exception; one that is in no table is `info`."""
    if isinstance(error, RPCError):
        return BY_STATUS[error.status], error.status.name, error.message
    for kind, ending in BY_EXCEPTION:
        if isinstance(error, kind):
            return ending, type(error).__name__, str(error)
    return Ending.INFO, type(error).__name__, str(error)
