"""The only module that knows pandas: samples and time lines aggregated to what can be drawn.

All times that go in are monotonic nanoseconds, all that come out seconds since `origin_ns`.
Percentiles are nearest rank over raw samples, never interpolated. Whatever is thinned out keeps
the extremes of each column: a single slow call in a million is still in the picture.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from reports.samples import COMPLETED, OK, OUTCOMES, Samples

MOST_COLUMNS: Final = 200
_LEAST_IN_COLUMN: Final = 20
_LEAST_COLUMNS: Final = 24
_WIDTHS_S: Final = (
    0.1, 0.25, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400,
)  # fmt: skip
_BINS_PER_DECADE: Final = 25
_CURVE_POINTS: Final = 160
_LEAST_MS: Final = 0.001
QUANTILES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Values in columns of time: `at_s` is the middle of each, lines hold one value for each."""

    width_s: float
    at_s: list[float]
    lines: dict[str, list[float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """A value over time, thinned: least, greatest and last value in each column."""

    at_s: list[float]
    least: list[float]
    greatest: list[float]
    last: list[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bins:
    """A histogram with logarithmic bins; one edge more than counts."""

    edges_ms: list[float]
    counts: list[int]


class LoadFrame:
    """The samples of one load run, under one reading of the latency.

    Latency counts from the intended start to the moment of the reading. An arrival for which that
    moment never came took for ever (infinity), as the check of the SLO has it; those that were not
    sent because the run was told to stop are left out. The warm-up is drawn over time, and left out
    of distributions and figures. `planned_s` is how long a plan lasts: its rate may be zero at
    either end, which no sample shows; 0 for a run without a plan.
    """

    def __init__(
        self,
        samples: Samples,
        *,
        reading: str,
        origin_ns: int,
        warmup_s: float,
        planned_s: float = 0.0,
    ) -> None:
        intended = samples.intended_ns
        first = int(intended.min()) if len(samples) else origin_ns
        last = int(intended.max()) if len(samples) else origin_ns
        self._planned_s = planned_s
        self.begin_s = ((samples.begin_ns if planned_s else first) - origin_ns) / 1e9
        self.duration_s = planned_s or (last - first) / 1e9
        self.warm_s = (samples.begin_ns - origin_ns) / 1e9 + warmup_s
        self.reading = reading
        self._causes = samples.causes
        frame = pd.DataFrame(
            {
                "intended_s": (intended - origin_ns) / 1e9,
                "late_ms": (samples.sent_ns - intended) / 1e6,
                "sent": samples.sent_ns > 0,
                "outcome": samples.outcome,
                "cause": samples.cause,
            }
        )
        for name, end_ns in samples.ends.items():
            came = end_ns > 0
            frame[f"{name}_s"] = np.where(came, (end_ns - origin_ns) / 1e9, np.nan)
            frame[name] = np.where(came, (end_ns - intended) / 1e6, np.inf)
        self.measured = tuple(name for name, end_ns in samples.ends.items() if end_ns.any())
        self._frame = frame = frame[~samples.told_to_stop]
        self._judged = frame[frame["intended_s"] >= self.warm_s - 1e-9]
        self._ascending: dict[str, Any] = {}
        self.rows = len(frame)
        self._width_s = column_width(self.duration_s, self.rows)

    @property
    def judged(self) -> int:
        """How many arrivals lie after the warm-up."""
        return len(self._judged)

    @property
    def unanswered(self) -> int:
        """For how many of those the moment of the reading never came."""
        return int(np.isinf(self._judged[self.reading]).sum())

    def endings(self) -> list[tuple[str, str, int]]:
        """(outcome, cause, how many) of the arrivals after the warm-up, the most frequent first."""
        counted = self._judged.groupby(["outcome", "cause"]).size().sort_values(ascending=False)
        return [
            (OUTCOMES[int(outcome)], self._causes[cause], int(count))
            for (outcome, cause), count in counted.items()
        ]

    def quantiles_ms(
        self, quantiles: Mapping[str, float], *, reading: str = "", sent: bool = False
    ) -> dict[str, float]:
        """Percentiles, and the greatest, of a reading; with `sent` counted from the sending."""
        values = self._values(reading or self.reading, sent=sent)
        if not len(values):
            return {}
        found = {name: float(values[_rank(q, len(values))]) for name, q in quantiles.items()}
        return {**found, "max": float(values[-1])}

    def _values(self, reading: str, *, sent: bool) -> Any:
        """The latencies after the warm-up, ascending; sorted once."""
        key = f"{reading} {sent}"
        if key not in self._ascending:
            values = self._judged[reading] - (self._judged["late_ms"] if sent else 0.0)
            self._ascending[key] = np.sort(values.to_numpy())
        return self._ascending[key]

    def latency(self) -> Columns:
        """p50, p95, p99, max and min (ms) of each column of intended starts; n in each."""
        columns = self._columns(self._frame["intended_s"])
        by_value = pd.DataFrame({"column": columns, "ms": self._frame[self.reading]})
        by_value = by_value.sort_values("ms")
        ordered = by_value.sort_values("column", kind="stable")
        sizes = ordered.groupby("column").size()
        values, n = ordered["ms"].to_numpy(), sizes.to_numpy()
        starts = np.cumsum(n) - n
        picked = {
            name: values[starts + np.ceil(q * n - 1e-9).astype(int) - 1]
            for name, q in QUANTILES.items()
        }
        picked |= {"max": values[starts + n - 1], "min": values[starts], "n": n}
        return self._made(sizes.index.to_numpy(), picked)

    def rates(self) -> Columns:
        """Per second: arrivals offered by intended start, started and completed by those moments.

        What came after the plan, or after the last arrival of a run without one, is left out:
        nothing was offered any more.
        """
        gap = self.rows / max(1, self.rows - 1)  # the last arrival has its own
        span_s = self._planned_s or self.duration_s * gap
        widths = _slots(span_s, self._width_s)
        ok = self._frame["outcome"] == OK
        counted = {
            "offered": self._frame["intended_s"],
            "started": self._frame[f"{self.reading}_s"].dropna(),
            "completed": self._frame.loc[ok, f"{COMPLETED}_s"].dropna(),
        }
        end_s = self.begin_s + span_s
        lines = {
            name: _counts(self._columns(seconds[seconds <= end_s]), len(widths)) / widths
            for name, seconds in counted.items()
        }
        return self._made(np.arange(len(widths)), lines)

    def lateness(self) -> Columns:
        """The generator's own lateness (ms): the greatest of each column."""
        sent = self._frame[self._frame["sent"]]
        greatest = sent["late_ms"].groupby(self._columns(sent["intended_s"])).max()
        return self._made(greatest.index.to_numpy(), {"max": greatest.to_numpy()})

    def distribution(self) -> Bins:
        """How many answers took how long."""
        values = np.maximum(_finite(self._values(self.reading, sent=False)), _LEAST_MS)
        if not len(values):
            return Bins(edges_ms=[], counts=[])
        exponents = np.floor(np.log10(values) * _BINS_PER_DECADE).astype(int)
        low = int(exponents.min())
        counts = np.bincount(exponents - low)
        edges = 10 ** ((low + np.arange(len(counts) + 1)) / _BINS_PER_DECADE)
        return Bins(edges_ms=edges.tolist(), counts=counts.tolist())

    def curve(self, *, sent: bool = False) -> list[tuple[float, float]]:
        """Latency by percentile: (share that took longer, ms), from 1 down to one sample.

        It ends where the rest took for ever.
        """
        values = self._values(self.reading, sent=sent)
        if not len(values):
            return []
        beyond = np.logspace(0, -math.log10(len(values)), _CURVE_POINTS)
        ranks = np.unique(((1 - beyond) * len(values) + 1e-9).astype(int))
        shares = (len(values) - ranks) / len(values)
        points = zip(shares.tolist(), values[ranks].tolist(), strict=True)
        return [(share, ms) for share, ms in points if math.isfinite(ms)]

    def _columns(self, seconds: pd.Series[float]) -> Any:
        return np.floor((seconds.to_numpy() - self.begin_s) / self._width_s + 1e-9).astype(int)

    def _made(self, index: Any, lines: Mapping[str, Any]) -> Columns:
        at = self.begin_s + (index + 0.5) * self._width_s
        values = {name: np.asarray(v, dtype=float).tolist() for name, v in lines.items()}
        return Columns(width_s=self._width_s, at_s=at.tolist(), lines=values)


def column_width(duration_s: float, n: int) -> float:
    """A round width: at most 200 columns, and 20 samples in each where that leaves two dozen."""
    for width in _WIDTHS_S:
        columns = max(1.0, duration_s / width)
        if columns <= MOST_COLUMNS and (
            n / columns >= _LEAST_IN_COLUMN or columns <= _LEAST_COLUMNS
        ):
            return float(width)
    return float(_WIDTHS_S[-1])


def _slots(duration_s: float, width_s: float) -> Any:
    """The lengths (s) of equal columns; a short rest belongs to the last one."""
    count = max(1, int(duration_s / width_s + 0.5))
    widths = np.full(count, float(width_s))
    if duration_s > 0:
        widths[-1] = duration_s - (count - 1) * width_s
    return widths


def _counts(columns: Any, count: int) -> Any:
    """How many fall into each column; the first and the last take what lies outside."""
    return np.bincount(np.clip(columns, 0, count - 1), minlength=count)


def _finite(values: Any) -> Any:
    return values[np.isfinite(values)]


def _rank(quantile: float, n: int) -> int:
    """The index of the nearest rank among n sorted values."""
    return max(0, math.ceil(quantile * n - 1e-9) - 1)


def extent(
    points: Sequence[tuple[int, float]], *, origin_ns: int, duration_s: float, columns: int = 400
) -> Extent:
    """A gauge over time, thinned to at most that many columns with their extremes."""
    frame = pd.DataFrame(points, columns=["at_ns", "value"])
    at_s = (frame["at_ns"] - origin_ns) / 1e9
    width = max(duration_s, 1e-9) / columns
    column = np.floor(at_s / width).clip(-columns, columns).astype(int)
    grouped = frame["value"].groupby(column)
    thin = grouped.agg(["min", "max", "last"])
    middle = at_s.groupby(column).mean()
    return Extent(
        at_s=middle.tolist(),
        least=thin["min"].tolist(),
        greatest=thin["max"].tolist(),
        last=thin["last"].tolist(),
    )


def per_second(
    events: Iterable[tuple[int, str]], *, origin_ns: int, duration_s: float
) -> dict[str, Columns]:
    """How many events of each label came per second, in columns of equal width."""
    frame = pd.DataFrame(events, columns=["at_ns", "label"])
    width = next((w for w in _WIDTHS_S if w >= 0.5 and duration_s / w <= MOST_COLUMNS), 86400)
    widths = _slots(duration_s, width)
    column = np.floor((frame["at_ns"] - origin_ns) / 1e9 / width).astype(int)
    at = ((np.arange(len(widths)) + 0.5) * width).tolist()
    return {
        str(label): Columns(
            width_s=float(width),
            at_s=at,
            lines={"rate": (_counts(found, len(widths)) / widths).tolist()},
        )
        for label, found in column.groupby(frame["label"])
    }
