"""What one attempt of an activity does, services and keys, with one defect each."""

from __future__ import annotations

import asyncio
import fcntl
import itertools
import secrets
import time
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import aiohttp
from temporalio.exceptions import ApplicationError

from scenarios.mutants.workflows.under_load import many
from scenarios.reference.activities import Noop, Outside, Perform, perform, require_allowed
from scenarios.reference.call import Call, headers, idempotency_key
from scenarios.reference.services import ServiceFailed, call_service

# --- idempotency keys -----------------------------------------------------------------------------


def random_key(call: Call) -> str:
    """Fresh for every attempt."""
    return secrets.token_hex(16)


def key_of_attempt(call: Call) -> str:
    """Carries the attempt."""
    return f"{idempotency_key(call)}:{call.attempt}"


def key_of_workflow(call: Call) -> str:
    """Carries the workflow id: another one when the saga is delivered again."""
    return f"{call.workflow_id}:{call.step}:{call.direction}"


def key_of_run(call: Call) -> str:
    """Made as Temporal advises, from the run: another one after continue-as-new."""
    return f"{call.run_id}:{call.step}:{call.direction}"


def key_of_saga(call: Call) -> str:
    """The same for every step of the saga."""
    return call.saga_id


# --- attempts -------------------------------------------------------------------------------------


async def effect_first(outside: Outside, call: Call) -> dict[str, Any]:
    """Calls the service, then asks whether it may."""
    given = headers(call, outside.idempotency_key(call))
    try:
        result = await outside.call_service(
            outside.http, outside.services_url, call, given, outside.service_deadline_s
        )
    except ServiceFailed:
        return await perform(outside, call)
    require_allowed(
        await outside.authorize(outside.http, outside.pdp_url, call, given, outside.pdp_deadline_s)
    )
    return {"result": result}


async def one_step_more(outside: Outside, call: Call) -> dict[str, Any]:
    """Works on a step that the program does not have, too."""
    result = await perform(outside, call)
    await perform(outside, replace(call, step=call.step + 100))
    return result


async def nothing_final(outside: Outside, call: Call) -> dict[str, Any]:
    """Has whatever fails tried again."""
    try:
        return await perform(outside, call)
    except ApplicationError as error:
        raise ApplicationError(str(error), type=error.type) from error


async def second_call_skipped(outside: Outside, call: Call) -> dict[str, Any]:
    """A retry takes for granted that the attempt before it had its effect."""
    if call.attempt > 1:
        return {"result": {"reference": "taken for granted"}}
    return await perform(outside, call)


async def result_of_attempt(outside: Outside, call: Call) -> dict[str, Any]:
    """Answers with what the attempt made of the result."""
    answer = await perform(outside, call)
    return {"result": {**answer["result"], "attempt": call.attempt}}


async def not_called(
    http: aiohttp.ClientSession, url: str, call: Call, given: Mapping[str, str], deadline_s: float
) -> dict[str, Any]:
    """Says that it was done, and calls nobody."""
    return {"reference": "made up", "amount": call.amount, "applied": 1}


async def called_twice(
    http: aiohttp.ClientSession, url: str, call: Call, given: Mapping[str, str], deadline_s: float
) -> dict[str, Any]:
    """Calls once more to be sure."""
    await call_service(http, url, call, given, deadline_s)
    return await call_service(http, url, call, given, deadline_s)


async def half_given_back(
    http: aiohttp.ClientSession, url: str, call: Call, given: Mapping[str, str], deadline_s: float
) -> dict[str, Any]:
    """Gives half of the amount back."""
    if call.direction == "compensation":
        call = replace(call, amount=str(Decimal(call.amount) / 2))
    return await call_service(http, url, call, given, deadline_s)


# --- services -------------------------------------------------------------------------------------

_RESOURCES: Final[dict[tuple[str, int], tuple[str, str]]] = {}
_RESULTS: Final[dict[tuple[str, int, str], dict[str, Any]]] = {}


async def resource_of_first_tenant(
    http: aiohttp.ClientSession, url: str, call: Call, given: Mapping[str, str], deadline_s: float
) -> dict[str, Any]:
    """Resources are kept by saga and step, for all tenants together."""
    resource, amount = _RESOURCES.setdefault(
        (call.saga_id, call.step), (call.resource, call.amount)
    )
    return await call_service(
        http, url, replace(call, resource=resource, amount=amount), given, deadline_s
    )


async def result_of_first_tenant(
    http: aiohttp.ClientSession, url: str, call: Call, given: Mapping[str, str], deadline_s: float
) -> dict[str, Any]:
    """Results are kept by saga, step and direction, for all tenants together."""
    place = call.saga_id, call.step, call.direction
    result = await call_service(http, url, call, given, deadline_s)
    return _RESULTS.setdefault(place, result)


# --- answers --------------------------------------------------------------------------------------


def keeping_record(size_bytes: int) -> Perform:
    """Brings the whole business record into the history, beside the result."""

    async def keep(outside: Outside, call: Call) -> dict[str, Any]:
        return {**await perform(outside, call), "record": "x" * size_bytes}

    return keep


# --- work -----------------------------------------------------------------------------------------

HELD_S: Final = 1.5
SPINS_S: Final = 0.08
ALONE_S: Final = 0.05
ALONE_ANYWHERE_S: Final = 0.125
_TURN: Final = asyncio.Lock()  # in this process; among several there is one on this file


async def one_at_a_time(outside: Outside, call: Call) -> dict[str, Any]:
    """Waits for its turn before each step: twenty steps a second in a process."""
    async with _TURN:
        await asyncio.sleep(ALONE_S)
    return await perform(outside, call)


async def one_at_a_time_anywhere(outside: Outside, call: Call) -> dict[str, Any]:
    """Waits for its turn among all processes: eight steps a second, with any number of them."""
    async with _TURN:
        with Path(__file__).open() as file:  # noqa: ASYNC230 - no other is slow to open
            while not _locked(file.fileno()):  # noqa: ASYNC110 - another process frees it
                await asyncio.sleep(ALONE_ANYWHERE_S / 10)
            await asyncio.sleep(ALONE_ANYWHERE_S)
    return await perform(outside, call)


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


LINGERS_S: Final = 1.0


def lingering(one_in: int = 1) -> Noop:
    """Takes its time for a no-op activity, or for one in so many."""
    count = itertools.count(1)

    async def noop() -> None:
        if next(count) % one_in == 0:
            await asyncio.sleep(LINGERS_S)

    return noop


async def with_hands_full(outside: Outside, call: Call) -> dict[str, Any]:
    """Takes long for each step while many signals come, to whosever runs."""
    if many():
        await asyncio.sleep(HELD_S)
    return await perform(outside, call)


async def spinning(outside: Outside, call: Call) -> dict[str, Any]:
    """Keeps a core busy before each step, with nothing."""
    until = time.thread_time() + SPINS_S
    while time.thread_time() < until:
        pass
    return await perform(outside, call)
