"""CAP-6: events, bytes, blobs and pending work of each run against the engine's bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from harness.checks.check import Evidence, Finding
from harness.checks.growth.weight import LEAST_HISTORIES, Weight, table_of, weights
from harness.checks.histories.clauses import Broken, conclude

EVENTS: Final = "events"
BYTES: Final = "bytes"
BLOB: Final = "blob"
PENDING: Final = "pending"
CLAUSES: Final = (EVENTS, BYTES, BLOB, PENDING)
# where the engine ends a run, whatever is declared (server 1.32, its defaults)
ENDS_EVENTS: Final = 51_200
ENDS_BYTES: Final = 50 << 20
ENDS_BLOB_BYTES: Final = 2 << 20
HINT_EVENTS: Final = 4_096


@dataclass(frozen=True, slots=True)
class Bound:
    """One thing that is measured, what is declared to be the most, and where the engine ends it."""

    clause: str
    most: int
    ends: int
    of: Callable[[Weight], int]

    def broken(self, weight: Weight) -> Broken | None:
        """Where a history is beyond it."""
        found = self.of(weight)
        if found <= self.most:
            return None
        text = f"{weight.name}: {found} {self.clause}, {self.most} are the most"
        return Broken(self.clause, text, weight.history.path)


def histories_stay_within_bounds(evidence: Evidence) -> Finding:
    """ADR, Capacity & Costs: "Workflow history stored in Temporal cluster".

    No run has more events, bytes, bytes in one blob, or open activities (children, signals,
    cancellations) at a time than is declared; the defaults are where the engine begins to warn. It
    hints at continuing as new from 4,096 events on, and ends a run at 51,200 events or 50 MiB, and
    one that brings a blob over 2 MiB.
    """
    found = weights(evidence)
    bounds = _bounds(evidence)
    broken = [each for weight in found for each in _beyond(weight, bounds)]
    lacks = (
        ""
        if len(found) >= LEAST_HISTORIES
        else f"{len(found)} histories were recorded, {LEAST_HISTORIES} are the least"
    )
    figures: dict[str, Any] = {
        "histories": len(found),
        "percentiles": [_row(bound, found) for bound in bounds if found],
        "hinted_to_continue_as_new": sum(weight.hinted for weight in found),
        "over_the_hint_of_4096_events": sum(w.history.events > HINT_EVENTS for w in found),
    }
    most = max((weight.history.events for weight in found), default=0)
    kept = f"the longest of {len(found)} histories has {most} events; none is beyond its bounds"
    return conclude(CLAUSES, broken, [lacks], kept, figures)


def _bounds(evidence: Evidence) -> tuple[Bound, ...]:
    declared = evidence.parameters
    return (
        Bound(EVENTS, int(declared["history_events_most"]), ENDS_EVENTS, _events),
        Bound(BYTES, int(declared["history_bytes_most"]), ENDS_BYTES, _bytes),
        Bound(BLOB, int(declared["blob_bytes_most"]), ENDS_BLOB_BYTES, _blob),
        Bound(PENDING, int(declared["pending_most"]), 2_000, _pending),
    )


def _beyond(weight: Weight, bounds: tuple[Bound, ...]) -> Iterator[Broken]:
    for bound in bounds:
        if broken := bound.broken(weight):
            yield broken


def _row(bound: Bound, found: list[Weight]) -> dict[str, Any]:
    return {
        "of": bound.clause,
        **table_of([bound.of(weight) for weight in found]),
        "declared": bound.most,
        "engine_ends_at": bound.ends,
    }


def _events(weight: Weight) -> int:
    return weight.history.events


def _bytes(weight: Weight) -> int:
    return weight.size_bytes


def _blob(weight: Weight) -> int:
    return max((blob.size_bytes for blob in weight.blobs), default=0)


def _pending(weight: Weight) -> int:
    return weight.pending
