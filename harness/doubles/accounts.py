"""The services' stock and money: what is free of each resource, and what is held by sagas.

Double entry: what a forward effect takes from one side it gives to the other, and a compensation
gives it back, so the sum of both sides is always the opening stock. What sagas leave on the second
side is judged against how they ended (DUR-5).
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from harness.contract.program import quantity
from harness.doubles.claims import FORWARD
from harness.doubles.ledger import Order
from harness.journal.records import Balance, now

OPENING = Decimal(1_000_000)


class _Account(msgspec.Struct, gc=False):
    free: Decimal = OPENING
    held: Decimal = Decimal(0)


class Accounts:
    """One account for each resource of a tenant at a service."""

    def __init__(self) -> None:
        self._accounts: dict[tuple[str, str, str], _Account] = {}

    def move(self, order: Order) -> None:
        """Book an order that was applied."""
        key = (order.tenant, order.service, order.resource)
        account = self._accounts.setdefault(key, _Account())
        amount = quantity(order.amount)
        if order.direction != FORWARD:
            amount = -amount
        account.free -= amount
        account.held += amount

    def balances(self) -> Iterator[Balance]:
        """What there is of each resource that was ever moved."""
        for (tenant, service, resource), account in self._accounts.items():
            yield Balance(
                **now(),
                tenant=tenant,
                service=service,
                resource=resource,
                opening=str(OPENING),
                free=str(account.free),
                held=str(account.held),
            )
