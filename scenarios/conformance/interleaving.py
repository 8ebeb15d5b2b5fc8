"""Interleavings of what several tenants do to workflows of the same ids: pure and from a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

IDS: Final = 6
MOVES: Final = 240
WEIGHTS: Final = {"start": 4, "signal": 6, "query": 4, "update": 2, "cancel": 2, "terminate": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One operation of one tenant (its position) on the workflow id of that number."""

    number: int
    workflow: int
    tenant: int
    kind: str


def interleaved(seed: int, tenants: int, lacks: frozenset[str] = frozenset()) -> list[Move]:
    """The moves of a trial, always the same for the same seed.

    What is done is drawn without looking at what there is: a tenant may well signal or cancel where
    only another has an open run, and must then be refused.
    """
    draw = random.Random(f"interleaving {seed}")
    kinds = {kind: weight for kind, weight in WEIGHTS.items() if f"{kind}s" not in lacks}
    return [
        Move(
            number=number,
            workflow=number % IDS,
            tenant=draw.randrange(tenants),
            kind=draw.choices(list(kinds), list(kinds.values()))[0],
        )
        for number in range(MOVES)
    ]
