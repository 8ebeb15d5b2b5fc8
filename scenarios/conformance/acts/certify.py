"""The certification scenario of AuthZEN, asked of the PDP under test (INV-PDP-10).

Each request is an operation `authzen` whose case is the question's id; its result is the answer's
`status`, `content_type`, `request_id` and `body` (text).
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

import aiohttp

from harness.contract.authzen import QUESTIONS, REQUEST_ID, Question
from harness.drive.session import Drive

DEADLINE_S: Final = 5.0
KEPT: Final = 4096
AT_ONCE: Final = 4


async def certify(drive: Drive) -> None:
    """Every question, as often as it is to be asked; the same one never twice at a time."""
    gate = asyncio.Semaphore(AT_ONCE)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        await asyncio.gather(*(_ask(drive, http, each, gate) for each in QUESTIONS))


async def _ask(
    drive: Drive, http: aiohttp.ClientSession, question: Question, gate: asyncio.Semaphore
) -> None:
    for number in range(question.times):
        async with gate:
            await drive.call(
                "authzen",
                _answer(http, drive.plan.pdp, question),
                suite="authorization",
                case=question.id,
                args={"pdp": drive.plan.pdp, "number": number},
                deadline_s=DEADLINE_S,
                show=_shown,
            )


async def _answer(http: aiohttp.ClientSession, url: str, question: Question) -> dict[str, Any]:
    headers = {REQUEST_ID: question.request_id} if question.request_id else {}
    body = None
    if question.method == "POST":
        headers["Content-Type"] = question.content_type
        body = (json.dumps(question.body) if question.raw is None else question.raw).encode()
    async with http.request(
        question.method,
        url.rstrip("/") + question.path,
        data=body,
        headers=headers,
        allow_redirects=False,
    ) as answer:
        text = await answer.content.read(KEPT)
        return {
            "status": answer.status,
            "content_type": answer.headers.get("Content-Type", ""),
            "request_id": answer.headers.get(REQUEST_ID, ""),
            "body": text.decode(errors="replace"),
        }


def _shown(answer: dict[str, Any]) -> dict[str, Any]:
    return answer
