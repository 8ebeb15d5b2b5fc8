"""Requests that are held at an exact point until the harness releases them."""

from __future__ import annotations

import asyncio
import itertools
from typing import Literal

from harness.doubles.ledger import Place
from harness.doubles.messages import Held

How = Literal["answer", "drop"]
Point = Literal["before", "after"]


class Holds:
    """The requests that are held, and those that nobody was told about yet."""

    def __init__(self) -> None:
        self._ids = itertools.count(1)
        self._waiting: dict[str, asyncio.Future[How]] = {}
        self._new: list[Held] = []
        self._announced = asyncio.Event()

    async def hold(self, place: Place, point: Point) -> How:
        """Hold here; returns how it was released."""
        tenant, saga_id, step, direction = place
        held = Held(
            id=f"h{next(self._ids)}", tenant=tenant, saga_id=saga_id, step=step,
            direction=direction, point=point,
        )  # fmt: skip
        released: asyncio.Future[How] = asyncio.get_running_loop().create_future()
        self._waiting[held.id] = released
        self._new.append(held)
        self._announced.set()
        try:
            return await released
        finally:
            self._waiting.pop(held.id, None)

    async def newly_held(self, timeout_s: float) -> list[Held]:
        """The requests held since the last call; waits for one, at most `timeout_s`."""
        if not self._new and timeout_s > 0:
            waiter = asyncio.ensure_future(self._announced.wait())
            await asyncio.wait({waiter}, timeout=timeout_s)
            waiter.cancel()
        held, self._new = self._new, []
        self._announced.clear()
        return held

    def release(self, held_id: str, how: How) -> bool:
        """Let go; False if nothing is held under this id."""
        released = self._waiting.get(held_id)
        if released is None or released.done():
            return False
        released.set_result(how)
        return True
