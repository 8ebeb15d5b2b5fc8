"""Enforcement points that ask the wrong thing, or nobody."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import aiohttp

from scenarios.mutants.pdp import ALLOWED, UNAVAILABLE
from scenarios.reference import pdp
from scenarios.reference.answer import NoAnswer, exchange, strict_json
from scenarios.reference.call import Call
from scenarios.reference.pdp import Authorize, Decision
from scenarios.reference.program import COMPENSATION

_FORWARD = {(service, back): forward for (service, forward), back in COMPENSATION.items()}


async def never_asked(
    http: aiohttp.ClientSession,
    base_url: str,
    call: Call,
    headers: Mapping[str, str],
    deadline_s: float,
) -> Decision:
    """There is no PDP."""
    return ALLOWED


async def in_another_dialect(
    http: aiohttp.ClientSession,
    base_url: str,
    call: Call,
    headers: Mapping[str, str],
    deadline_s: float,
) -> Decision:
    """Asks as the Open Policy Agent wants to be asked."""
    try:
        answer = await exchange(
            http,
            f"{base_url}/v1/data/platform/allow",
            headers=headers,
            body={"input": {"tenant": call.tenant, "action": call.activity_type}},
            deadline_s=deadline_s,
            cap_bytes=pdp.CAP_BYTES,
        )
        body = strict_json(answer.body)
    except (NoAnswer, ValueError):
        return UNAVAILABLE
    allowed = answer.status == 200 and isinstance(body, dict) and body.get("result") is True
    return ALLOWED if allowed else UNAVAILABLE


Evaluation = Callable[[Call], dict[str, Any]]


def _asking(evaluation: Evaluation) -> Authorize:
    """The reference's enforcement point with another question."""

    async def authorize(
        http: aiohttp.ClientSession,
        base_url: str,
        call: Call,
        headers: Mapping[str, str],
        deadline_s: float,
    ) -> Decision:
        try:
            answer = await exchange(
                http,
                base_url + pdp.PATH,
                headers=headers,
                body=evaluation(call),
                deadline_s=deadline_s,
                cap_bytes=pdp.CAP_BYTES,
            )
        except NoAnswer:
            return UNAVAILABLE
        return pdp.judge(answer, headers["X-Request-ID"])

    return authorize


def for_first_tenant() -> Authorize:
    """The subject is the tenant that came first."""
    seen: list[str] = []

    def evaluation(call: Call) -> dict[str, Any]:
        seen.append(call.tenant)
        return pdp.evaluation(replace(call, tenant=seen[0]))

    return _asking(evaluation)


def _of_forward(call: Call) -> dict[str, Any]:
    operation = _FORWARD.get((call.service, call.operation), call.operation)
    return pdp.evaluation(replace(call, activity_type=f"{call.service}.{operation}"))


def _of_all(call: Call) -> dict[str, Any]:
    return pdp.evaluation(replace(call, resource="*"))


forward_action = _asking(_of_forward)
wildcard = _asking(_of_all)
