"""A load in blocks of as many workflows each, to see how much what they take varies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

BLOCKS: Final = 10


def each_in_blocks(
    intended_ns: Sequence[int], end_ns: int, until: Callable[[int], float]
) -> list[float]:
    """What a workflow took in each of `BLOCKS` blocks, one after the other.

    `intended_ns` ascend, and there are as many as blocks at least; `until` is what all have taken
    up to a moment. The last block lasts until `end_ns`.
    """
    edges = [len(intended_ns) * number // BLOCKS for number in range(BLOCKS + 1)]
    moments = [intended_ns[edge] for edge in edges[:-1]] + [end_ns]
    taken = [until(at_ns) for at_ns in moments]
    return [(taken[n + 1] - taken[n]) / (edges[n + 1] - edges[n]) for n in range(BLOCKS)]
