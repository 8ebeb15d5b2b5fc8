"""What one attempt does when the PDP is away or has changed its mind."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import aiohttp

from scenarios.mutants.pdp import ALLOWED
from scenarios.reference import pdp
from scenarios.reference.activities import Outside, perform
from scenarios.reference.call import Call, headers
from scenarios.reference.pdp import Authorize, Decision, Ruling

_TRIES: Final = 3
_FOR_EVER_S: Final = 3600.0


async def until_answered(
    http: aiohttp.ClientSession,
    base_url: str,
    call: Call,
    given: Mapping[str, str],
    deadline_s: float,
) -> Decision:
    """Asks again in the same attempt when there was no answer."""
    for _ in range(_TRIES):
        decision = await pdp.authorize(http, base_url, call, given, deadline_s)
        if decision.ruling is not Ruling.UNAVAILABLE:
            break
    return decision


async def waiting(
    http: aiohttp.ClientSession,
    base_url: str,
    call: Call,
    given: Mapping[str, str],
    deadline_s: float,
) -> Decision:
    """Does nothing more once the PDP was away."""
    decision = await pdp.authorize(http, base_url, call, given, deadline_s)
    if decision.ruling is Ruling.UNAVAILABLE:
        await asyncio.sleep(_FOR_EVER_S)
    return decision


async def given_up_back(
    http: aiohttp.ClientSession,
    base_url: str,
    call: Call,
    given: Mapping[str, str],
    deadline_s: float,
) -> Decision:
    """A compensation is not tried again when the PDP was away."""
    decision = await pdp.authorize(http, base_url, call, given, deadline_s)
    away = decision.ruling is Ruling.UNAVAILABLE and call.direction == "compensation"
    return replace(decision, ruling=Ruling.DENIED) if away else decision


async def twice_when_back(outside: Outside, call: Call) -> dict[str, Any]:
    """An attempt after the first does what it does for those that were in vain as well."""
    answer = await perform(outside, call)
    for number in range(1, call.attempt):
        given = headers(call, f"{outside.idempotency_key(call)}:{number}")
        await outside.call_service(
            outside.http, outside.services_url, call, given, outside.service_deadline_s
        )
    return answer


def cached() -> Authorize:
    """An allow holds for whoever asks the same again."""
    allowed: set[tuple[str, str, str]] = set()

    async def authorize(
        http: aiohttp.ClientSession,
        base_url: str,
        call: Call,
        given: Mapping[str, str],
        deadline_s: float,
    ) -> Decision:
        question = call.tenant, call.activity_type, call.resource
        if question in allowed:
            return ALLOWED
        decision = await pdp.authorize(http, base_url, call, given, deadline_s)
        if decision.ruling is Ruling.ALLOWED:
            allowed.add(question)
        return decision

    return authorize


def stale_when_away() -> Authorize:
    """The last allow of a question holds as long as the PDP is away."""
    allowed: set[tuple[str, str, str]] = set()

    async def authorize(
        http: aiohttp.ClientSession,
        base_url: str,
        call: Call,
        given: Mapping[str, str],
        deadline_s: float,
    ) -> Decision:
        question = call.tenant, call.activity_type, call.resource
        decision = await pdp.authorize(http, base_url, call, given, deadline_s)
        if decision.ruling is Ruling.ALLOWED:
            allowed.add(question)
        away = decision.ruling is Ruling.UNAVAILABLE
        return ALLOWED if away and question in allowed else decision

    return authorize
