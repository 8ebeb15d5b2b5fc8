"""Parts that do what the contract asks in another way: no check may turn red on them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

import aiohttp
from multidict import CIMultiDict

from scenarios.mutants.pdp import asking
from scenarios.reference import pdp, services
from scenarios.reference.answer import Answer, exchange, new_session
from scenarios.reference.call import Call
from scenarios.reference.exporter import deliver
from scenarios.reference.pdp import Decision

SLOWLY_S: Final = 0.25

Event = Mapping[str, Any]


# --- a worker with other habits: lower case, more members, a connection for each request ----------


async def _with_more_members(http: aiohttp.ClientSession, url: str, **given: Any) -> Answer:
    given["body"] = {"evaluation_id": 7, **given["body"], "options": {"trace": True}}
    async with new_session() as own:
        return await exchange(own, url, **given)


async def other_habits_authorize(
    http: aiohttp.ClientSession, url: str, call: Call, given: Mapping[str, str], deadline_s: float
) -> Decision:
    """Asks the PDP."""
    ask = asking(exchange=_with_more_members)
    return await ask(http, url, call, _lower(given), deadline_s)


async def other_habits_call_service(
    http: aiohttp.ClientSession, url: str, call: Call, given: Mapping[str, str], deadline_s: float
) -> dict[str, Any]:
    """Calls the service."""
    async with new_session() as own:
        return await services.call_service(own, url, call, _lower(given), deadline_s)


def _lower(given: Mapping[str, str]) -> CIMultiDict[str]:
    return CIMultiDict({name.lower(): value for name, value in given.items()})


# --- a worker that is slower, and in time ---------------------------------------------------------


async def slow_authorize(
    http: aiohttp.ClientSession, url: str, call: Call, given: Mapping[str, str], deadline_s: float
) -> Decision:
    """Takes its time before it asks."""
    await asyncio.sleep(SLOWLY_S)
    return await pdp.authorize(http, url, call, given, deadline_s)


async def slow_call_service(
    http: aiohttp.ClientSession, url: str, call: Call, given: Mapping[str, str], deadline_s: float
) -> dict[str, Any]:
    """Takes its time before it calls."""
    await asyncio.sleep(SLOWLY_S)
    return await services.call_service(http, url, call, given, deadline_s)


# --- exporters ------------------------------------------------------------------------------------


async def binary_mode(http: aiohttp.ClientSession, url: str, event: Event) -> bool:
    """Attributes in headers, data in the body."""
    attributes = {name: value for name, value in event.items() if name != "data"}
    headers = {"Content-Type": attributes.pop("datacontenttype")}
    headers |= {f"ce-{name}": _encoded(value) for name, value in attributes.items()}
    return await _post(http, url, event["data"], headers)


async def batches(http: aiohttp.ClientSession, url: str, event: Event) -> bool:
    """In batches, of one event each."""
    return await _post(http, url, [event], {"Content-Type": "application/cloudevents-batch+json"})


async def slowly(http: aiohttp.ClientSession, url: str, event: Event) -> bool:
    """Takes its time for each delivery."""
    await asyncio.sleep(SLOWLY_S)
    return await deliver(http, url, event)


async def twice_in_any_order(http: aiohttp.ClientSession, url: str, event: Event) -> bool:
    """Each event is delivered as it is, at once and again after the next one of its run."""
    earlier = _DELIVERED.get(event["subject"])
    _DELIVERED[event["subject"]] = event
    delivered = await deliver(http, url, event)
    return delivered and (earlier is None or await deliver(http, url, earlier))


_DELIVERED: Final[dict[str, Event]] = {}


def _encoded(value: str) -> str:
    """The percent-encoding of the HTTP binding; what the reference emits needs none."""
    return value.replace("%", "%25").replace('"', "%22").replace(" ", "%20")


async def _post(
    http: aiohttp.ClientSession, url: str, body: Any, headers: Mapping[str, str]
) -> bool:
    try:
        async with http.post(url, data=json.dumps(body), headers=headers) as answer:
            return 200 <= answer.status < 300
    except (aiohttp.ClientError, OSError):
        return False
