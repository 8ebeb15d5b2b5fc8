"""Waiting for things that happen once, without polling."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Happened(Generic[K]):
    """The set of what has happened, and who waits for what has not."""

    def __init__(self) -> None:
        self._seen: set[K] = set()
        self._waiting: defaultdict[K, list[asyncio.Future[None]]] = defaultdict(list)

    def add(self, key: K) -> None:
        """It has happened."""
        self._seen.add(key)
        for waiter in self._waiting.pop(key, ()):
            if not waiter.done():
                waiter.set_result(None)

    async def missing(self, keys: Iterable[K], timeout_s: float) -> list[K]:
        """What of `keys` has not happened within `timeout_s`."""
        absent = [key for key in dict.fromkeys(keys) if key not in self._seen]
        if not absent or timeout_s <= 0:
            return absent
        waiters = {key: asyncio.get_running_loop().create_future() for key in absent}
        for key, waiter in waiters.items():
            self._waiting[key].append(waiter)
        try:
            await asyncio.wait(waiters.values(), timeout=timeout_s)
        finally:
            self._forget(waiters)
        return [key for key in absent if key not in self._seen]

    def _forget(self, waiters: dict[K, asyncio.Future[None]]) -> None:
        for key, waiter in waiters.items():
            if key in self._waiting:
                self._waiting[key].remove(waiter)
                if not self._waiting[key]:
                    del self._waiting[key]
