"""Requests that are held at an exact point until the harness releases them."""

from __future__ import annotations

import asyncio
from typing import Literal

from harness.doubles.ledger import Place
from harness.doubles.messages import Held

How = Literal["answer", "drop"]
Point = Literal["asked", "before", "after"]


class Holds:
    """The requests that are held, numbered from 1 in the order in which they were."""

    def __init__(self) -> None:
        self._last = 0
        self._held: dict[int, Held] = {}
        self._released: dict[int, asyncio.Future[How]] = {}
        self._announced: set[asyncio.Future[None]] = set()

    async def hold(self, place: Place, point: Point) -> How:
        """Hold here; returns how it was released."""
        tenant, saga_id, step, direction = place
        self._last = number = self._last + 1
        released: asyncio.Future[How] = asyncio.get_running_loop().create_future()
        self._released[number] = released
        self._held[number] = Held(
            id=str(number),
            tenant=tenant,
            saga_id=saga_id,
            step=step,
            direction=direction,
            point=point,
        )
        for waiter in self._announced:
            if not waiter.done():
                waiter.set_result(None)
        try:
            return await released
        finally:
            del self._held[number], self._released[number]

    async def held(self, after: int, timeout_s: float) -> list[Held]:
        """What is held now, of numbers over `after`; waits for one, at most `timeout_s`."""
        if self._last <= after and timeout_s > 0:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._announced.add(waiter)
            try:
                await asyncio.wait({waiter}, timeout=timeout_s)
            finally:
                self._announced.discard(waiter)
        return [held for number, held in self._held.items() if number > after]

    def release(self, held_id: str, how: How) -> bool:
        """Let go; False if nothing is held under this id."""
        released = self._released.get(int(held_id)) if held_id.isdecimal() else None
        if released is None or released.done():
            return False
        released.set_result(how)
        return True
