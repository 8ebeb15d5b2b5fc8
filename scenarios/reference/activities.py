"""The eight activities: the PDP first, then the service, once in every attempt (contract §5)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import aiohttp
from temporalio import activity
from temporalio.exceptions import ApplicationError

from scenarios.reference.call import Call, IdempotencyKey, headers, idempotency_key
from scenarios.reference.noop import ACTIVITY_TYPE as NOOP
from scenarios.reference.pdp import Authorize, Decision, Ruling, authorize
from scenarios.reference.program import COMPENSATION
from scenarios.reference.services import CallService, ServiceFailed, call_service

ACTIVITY_TYPES: Final = tuple(
    f"{service}.{operation}"
    for (service, forward), back in COMPENSATION.items()
    for operation in (forward, back)
)
_RETRIED: Final = frozenset({"AuthorizationUnavailable", "ServiceUnavailable"})
_FROM_ARGUMENT: Final = tuple(
    field.name
    for field in fields(Call)
    if field.name not in {"activity_type", "workflow_id", "run_id", "attempt"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """Where the PDP and the services are, and how they are asked."""

    http: aiohttp.ClientSession
    pdp_url: str
    pdp_deadline_s: float
    services_url: str
    service_deadline_s: float
    authorize: Authorize = authorize
    call_service: CallService = call_service
    idempotency_key: IdempotencyKey = idempotency_key


Perform = Callable[[Outside, Call], Awaitable[dict[str, Any]]]
"""What one attempt does; its answer is the activity's result."""
Noop = Callable[[], Awaitable[None]]
"""What one attempt of a no-op activity does: nothing."""


async def perform(outside: Outside, call: Call) -> dict[str, Any]:
    """One attempt: asks, and calls only when allowed."""
    key = outside.idempotency_key(call)
    with _given_up_as("AuthorizationUnavailable"):
        decision = await outside.authorize(
            outside.http, outside.pdp_url, call, headers(call, key), outside.pdp_deadline_s
        )
    require_allowed(decision)
    with _given_up_as("ServiceUnavailable"):
        try:
            result = await outside.call_service(
                outside.http,
                outside.services_url,
                call,
                headers(call, key),
                outside.service_deadline_s,
            )
        except ServiceFailed as error:
            raise failure(error.type, str(error)) from error
    return {"result": result}


def require_allowed(decision: Decision) -> None:
    """Raise unless the PDP allowed."""
    match decision.ruling:
        case Ruling.ALLOWED:
            return
        case Ruling.DENIED:
            raise failure("AuthorizationDenied", decision.reason)
        case Ruling.UNAVAILABLE:
            raise failure("AuthorizationUnavailable", decision.reason)


def failure(type_: str, reason: str) -> ApplicationError:
    """A failure of §6, retried or not as the table says, which tells its attempt."""
    attempt = activity.info().attempt if activity.in_activity() else 1
    return ApplicationError(
        reason, {"attempt": attempt}, type=type_, non_retryable=type_ not in _RETRIED
    )


def build(outside: Outside, perform: Perform = perform) -> Sequence[Callable[..., Any]]:
    """The activities, one function for each type."""
    return [_activity(name, outside, perform) for name in ACTIVITY_TYPES]


async def nothing() -> None:
    """No effect, so nobody is asked (contract §10)."""


def build_noop(noop: Noop = nothing) -> Callable[..., Any]:
    """The activity that does nothing."""

    @activity.defn(name=NOOP)
    async def run(argument: Any = None) -> dict[str, Any]:
        await noop()
        return {}

    return run


def _activity(name: str, outside: Outside, perform: Perform) -> Callable[..., Any]:
    @activity.defn(name=name)
    async def run(argument: Any) -> dict[str, Any]:
        async with _heartbeats():
            return await perform(outside, _call(name, argument))

    return run


def _call(name: str, argument: Any) -> Call:
    """The call of this attempt; an argument that no saga makes is a bug, and not retried."""
    info = activity.info()
    if not isinstance(argument, dict) or any(field not in argument for field in _FROM_ARGUMENT):
        raise failure("InvalidInput", "the argument of the activity lacks a field")
    if f"{argument['service']}.{argument['operation']}" != name:
        raise failure("InvalidInput", f"{name} was asked to do another operation")
    return Call(
        activity_type=name,
        workflow_id=info.workflow_id or "",
        run_id=info.workflow_run_id or "",
        attempt=info.attempt,
        **{field: argument[field] for field in _FROM_ARGUMENT},
    )


@contextlib.contextmanager
def _given_up_as(type_: str) -> Any:
    """An attempt given up because the worker stops fails with a type that is retried."""
    try:
        yield
    except asyncio.CancelledError:
        details = activity.cancellation_details()
        if details is not None and details.worker_shutdown:
            raise failure(type_, "the worker stops") from None
        raise


@contextlib.asynccontextmanager
async def _heartbeats() -> AsyncIterator[None]:
    """Beat at a third of the heartbeat timeout, if the activity has one."""
    timeout = activity.info().heartbeat_timeout
    if not timeout:
        yield
        return
    beating = asyncio.create_task(_beat(timeout.total_seconds() / 3))
    try:
        yield
    finally:
        beating.cancel()


async def _beat(interval_s: float) -> None:
    while True:
        activity.heartbeat()
        await asyncio.sleep(interval_s)
