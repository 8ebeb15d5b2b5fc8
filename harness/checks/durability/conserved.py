"""Stock and money of the services, against how the sagas that moved them ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from harness.checks.check import Evidence
from harness.checks.histories import COMPLETED, Run
from harness.checks.histories.clauses import Broken
from harness.contract.program import quantity
from harness.journal.records import Balance, Effect

UNBALANCED: Final = "not conserved"
LEAST_ACCOUNTS: Final = 2
Account = tuple[str, str, str]  # tenant, service, resource


@dataclass(slots=True)
class Books:
    """The accounts that only judged sagas moved: what they must hold, and what they do.

    `told` are the balances of all services; an account without one is not in it.
    """

    due: dict[Account, Decimal] = field(default_factory=dict)
    told: dict[Account, Balance] = field(default_factory=dict)

    @property
    def judged(self) -> list[Account]:
        return [account for account in self.due if account in self.told]

    @property
    def lacks(self) -> str:
        """Why nothing can be said of stock and money; empty if something can."""
        if len(self.judged) >= LEAST_ACCOUNTS:
            return ""
        return (
            f"the services told the balances of {len(self.judged)} accounts that only these sagas "
            f"moved, {LEAST_ACCOUNTS} are the least"
        )

    def broken(self) -> Iterator[Broken]:
        """Accounts that hold other than they must, or whose two sides do not add up."""
        for account in self.judged:
            told, due = self.told[account], self.due[account]
            free, held, opening = (Decimal(x) for x in (told.free, told.held, told.opening))
            name = " ".join(account)
            if held != due:
                text = f"{name}: {held} are held, the sagas that completed hold {due}"
                yield Broken(UNBALANCED, text)
            elif free + held != opening:
                yield Broken(UNBALANCED, f"{name}: {free} and {held} are not {opening}")

    def rows(self) -> list[dict[str, Any]]:
        """By service: how much the sagas were to hold, and how much is held."""
        sums: dict[str, tuple[Decimal, Decimal, int]] = {}
        for account in self.judged:
            due, held, count = sums.get(account[1], (Decimal(0), Decimal(0), 0))
            told = Decimal(self.told[account].held)
            sums[account[1]] = (due + self.due[account], held + told, count + 1)
        return [
            {"service": service, "accounts": count, "due": float(due), "held": float(held)}
            for service, (due, held, count) in sorted(sums.items())
        ]


def books(evidence: Evidence, ended: Mapping[tuple[str, str], Run]) -> Books:
    """The books of the sagas that ended, by (tenant, saga id)."""
    foreign = {
        (effect.tenant, effect.service, effect.resource)
        for effect in evidence.of(Effect)
        if (effect.tenant, effect.saga_id) not in ended
    }
    found = Books()
    for run in ended.values():
        for account, amount in _moves(run):
            if account not in foreign:
                held = amount if run.closing == COMPLETED else Decimal(0)
                found.due[account] = found.due.get(account, Decimal(0)) + held
    for balance in evidence.of(Balance):
        found.told[balance.tenant, balance.service, balance.resource] = balance
    return found


def _moves(run: Run) -> Iterable[tuple[Account, Decimal]]:
    """What a saga's steps take, by account."""
    for node in run.program.get("nodes") or ():
        if isinstance(node, dict) and node.get("kind") == "step":
            account = (run.tenant, str(node.get("service")), str(node.get("resource")))
            yield account, quantity(str(node.get("amount", "1")))
