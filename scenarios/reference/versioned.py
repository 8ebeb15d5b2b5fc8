"""`ReferenceVersioned`: a workflow that was changed three times while runs of it were open.

What a change behind a patch looks like at each stage of its life, one stage in each build:

| patch         | build 2 | build 3    | build 4 (this)     |
|---------------|---------|------------|--------------------|
| `check-stock` | patched | deprecated | removed            |
| `confirm`     |         | patched    | deprecated         |
| `notify`      |         |            | patched            |

A patch is deprecated once no open run is without its marker, and removed once no open run holds
one that is not deprecated. Histories of builds 3 and 4, of closed and of open runs, are kept in
`histories/`: this build replays them all.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from temporalio import workflow

CONFIRM: Final = "confirm"
NOTIFY: Final = "notify"
SOON: Final = timedelta(seconds=10)


@workflow.defn(name="ReferenceVersioned")
class ReferenceVersioned:
    """An order: stock, confirmation, payment."""

    def __init__(self) -> None:
        self.paid = False

    @workflow.run
    async def run(self, order: dict[str, Any]) -> dict[str, Any]:
        await self.do("stock.check", order)
        await self.do("stock.reserve", order)
        self.confirmed_always()
        await self.do("order.confirm", order)
        if self.notified():
            await self.do("customer.notify", order)
        await workflow.wait_condition(lambda: self.paid)
        await self.do("order.book", order)
        return {"order": order["id"], "booked": True}

    @workflow.signal(name="pay")
    def pay(self) -> None:
        """The order is paid."""
        self.paid = True

    async def do(self, what: str, order: dict[str, Any]) -> None:
        """One step."""
        await workflow.execute_activity(what, order, start_to_close_timeout=SOON)

    # --- the patches, which a mutant may change ------------------------------------------------

    def confirmed_always(self) -> None:
        """Every order is confirmed; open runs of build 3 hold the marker."""
        workflow.deprecate_patch(CONFIRM)

    def notified(self) -> bool:
        """Whether customers were notified when this run came here."""
        return workflow.patched(NOTIFY)
