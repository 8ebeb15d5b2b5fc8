"""Delta debugging in batches: all candidates of a round are tried at the same time.

Where one try takes seconds and many at once take no longer, it is better to try every way to make
something smaller in one round, and to go on with the smallest that still fails.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")
MOST_REPEATS: Final = 4
SURE: Final = 0.9  # how likely a failing candidate should be seen to fail


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrunk(Generic[T]):
    """The smallest that failed; `minimal` says that nothing smaller was left to try."""

    best: T
    tried: int
    rounds: int
    minimal: bool


async def smallest(
    start: T,
    *,
    smaller: Callable[[T], Sequence[T]],
    size: Callable[[T], Any],
    failing: Callable[[Sequence[T]], Awaitable[Sequence[T]]],
    most: int,
    rounds: int,
    budget_s: float,
    clock: Callable[[], float],
) -> Shrunk[T]:
    """The smallest value on the way from `start`, which fails, that still fails.

    `smaller` are the ways to make a value smaller, `failing` tries at most `most` of them at once
    and says which fail. It ends when none does, after so many rounds, or when the next round would
    not end within the budget if it took as long as the longest so far.
    """
    best, tried, done, longest_s = start, 0, 0, 0.0
    known = [start]
    began = clock()
    waiting = _untried(smaller(best), known, size, size(best))
    while waiting:
        if done == rounds or clock() - began + longest_s > budget_s:
            return Shrunk(best=best, tried=tried, rounds=done, minimal=False)
        batch, waiting = waiting[:most], waiting[most:]
        since = clock()
        found = await failing(batch)
        longest_s = max(longest_s, clock() - since)
        known += batch
        tried, done = tried + len(batch), done + 1
        if found:
            best = min(found, key=size)
            waiting = _untried(smaller(best), known, size, size(best))
    return Shrunk(best=best, tried=tried, rounds=done, minimal=True)


def _untried(
    candidates: Sequence[T], known: Sequence[T], size: Callable[[T], Any], below: Any
) -> list[T]:
    """What is smaller and was not tried yet, the smallest first, each once."""
    found: list[T] = []
    for each in sorted(candidates, key=size):
        if size(each) < below and each not in known and each not in found:
            found.append(each)
    return found


def parts(count: int) -> Iterator[tuple[int, ...]]:
    """Which of so many items to keep: halves, quarters and so on to single ones, and all but these.

    Of a few items, every pair as well.
    """
    chunk = count // 2
    while chunk:
        for first in range(0, count, chunk):
            kept = tuple(range(first, min(first + chunk, count)))
            yield kept
            yield tuple(each for each in range(count) if each not in kept)
        chunk //= 2
    if count <= FEW:
        yield from ((one, other) for other in range(count) for one in range(other))


FEW: Final = 8


def repeats(failed: int, tried: int) -> int:
    """How often to try each candidate, when the whole failed so often of so many tries."""
    share = failed / tried
    for number in range(1, MOST_REPEATS):
        if 1 - (1 - share) ** number >= SURE:
            return number
    return MOST_REPEATS
