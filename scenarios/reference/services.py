"""Calls a service and says what its answer means for the attempt (contract §5.3)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import aiohttp

from scenarios.reference.answer import Answer, NoAnswer, exchange, strict_json
from scenarios.reference.call import Call

CAP_BYTES: Final = 1024 * 1024
_RETRIED_4XX: Final = frozenset({408, 429})


class ServiceFailed(Exception):
    """The service did not do it, or may not have done it; `type` is the failure type of §6."""

    def __init__(self, type_: str, reason: str) -> None:
        self.type = type_
        super().__init__(reason)


CallService = Callable[
    [aiohttp.ClientSession, str, Call, Mapping[str, str], float], Awaitable[dict[str, Any]]
]
"""(http, base URL of the services, call, headers to send, deadline in seconds) → the result."""


async def call_service(
    http: aiohttp.ClientSession,
    base_url: str,
    call: Call,
    headers: Mapping[str, str],
    deadline_s: float,
) -> dict[str, Any]:
    """Call once; the service's result, or `ServiceFailed`."""
    try:
        answer = await exchange(
            http,
            f"{base_url.rstrip('/')}/{call.service}/{call.operation}",
            headers=headers,
            body=request(call),
            deadline_s=deadline_s,
            cap_bytes=CAP_BYTES,
        )
    except NoAnswer as error:
        raise ServiceFailed("ServiceUnavailable", str(error)) from error
    return result(answer)


def request(call: Call) -> dict[str, Any]:
    """The body of the request."""
    return {
        "tenant": call.tenant,
        "saga_id": call.saga_id,
        "step": call.step,
        "direction": call.direction,
        "resource": call.resource,
        "amount": call.amount,
    }


def result(answer: Answer) -> dict[str, Any]:
    """The table of §5.3."""
    if answer.status == 422:
        raise ServiceFailed("BusinessFailure", "status 422")
    if 400 <= answer.status < 500 and answer.status not in _RETRIED_4XX:
        raise ServiceFailed("ServiceRejected", f"status {answer.status}")
    if answer.status != 200:
        raise ServiceFailed("ServiceUnavailable", f"status {answer.status}")
    try:
        body = strict_json(answer.body)
    except ValueError as error:
        raise ServiceFailed("ServiceUnavailable", f"body: {error}") from error
    if not isinstance(body, dict) or not isinstance(body.get("result"), dict):
        raise ServiceFailed("ServiceUnavailable", "an answer without a result")
    value: dict[str, Any] = body["result"]
    return value
