"""What dependent samples are worth: ten failures in one burst are not ten pieces of evidence.

The exact bounds of `statistics.py` hold for independent samples. Here a *hit* (a start over the
limit, a saga that did not complete) is looked at in the order of the intended times, and `samples`
of them are counted as `samples / inflation` independent ones. The inflation is how many times
greater the variance of the hits' share is than independent hits would have it, at least 1, and the
larger of two estimates:

- **neighbours**: (1 + r) / (1 - r), r the correlation of each sample with the next. Exact where
  bursts have lengths as chance gives them (a two-state chain), twice too large for equal ones.
- **blocks**: the run is cut into blocks of 2, 4, 8, ... samples, as long as there are at least
  `LEAST_BLOCKS`, and the variance of the blocks' shares is set against the binomial one. The length
  that gives the largest ratio is taken, among those whose ratio independent hits would reach in one
  of a hundred runs. This sees bursts in which only some are hit, and slow changes of the rate,
  which neighbours hardly show; the threshold keeps independent samples from paying for it.

Bursts vary, and few of them say little of how long they are: what the inflation is above 1 is
raised by one part in as many as there are effective hits.

Simulated (`tests/unit/test_autocorrelation.py`), for chains, equal bursts, bursts in which three
of ten are hit, and autoregressive latencies: a bound at 95 % is wrong in at most 6 of 100 runs
where five or more bursts are expected in a run, and in up to 9 where three are (half of these saw
none). Independent samples lose 3 %. **Without a single hit there is nothing to estimate from**: the
inflation is 1, and `unseen_every` says how rare bursts must be to be missed.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Final

from harness.statistics import lower_rank, lower_share, upper_rank, upper_share

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Column = NDArray[Any]

LEAST_BLOCKS: Final = 8
_RARELY: Final = NormalDist().inv_cdf(0.99)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How many of some samples were hit, and what the samples are worth."""

    hits: int
    samples: int
    inflation: float

    @property
    def effective_samples(self) -> int:
        """As many independent samples would say as much, rounded down."""
        return math.floor(self.samples / self.inflation)

    def at_most(self, confidence: float) -> float:
        """The upper bound of the share of hits."""
        hits, samples = self._against()
        return upper_share(hits, samples, confidence) if samples else 1.0

    def at_least(self, confidence: float) -> float:
        """The lower bound of the share of hits."""
        hits, samples = self._in_favour()
        return lower_share(hits, samples, confidence)

    def proven_within(self, share: float, confidence: float) -> bool:
        """Whether no less than `share` is proven not to be hit."""
        hits, samples = self._against()
        rank = upper_rank(samples, share, confidence)
        return rank is not None and samples - hits >= rank

    def proven_beyond(self, share: float, confidence: float) -> bool:
        """Whether less than `share` is proven not to be hit."""
        hits, samples = self._in_favour()
        rank = lower_rank(samples, share, confidence)
        return rank is not None and samples - hits < rank

    def _against(self) -> tuple[int, int]:
        """Effective hits and samples, rounded to show more hits."""
        samples = self.effective_samples
        return min(samples, math.ceil(self.hits / self.inflation)), samples

    def _in_favour(self) -> tuple[int, int]:
        """Effective hits and samples, rounded to show fewer hits."""
        return math.floor(self.hits / self.inflation), math.ceil(self.samples / self.inflation)


def share_of(hit: Column) -> Share:
    """The share of hits in a column of truth values, in the order of the intended times."""
    return Share(hits=int(hit.sum()), samples=len(hit), inflation=inflation(hit))


def inflation(hit: Column) -> float:
    """The variance of the share of hits, over that of independent hits; at least 1."""
    hits = int(hit.sum())
    rarer = min(hits, len(hit) - hits)
    if not rarer:
        return 1.0
    raw = max(1.0, _of_neighbours(hit), _of_blocks(hit))
    return 1.0 + (raw - 1.0) * (1.0 + raw / rarer)


def upper_quantile(values: Column, share: float, confidence: float, limit: int) -> int | None:
    """The least sample that provably bounds the `share`-quantile from above.

    It is at most `limit` if and only if that much is proven of the limit itself. None where no
    sample is proven to be a bound.
    """
    import numpy

    def holds(rank: int) -> bool:
        return share_of(values > ordered[rank - 1]).proven_within(share, confidence)

    ordered, lowest = numpy.sort(values), upper_rank(len(values), share, confidence)
    if lowest is None:
        return None
    within = int(numpy.searchsorted(ordered, limit, side="right"))
    if share_of(values > limit).proven_within(share, confidence):
        return int(ordered[_first(range(lowest, within), holds) - 1])
    rank = _first(range(max(lowest, within + 1), len(values) + 1), holds)
    return int(ordered[rank - 1]) if rank <= len(values) else None


def lower_quantile(values: Column, share: float, confidence: float, limit: int) -> int | None:
    """The greatest sample that provably bounds the `share`-quantile from below.

    It is above `limit` if and only if that much is proven of the limit itself. None where no
    sample is proven to be a bound.
    """
    import numpy

    def holds(rank: int) -> bool:
        return share_of(values >= ordered[rank - 1]).proven_beyond(share, confidence)

    ordered, highest = numpy.sort(values), lower_rank(len(values), share, confidence)
    if highest is None:
        return None
    within = int(numpy.searchsorted(ordered, limit, side="right"))
    if share_of(values > limit).proven_beyond(share, confidence):
        return int(ordered[_first(range(highest, within + 1, -1), holds) - 1])
    rank = _first(range(min(highest, within), 0, -1), holds)
    return int(ordered[rank - 1]) if rank else None


def _first(ranks: range, holds: Callable[[int], bool]) -> int:
    """The first rank of which it holds, as of all after it; the range's end where of none.

    The first of all is that of independent samples, and mostly the answer.
    """
    if ranks and holds(ranks[0]):
        return ranks[0]
    position = bisect.bisect_left(ranks, True, key=holds)
    return ranks[position] if position < len(ranks) else ranks.stop


def unseen_every(span: float, confidence: float) -> float:
    """Bursts that come by chance, one in so much time or less often, may be missed in a `span`.

    What comes more often is seen at least once with the probability `confidence`.
    """
    return span / -math.log(1 - confidence)


def _of_neighbours(hit: Column) -> float:
    """The inflation of a two-state chain with as many changes of state."""
    hits, pairs = int(hit.sum()), len(hit) - 1
    share = hits / len(hit)
    both = int((hit[1:] & hit[:-1]).sum())
    single = 2 * hits - int(hit[0]) - int(hit[-1])  # hits among the first of pairs, and the second
    covariance = (both - share * single) / pairs + share**2
    correlation = min(covariance / (share * (1 - share)), 1 - 1 / len(hit))
    return (1 + correlation) / (1 - correlation)


def _of_blocks(hit: Column) -> float:
    """The largest inflation that blocks of any length show, where chance would hardly."""
    import numpy

    share = float(hit.mean())
    length, counts, largest = 1, hit.astype(numpy.int32), 1.0
    while len(counts) // 2 >= LEAST_BLOCKS:
        length, counts = 2 * length, counts[:-1:2] + counts[1::2]
        ratio = float(counts.var(ddof=1)) / (length * share * (1 - share))
        if ratio > _by_chance(len(counts) - 1):
            largest = max(largest, ratio)
    return largest


def _by_chance(freedom: int) -> float:
    """The ratio of variances that independent samples exceed in one of a hundred runs.

    The quantile of chi-squared over its degrees of freedom, by Wilson and Hilferty (1931).
    """
    part = 2 / (9 * freedom)
    return float((1 - part + _RARELY * math.sqrt(part)) ** 3)
