"""The services' stock and money: both sides of an account always add up to its opening."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contract.program import quantity
from harness.doubles.accounts import OPENING, Accounts
from harness.doubles.ledger import Order

AMOUNTS = st.decimals("0.01", "1000", places=2).map(str)


def order(direction: str, amount: str, resource: str = "room-7") -> Order:
    operation = "reserve" if direction == "forward" else "release"
    return Order(
        tenant="alpha", key="k", saga_id="s", step=0, direction=direction, service="rms",
        operation=operation, resource=resource, amount=amount,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("amount", "expected"),
    [("3", "3"), ("12.50", "12.5"), ("0.1", "0.1"), ("a piece", "1"), ("NaN", "1"), ("", "1")],
)
def test_an_amount_that_is_no_number_is_one_piece(amount: str, expected: str) -> None:
    assert quantity(amount) == Decimal(expected)


@given(st.lists(st.tuples(st.sampled_from(["forward", "compensation"]), AMOUNTS), max_size=20))
def test_whatever_is_moved_nothing_comes_or_goes(moves: list[tuple[str, str]]) -> None:
    accounts = Accounts()
    for direction, amount in moves:
        accounts.move(order(direction, amount))
    for balance in accounts.balances():
        assert Decimal(balance.free) + Decimal(balance.held) == OPENING == Decimal(balance.opening)


def test_what_is_taken_and_given_back_leaves_nothing() -> None:
    accounts = Accounts()
    for direction in ("forward", "compensation"):
        accounts.move(order(direction, "0.10"))
    accounts.move(order("forward", "0.20", resource="room-8"))
    held = {balance.resource: Decimal(balance.held) for balance in accounts.balances()}
    assert held == {"room-7": 0, "room-8": Decimal("0.2")}
