"""The drive's side of the tap's control port."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import aiohttp
import msgspec

from harness.errors import DriveError
from harness.tap.messages import AwaitBitten, How, Missing, Release, Released, Rule

_MARGIN_S = 10.0  # beyond what the tap was told to wait
T = TypeVar("T")


class TapClient:
    """Commands the tap; raises `DriveError` when it refuses, is gone, or is late."""

    def __init__(self, control_url: str) -> None:
        self._url = control_url.rstrip("/")

    async def add(self, rules: Sequence[Rule]) -> None:
        """Put rules in force."""
        await self._post("/rules", list(rules), dict)

    async def await_bitten(self, rules: Sequence[str], timeout_ms: int) -> list[str]:
        """Which of these rules have not bitten (a hold: hold nothing yet) within `timeout_ms`."""
        wanted = AwaitBitten(rules=list(rules), timeout_ms=timeout_ms)
        return (await self._post("/bitten", wanted, Missing, timeout_ms)).rules

    async def release(self, rule: str, how: How) -> bool:
        """Let go of what a rule holds; False if it holds nothing (its caller may be gone)."""
        return (await self._post("/release", Release(rule=rule, how=how), Released)).held

    async def _post(self, path: str, message: Any, kind: type[T], timeout_ms: int = 0) -> T:
        limit = aiohttp.ClientTimeout(total=timeout_ms / 1000 + _MARGIN_S)
        try:
            async with (
                aiohttp.ClientSession(timeout=limit) as session,
                session.post(self._url + path, data=msgspec.json.encode(message)) as answer,
            ):
                body = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise DriveError(f"tap: {path}: {error!r}") from error
        if answer.status != 200:
            raise DriveError(f"tap: {path}: {body.decode(errors='replace')}")
        return msgspec.json.decode(body, type=kind)
