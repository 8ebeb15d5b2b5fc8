"""State that one worker process shares between its tenants, with one defect each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import aiohttp

from scenarios.reference import pdp
from scenarios.reference.activities import Outside, perform
from scenarios.reference.answer import QuietConnector
from scenarios.reference.call import Call
from scenarios.reference.pdp import Decision
from scenarios.reference.services import call_service

_SESSIONS: Final[list[aiohttp.ClientSession]] = []
_RESOURCES: Final[dict[tuple[str, int], str]] = {}
_LAST: Final[dict[str, Call]] = {}


async def one_cookie_jar(
    http: aiohttp.ClientSession, url: str, call: Call, given: Mapping[str, str], deadline_s: float
) -> dict[str, Any]:
    """One session that keeps cookies, for all tenants."""
    if not _SESSIONS:
        _SESSIONS.append(
            aiohttp.ClientSession(
                connector=QuietConnector(limit=0), cookie_jar=aiohttp.CookieJar(unsafe=True)
            )
        )
    return await call_service(_SESSIONS[0], url, call, given, deadline_s)


async def question_of_first_tenant(
    http: aiohttp.ClientSession, url: str, call: Call, given: Mapping[str, str], deadline_s: float
) -> Decision:
    """What is asked of the PDP is kept by saga and step, for all tenants together."""
    resource = _RESOURCES.setdefault((call.saga_id, call.step), call.resource)
    return await pdp.authorize(http, url, replace(call, resource=resource), given, deadline_s)


async def last_call_logged(outside: Outside, call: Call) -> dict[str, Any]:
    """Logs, beside its own call, the one that the process did before."""
    before = _LAST.get("call", call)
    _LAST["call"] = call
    print(f"tenant {call.tenant}: step {call.step}, after {before.resource}", flush=True)
    return await perform(outside, call)
