"""Blocks in which one tenant floods, beside as many and as long ones in which it is quiet.

Each noisy block has a quiet one next to it, its pair, and chance says which of them comes first: so
whatever else changes over a run meets both alike, and their order cannot make a difference between
them.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

import msgspec

from harness.errors import UsageError

LEAST_PAIRS: Final = 6  # with fewer no ratio has an interval at 95 %
MOST_PAIRS: Final = 200
LEAST_BLOCK_S: Final = 1.0
PLAN: Final = "HARNESS_FLOOD"  # the environment variable with a `FloodPlan`
FLOODS: Final = {
    "starts": "runs that end with their first task are started",
    "lists": "the first page of all runs is listed",
    "payloads": "runs are started whose start carries a giant payload",
    "signals": "one run is sent all signals",
    "activities": "sagas of four steps are started, for the worker's queue to fill",
}
USUAL: Final = ("starts", "lists", "payloads", "signals")


class PlannedBlock(msgspec.Struct, frozen=True, kw_only=True):
    """A block to come; `flood` is what the noisy one of its pair is flooded with."""

    pair: int
    noisy: bool
    flood: str


class FloodPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What the flooding process is told: the blocks, how long each is, and how it floods.

    At `queue_per_s` it limits the activities of its own task queue before (0: leaves it as it is).
    """

    blocks: list[PlannedBlock]
    block_s: float
    rate_per_s: float
    payload_bytes: int
    queue_per_s: float = 0.0

    @property
    def lasts_s(self) -> float:
        """All blocks together."""
        return len(self.blocks) * self.block_s


def planned_blocks(floods: Sequence[str], pairs: int, seed: int) -> list[PlannedBlock]:
    """So many pairs, each kind of flood in turn; the same seed gives the same order."""
    chance = random.Random(seed)
    found = []
    for pair in range(pairs):
        flood = floods[pair % len(floods)]
        order = [True, False]
        chance.shuffle(order)
        found += [PlannedBlock(pair=pair, noisy=noisy, flood=flood) for noisy in order]
    return found


def parse_floods(text: str) -> tuple[str, ...]:
    """The kinds in `starts,lists`; raises `UsageError` for one that there is not."""
    found = tuple(dict.fromkeys(each.strip() for each in text.split(",") if each.strip()))
    unknown = [each for each in found if each not in FLOODS]
    if unknown or not found:
        raise UsageError(
            f"--flood {text!r}: {unknown[0] if unknown else 'nothing'!r} is no flood; there are "
            f"{', '.join(FLOODS)}"
        )
    return found
