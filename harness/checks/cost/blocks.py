"""A load in blocks of as many workflows each, to see how much what they take varies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from harness.means import Mean, mean_of

BLOCKS: Final = 10


def spread_of(
    intended_ns: Sequence[int], end_ns: int, until: Callable[[int], float], confidence: float
) -> Mean:
    """What a workflow took, with bounds, by all blocks but the first and the last.

    All that was taken is in the sum of the blocks, exactly. But workflows take it after they
    arrived: what the first block lacks for that, the last makes up for, and neither says how much
    workflows differ.
    """
    return mean_of(each_in_blocks(intended_ns, end_ns, until)[1:-1], confidence)


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
