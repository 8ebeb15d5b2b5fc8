"""Words and figures that the SLO checks share."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from harness.autocorrelation import Share, unseen_every
from harness.journal.records import LoadRun
from harness.statistics import PERCENTILE_METHOD, percentile_rank

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Column = NDArray[Any]

PERCENTILE: Final = 0.95
NEVER: Final = 2**63 - 1
MATTERS: Final = 1.1  # an inflation that is worth a word


def spread(values: Column) -> dict[str, Any]:
    """Percentiles of ordered latencies; null where so many starts were never acknowledged."""
    ranks = {f"p{share * 100:g}_ms": share for share in (0.5, PERCENTILE, 0.99, 0.999)}
    return {
        "samples": len(values),
        "unanswered": int((values == NEVER).sum()),
        "percentile_method": PERCENTILE_METHOD,
        **{
            name: ms(at(values, percentile_rank(len(values), share)))
            for name, share in ranks.items()
        },
        "max_ms": ms(values[-1]),
    }


def worth(share: Share) -> dict[str, float]:
    """What samples are worth, as figures."""
    return {
        "inflation": round(share.inflation, 3),
        "effective_samples": share.effective_samples,
    }


def in_bursts(share: Share) -> str:
    """That samples are worth less than their number, where they are."""
    if share.inflation < MATTERS:
        return ""
    return f" (in bursts: they weigh as {share.effective_samples:,} independent samples)"


def bursts(share: Share, what: str, span_s: float, confidence: float) -> str:
    """What a pass says of bursts: how they weighed, or which ones it cannot have seen."""
    if share.hits:
        return in_bursts(share)
    every_s = unseen_every(span_s, confidence)
    return f"; none {what}: a burst less often than every {every_s:.3g} s may have been missed"


def inflated(needed: int | None, share: Share) -> int | None:
    """So many samples that they are worth what is needed."""
    return None if needed is None else math.ceil(needed * share.inflation)


def more(needed: int | None, used: int, run: LoadRun) -> str:
    """How many samples would do, and how long a run takes for them.

    A run of the same shape and mix, drawn out: the same share of its arrivals counts as of this
    one's, of which `used` did.
    """
    if needed is None:
        return "no number of samples would do"
    lasts_s = math.ceil(Fraction(needed, used) * Fraction(run.duration_s))
    return f"{needed:,} samples would do ({lasts_s:,} s {at_rate(run)})"


def at_rate(run: LoadRun) -> str:
    """How fast a run's arrivals came."""
    if run.shape == "constant":
        return f"at {run.rate_per_s:g}/s"
    return f"of {run.shape} at {run.planned / run.duration_s:.4g}/s in the mean"


def sure(confidence: float) -> str:
    """The confidence, in words."""
    return f"at {confidence * 100:g} % confidence"


def ordered(values: Column) -> Column:
    """Ascending."""
    import numpy

    return numpy.sort(values)


def rows(mask: Column) -> list[int]:
    """The numbers of the rows of a mask."""
    rows: list[int] = mask.nonzero()[0].tolist()
    return rows


def at(ordered: Column, rank: int | None) -> int | None:
    """The value of a rank, counted from 1."""
    return None if rank is None else int(ordered[rank - 1])


def ms(nanoseconds: int | None) -> float | None:
    """Nanoseconds as milliseconds; null for what never came."""
    never = nanoseconds is None or nanoseconds == NEVER
    return None if never else float(nanoseconds or 0) / 1e6


def said(nanoseconds: int) -> str:
    """Nanoseconds in words."""
    return "for ever" if nanoseconds == NEVER else f"{nanoseconds / 1e6:.1f} ms"
