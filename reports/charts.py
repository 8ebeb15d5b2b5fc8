"""The charts of a report, as plots: load over time, distributions, strips under faults."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from reports.figures import number
from reports.frames import Bins, Columns, Extent
from reports.plot import (
    LEFT,
    RIGHT,
    Band,
    Labels,
    Path,
    Plot,
    Point,
    Scale,
    Text,
    Tick,
    above,
    across,
    area,
    bars,
    crosses,
    dots,
    latency_ticks,
    line,
    linear_ticks,
    milliseconds,
    steps,
    time_ticks,
)

_TALL = 268.0
_STRIP = 86.0
_LANE = 17.0
MOST_LANES = 8
_PERCENTILES = ((0.5, "p50"), (0.1, "p90"), (0.05, "p95"), (0.01, "p99"), (1e-3, "p99.9"),
                (1e-4, "p99.99"), (1e-5, "p99.999"), (1e-6, "p99.9999"))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Window:
    """A span of seconds in which something was wrong on purpose, or not yet right."""

    begin_s: float
    end_s: float
    label: str
    title: str
    style: str = "fault"


def _bands(windows: Sequence[Window], x: Scale) -> list[Band]:
    shown = [w for w in windows if w.end_s >= x.low and w.begin_s <= x.high]
    return [
        Band(x(w.begin_s), max(1.5, x(w.end_s) - x(w.begin_s)), w.label, w.title, w.style)
        for w in shown
    ]


def _half(x: Scale, columns: Columns) -> float:
    """Half the drawn width of a column."""
    return columns.width_s / 2 / ((x.high - x.low) or 1.0) * (x.end - x.begin)


def latency(columns: Columns, limit_ms: float, windows: Sequence[Window]) -> Plot:
    """p50, p95, p99 as lines and the greatest of each column as rings, on a log axis."""
    at, lines = columns.at_s, columns.lines
    half = columns.width_s / 2
    x = Scale(at[0] - half, at[-1] + half, LEFT, RIGHT)
    finite = [v for name in ("min", "max") for v in lines[name] if math.isfinite(v)] or [limit_ms]
    least, most = min(finite), max(finite)
    bottom, top = _TALL - 26, 16.0
    y = Scale(max(1e-3, min(least, limit_ms) * 0.8), max(most, limit_ms) * 1.3, bottom, top, True)
    labels = Labels(top, bottom)
    paths = [Path(across(y(limit_ms)), "limit")]
    for name in ("p50", "p95", "p99"):
        points = [(x(t), y(v)) for t, v in zip(at, lines[name], strict=True)]
        paths.append(Path(line(points) if len(points) > 1 else dots(points), name))
        labels.add(points[-1][1], name, name)
    greatest = list(zip(at, lines["max"], strict=True))
    paths.append(Path(dots((x(t), y(v)) for t, v in greatest if math.isfinite(v)), "max"))
    labels.add(y(greatest[-1][1]), "max", "max", dots)
    if never := [(x(t), top) for t, v in greatest if math.isinf(v)]:
        paths.append(Path(crosses(never), "never"))
        labels.add(top, "for ever", "never", crosses)
    labels.add(y(limit_ms), f"limit {milliseconds(limit_ms)}", "limit")
    keys, texts = labels.placed()
    return Plot(
        title="Latency over time",
        about=f"By intended start, in columns of {columns.width_s:g} s: p50, p95, p99 as lines, "
        f"the greatest of each column as a ring, a cross at the top where an arrival was never "
        f"acknowledged. Greatest that was: {number(round(most, 3))} ms.",
        height=_TALL,
        top=top,
        bottom=bottom,
        x_ticks=time_ticks(x),
        y_ticks=latency_ticks(y),
        bands=_bands(windows, x),
        paths=[*paths, *keys],
        texts=texts,
    )


def rates(columns: Columns, windows: Sequence[Window]) -> Plot:
    """Offered against achieved arrivals per second."""
    at, lines = columns.at_s, columns.lines
    half = columns.width_s / 2
    x = Scale(at[0] - half, at[-1] + half, LEFT, RIGHT)
    bottom, top = 150.0, 14.0
    y = Scale(0, above(max(max(values) for values in lines.values())), bottom, top)
    labels = Labels(top, bottom)
    paths = []
    for name in ("offered", "started", "completed"):
        points = [(x(t), y(v)) for t, v in zip(at, lines[name], strict=True)]
        paths.append(Path(steps(points, _half(x, columns)), name))
        labels.add(points[-1][1], name, name)
    keys, texts = labels.placed()
    return Plot(
        title="Offered and achieved",
        about=f"Arrivals per second in columns of {columns.width_s:g} s: offered by intended "
        "start, started and completed when it was seen.",
        height=176,
        top=top,
        bottom=bottom,
        x_ticks=time_ticks(x),
        y_ticks=[Tick(t.at, f"{t.label}/s") for t in linear_ticks(y)],
        bands=_bands(windows, x),
        paths=[*paths, *keys],
        texts=texts,
    )


def lateness(columns: Columns, windows: Sequence[Window]) -> Plot:
    """The generator's own lateness: what it adds to every latency without the platform's fault."""
    at, late = columns.at_s, columns.lines["max"]
    half = columns.width_s / 2
    x = Scale(at[0] - half, at[-1] + half, LEFT, RIGHT)
    bottom, top = _STRIP - 20, 8.0
    y = Scale(0, above(max(late)), bottom, top)
    points = [(x(t), y(v)) for t, v in zip(at, late, strict=True)]
    return Plot(
        title="Lateness of the generator",
        about=f"Sent minus intended, the greatest in columns of {columns.width_s:g} s; greatest "
        f"of all {number(round(max(late), 3))} ms.",
        height=_STRIP,
        top=top,
        bottom=bottom,
        x_ticks=time_ticks(x),
        y_ticks=[Tick(t.at, f"{t.label} ms") for t in linear_ticks(y, most=2)],
        bands=_bands(windows, x),
        paths=[Path(steps(points, _half(x, columns)), "p50")],
    )


def distribution(bins: Bins, limit_ms: float, marks: dict[str, float]) -> Plot:
    """A histogram on a log axis, with the limit and the percentiles."""
    edges = bins.edges_ms
    bottom, top = 172.0, 34.0
    x = Scale(min(edges[0], limit_ms) * 0.9, max(edges[-1], limit_ms) * 1.1, LEFT, RIGHT, True)
    y = Scale(0.6, max(10.0, above(max(bins.counts))), bottom, top, True)
    boxes = [
        (x(low) + 0.3, x(high) - 0.3, y(count), bottom)
        for low, high, count in zip(edges, edges[1:], bins.counts, strict=False)
        if count
    ]
    paths = [Path(bars(boxes), "bars"), Path(f"M{x(limit_ms):.1f} {top - 8}V{bottom}", "limit")]
    texts = [Text(x(limit_ms) + 4, top - 2, f"limit {milliseconds(limit_ms)}", "limit")]
    texts += _marked(marks, x, top)
    paths += [Path(f"M{x(v):.1f} {top - 14}v6", "mark") for v in marks.values()]
    return Plot(
        title="Distribution",
        about="How many answers took how long; both axes are logarithmic, so the rare ones show.",
        height=200,
        top=top,
        bottom=bottom,
        x_ticks=latency_ticks(x),
        y_ticks=_powers(y),
        paths=paths,
        texts=texts,
    )


def _powers(y: Scale) -> list[Tick]:
    most = math.floor(math.log10(y.high))
    return [Tick(y(10.0**power), number(10**power)) for power in range(most + 1)]


def _marked(marks: dict[str, float], x: Scale, top: float) -> list[Text]:
    """Names of the percentiles above the plot, moved apart."""
    texts: list[Text] = []
    edge = LEFT
    for name, value in sorted(marks.items(), key=lambda mark: mark[1]):
        place = max(x(value), edge + 10)
        texts.append(Text(place, top - 18, name, "mark", "middle"))
        edge = place + 4 + 6 * len(name)
    return texts


def percentiles(
    curve: Sequence[tuple[float, float]], sent: Sequence[tuple[float, float]], limit_ms: float
) -> Plot:
    """Latency by percentile, the rarest at the right, from intended start and from sending."""
    bottom, top = _TALL - 26, 16.0
    rarest = min(share for share, _ in curve)
    x = Scale(0.0, -_log(rarest) or 1.0, LEFT, RIGHT)
    values = [ms for _, ms in (*curve, *sent)]
    y = Scale(
        max(1e-3, min(*values, limit_ms) * 0.8), max(*values, limit_ms) * 1.3, bottom, top, True
    )
    labels = Labels(top, bottom)
    paths = [Path(across(y(limit_ms)), "limit")]
    labels.add(y(limit_ms), f"limit {milliseconds(limit_ms)}", "limit")
    for points, style, name in ((sent, "sent", "from sending"), (curve, "p95", "from intended")):
        places: list[Point] = [(x(-_log(share)), y(max(ms, 1e-3))) for share, ms in points]
        paths.append(Path(line(places), style))
        labels.add(places[-1][1], name, style)
    keys, texts = labels.placed()
    return Plot(
        title="Latency by percentile",
        about="From the intended start, as judged, and from the actual sending, as a tool that "
        "waits for answers would have reported it.",
        height=_TALL,
        top=top,
        bottom=bottom,
        x_ticks=[Tick(x(-_log(s)), name) for s, name in _PERCENTILES if s >= rarest * 0.999],
        y_ticks=latency_ticks(y),
        paths=[*paths, *keys],
        texts=texts,
    )


def _log(share: float) -> float:
    return math.log10(share)


def strip(
    title: str, series: Sequence[tuple[str, str, Extent]], end_s: float, windows: Sequence[Window]
) -> Plot:
    """A low plot of one or more series (name, style, values), for stacking over one time axis."""
    x = Scale(0.0, end_s or 1.0, LEFT, RIGHT)
    bottom, top = _STRIP - 20, 8.0
    greatest = max(max(values.greatest) for _, _, values in series)
    lowest = min(0.0, min(min(values.least) for _, _, values in series))
    y = Scale(lowest, above(greatest), bottom, top)
    labels = Labels(top, bottom)
    paths = []
    for name, style, values in series:
        upper = [(x(t), y(v)) for t, v in zip(values.at_s, values.greatest, strict=True)]
        lower = [(x(t), y(v)) for t, v in zip(values.at_s, values.least, strict=True)]
        last = [(x(t), y(v)) for t, v in zip(values.at_s, values.last, strict=True)]
        if values.least != values.greatest:
            paths.append(Path(area(upper, lower), f"{style} area"))
        paths.append(Path(line(last) if len(last) > 1 else dots(last, 2.5), style))
        if name:
            labels.add(last[-1][1], name, style)
    keys, texts = labels.placed()
    return Plot(
        title=title,
        about=f"{title} over time; greatest {number(round(greatest, 3))}.",
        height=_STRIP,
        top=top,
        bottom=bottom,
        x_ticks=time_ticks(x),
        y_ticks=linear_ticks(y, most=2),
        bands=[Band(b.x, b.width, "", b.title, b.style) for b in _bands(windows, x)],
        paths=[*paths, *keys],
        texts=texts,
    )


def rate_strip(
    title: str, series: Sequence[tuple[str, str, Columns]], end_s: float, windows: Sequence[Window]
) -> Plot:
    """The same for counts per second."""
    extents = [(name, style, _flat(columns)) for name, style, columns in series]
    return strip(title, extents, end_s, windows)


def _flat(columns: Columns) -> Extent:
    rate = columns.lines["rate"]
    return Extent(at_s=columns.at_s, least=rate, greatest=rate, last=rate)


def lanes(windows: Sequence[Window], end_s: float) -> Plot:
    """Which fault was on when: one bar each, those at the same time below each other."""
    x = Scale(0.0, end_s or 1.0, LEFT, RIGHT)
    free_from: list[float] = []
    bands, texts = [], []
    for window in sorted(windows, key=lambda w: w.begin_s):
        begin, end = x(window.begin_s), max(x(window.end_s), x(window.begin_s) + 2)
        needed = max(end, begin + 14 + 6.5 * len(window.label))
        lane = next((i for i, free in enumerate(free_from) if free <= begin), len(free_from))
        if lane == MOST_LANES:
            continue
        free_from[lane : lane + 1] = [needed]
        y = 4 + lane * _LANE
        bands.append(Path(bars([(begin, end, y, y + _LANE - 4)]), window.style))
        texts.append(Text(end + 4, y + 10, window.label, "fault"))
    bottom = 4 + max(1, len(free_from)) * _LANE
    return Plot(
        title="Faults",
        about="; ".join(window.title for window in windows[:20]),
        height=bottom + 22,
        top=2,
        bottom=bottom,
        x_ticks=time_ticks(x),
        paths=bands,
        texts=texts,
    )


def share_bars(shares: Sequence[tuple[str, float]], width: float, height: float) -> list[Path]:
    """A bar in parts, each with its style; parts of nothing are left out."""
    whole = sum(share for _, share in shares) or 1.0
    paths, left = [], 0.0
    for style, share in shares:
        right = left + share / whole * width
        if share:
            paths.append(Path(bars([(left, max(left + 1, right - 1), 0, height)]), style))
        left = right
    return paths
