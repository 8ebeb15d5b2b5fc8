"""The enforcement point: lets nothing pass but the PDP's flawless allow (contract §5.2)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import aiohttp

from scenarios.reference.answer import Answer, NoAnswer, exchange, strict_json
from scenarios.reference.call import Call

PATH: Final = "/access/v1/evaluation"
CAP_BYTES: Final = 64 * 1024


class Ruling(Enum):
    """What the PDP's answer amounts to."""

    ALLOWED = "allowed"
    DENIED = "denied"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A ruling, and why."""

    ruling: Ruling
    reason: str = ""


Authorize = Callable[
    [aiohttp.ClientSession, str, Call, Mapping[str, str], float], Awaitable[Decision]
]
"""(http, base URL of the PDP, call, headers to send, deadline in seconds)."""


async def authorize(
    http: aiohttp.ClientSession,
    base_url: str,
    call: Call,
    headers: Mapping[str, str],
    deadline_s: float,
) -> Decision:
    """Ask once, and fail closed."""
    try:
        answer = await exchange(
            http,
            base_url.rstrip("/") + PATH,
            headers=headers,
            body=evaluation(call),
            deadline_s=deadline_s,
            cap_bytes=CAP_BYTES,
        )
    except NoAnswer as error:
        return Decision(ruling=Ruling.UNAVAILABLE, reason=str(error))
    return judge(answer, headers["X-Request-ID"])


def evaluation(call: Call) -> dict[str, Any]:
    """The AuthZEN evaluation request."""
    return {
        "subject": {"type": "tenant", "id": call.tenant},
        "action": {"name": call.activity_type},
        "resource": {
            "type": call.service,
            "id": call.resource,
            "properties": {"tenant": call.tenant},
        },
        "context": {"saga_id": call.saga_id, "step": call.step, "direction": call.direction},
    }


def judge(answer: Answer, request_id: str) -> Decision:
    """The acceptance rule, on a complete answer."""
    flaw = _transport_flaw(answer, request_id)
    if flaw:
        return Decision(ruling=Ruling.UNAVAILABLE, reason=flaw)
    try:
        body = strict_json(answer.body)
    except ValueError as error:
        return Decision(ruling=Ruling.UNAVAILABLE, reason=f"body: {error}")
    flaw = _body_flaw(body)
    if flaw:
        return Decision(ruling=Ruling.UNAVAILABLE, reason=flaw)
    return Decision(ruling=Ruling.ALLOWED if body["decision"] is True else Ruling.DENIED)


def _transport_flaw(answer: Answer, request_id: str) -> str:
    if answer.status != 200:
        return f"status {answer.status}"
    media_types = answer.headers.getall("Content-Type", [])
    if len(media_types) != 1 or not _is_json(media_types[0]):
        return f"media type {media_types}"
    if any(echoed.strip() != request_id for echoed in answer.headers.getall("X-Request-ID", [])):
        return "the answer to another request"
    if any(not _is_zero(age) for age in answer.headers.getall("Age", [])):
        return "an answer from a cache"
    return ""


def _is_json(media_type: str) -> bool:
    return media_type.split(";", 1)[0].strip(" \t").lower() == "application/json"


def _is_zero(age: str) -> bool:
    return age.strip() != "" and set(age.strip()) == {"0"}


def _body_flaw(body: object) -> str:
    if not isinstance(body, dict):
        return "the body is no object"
    if not isinstance(body.get("decision"), bool):
        return "no boolean decision"
    context = body.get("context", {})
    if not isinstance(context, dict):
        return "the context is no object"
    if "error" in context:
        return "the context reports an error"
    if context.get("obligations", []) not in ([], {}):
        return "obligations that are not understood"
    return ""
