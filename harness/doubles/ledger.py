"""The effect ledger: what was applied under which key. It is the ground truth; it does no I/O."""

from __future__ import annotations

import hashlib
from typing import Any, Final

import msgspec

from harness.doubles.claims import COMPENSATION, FORWARD
from harness.doubles.defects import Defect
from harness.journal.records import Disposition

_SHORT_MEMORY: Final = 3

Place = tuple[str, str, int, str]  # tenant, saga id, step, direction


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a service is asked to do."""

    tenant: str
    key: str
    saga_id: str
    step: int
    direction: str
    service: str
    operation: str
    resource: str
    amount: str

    @property
    def place(self) -> Place:
        """Where in which saga."""
        return self.tenant, self.saga_id, self.step, self.direction

    def same_business(self, other: Order) -> bool:
        """Whether both ask for the same effect."""
        return self.place == other.place and (
            (self.service, self.operation, self.resource, self.amount)
            == (other.service, other.operation, other.resource, other.amount)
        )


class Entry(msgspec.Struct, gc=False):
    """What became of a key: the first order under it, and how often it was applied."""

    order: Order
    void: bool = False
    applied: int = 0


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger says to one order. `result` is None where there is none (409)."""

    disposition: Disposition
    status: int
    result: dict[str, Any] | None = None
    problem: str = ""


def reference(service: str, tenant: str, key: str) -> str:
    """The reference of an effect: the same for the same key."""
    return f"{service}-{hashlib.sha256(f'{tenant},{key}'.encode()).hexdigest()[:12]}"


def _result(entry: Entry, *, fresh: int = 0) -> dict[str, Any]:
    """The result of an entry; `fresh` makes it differ (a defect)."""
    order = entry.order
    key = f"{order.key}#{fresh}" if fresh else order.key
    result: dict[str, Any] = {"reference": reference(order.service, order.tenant, key)}
    if entry.void:
        return result | {"void": True}
    return result | {"amount": order.amount, "applied": entry.applied}


class Ledger:
    """Applies orders, at most once for each (tenant, key).

    Whether a compensation has something to undo is decided by tenant, saga and step, not by keys:
    a worker with wrong keys is then seen to apply twice, and not hidden behind void compensations.
    """

    def __init__(self, defects: frozenset[Defect] = frozenset()) -> None:
        self._defects = defects
        self._entries: dict[tuple[str, str], Entry] = {}
        self._applied: set[Place] = set()
        self._voided: set[Place] = set()
        self._replays = 0

    def knows(self, order: Order) -> bool:
        """Whether its key has been used."""
        return (order.tenant, order.key) in self._entries

    def apply(self, order: Order, *, arrived_new: bool = False) -> Outcome:
        """Apply, suppress, void or refuse one order.

        `arrived_new` says that its key was not known when it arrived, which only a broken ledger
        looks at.
        """
        entry = self._entries.get((order.tenant, order.key))
        if entry is not None and not self._taken_for_new(arrived_new):
            return self._suppressed(entry, order)
        late = order.direction == FORWARD and (*order.place[:3], COMPENSATION) in self._voided
        if late and Defect.LATE_FORWARD not in self._defects:
            return Outcome(disposition=Disposition.REFUSED, status=409)
        if entry is None:
            entry = self._remember(order)
        undoes = (*order.place[:3], FORWARD)
        if order.direction == COMPENSATION and undoes not in self._applied:
            self._voided.add(order.place)
        if order.place in self._voided and Defect.VOID_APPLIES not in self._defects:
            entry.void = True
            return Outcome(disposition=Disposition.VOID, status=200, result=_result(entry))
        entry.applied += 1
        self._applied.add(order.place)
        return Outcome(disposition=Disposition.APPLIED, status=200, result=_result(entry))

    def _taken_for_new(self, arrived_new: bool) -> bool:
        looked_at_arrival = arrived_new and Defect.AT_ARRIVAL in self._defects
        return looked_at_arrival or Defect.NO_DEDUPE in self._defects

    def _remember(self, order: Order) -> Entry:
        if Defect.SHORT_MEMORY in self._defects and len(self._entries) >= _SHORT_MEMORY:
            self._entries.pop(next(iter(self._entries)))
        entry = self._entries[order.tenant, order.key] = Entry(order)
        return entry

    def _suppressed(self, entry: Entry, order: Order) -> Outcome:
        self._replays += 1
        fresh = self._replays if Defect.FRESH_RESULT in self._defects else 0
        problem = ""
        if not order.same_business(entry.order):
            first = entry.order
            problem = (
                f"Idempotency-Key: {order.key!r} was first used for {first.service}."
                f"{first.operation} of {first.resource!r}, step {first.step} {first.direction}"
            )
        return Outcome(
            disposition=Disposition.SUPPRESSED, status=200, result=_result(entry, fresh=fresh),
            problem=problem,
        )  # fmt: skip
