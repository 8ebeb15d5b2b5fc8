"""The knee as plots: what a search tried, rate by rate, and how each step ended.

A step that held is a ring, one that failed a cross, one that decided nothing a bar, and one whose
generator did not keep up a square: they differ by more than their colour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from reports.figures import number
from reports.plot import (
    LEFT,
    RIGHT,
    Labels,
    Path,
    Plot,
    Point,
    Scale,
    Text,
    Tick,
    above,
    across,
    bars,
    crosses,
    dots,
    latency_ticks,
    line,
    linear_ticks,
    milliseconds,
)

_TALL: Final = 230.0


def _rings(points: Iterable[Point]) -> str:
    return dots(points, 4.0)


def _marks(points: Iterable[Point]) -> str:
    return bars((x - 4, x + 4, y - 1.2, y + 1.2) for x, y in points)


def _squares(points: Iterable[Point]) -> str:
    return bars((x - 3.5, x + 3.5, y - 3.5, y + 3.5) for x, y in points)


_SIGNS: Final[dict[str, tuple[str, str, Callable[[list[Point]], str]]]] = {
    "held": ("held", "p95", _rings),
    "failed": ("failed", "never", lambda points: crosses(points, 4.5)),
    "undecided": ("undecided", "bars", _marks),
    "generator": ("generator late", "max", _squares),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KneeStep:
    """One step, as it is drawn: rates a second, latencies in ms; None where nothing was."""

    rate_per_s: float
    outcome: str
    achieved_per_s: float | None
    p95_ms: float | None
    p95_upper_ms: float | None


def latency_by_rate(steps: Sequence[KneeStep], limit_ms: float) -> Plot | None:
    """The p95 of starts over the offered rate, with its upper bound and the limit."""
    shown = [s for s in steps if s.p95_ms is not None]
    if not shown:
        return None
    values = [v for s in shown for v in (s.p95_ms, s.p95_upper_ms) if v is not None]
    bottom, top = _TALL - 40, 16.0
    x = _rates(steps)
    y = Scale(max(1e-3, min(*values, limit_ms) * 0.8), max(*values, limit_ms) * 1.3, bottom, top,
              True)  # fmt: skip
    labels = Labels(top, bottom)
    labels.add(y(limit_ms), f"limit {milliseconds(limit_ms)}", "limit")
    bounds = "".join(
        f"M{x(s.rate_per_s):.1f} {y(s.p95_ms):.1f}V{y(s.p95_upper_ms):.1f}m-3 0h6"
        for s in shown
        if s.p95_ms is not None and s.p95_upper_ms is not None
    )
    paths = [Path(across(y(limit_ms)), "limit"), Path(bounds, "p50")]
    points = [(s.outcome, (x(s.rate_per_s), y(s.p95_ms or 0))) for s in shown]
    return _plot(
        "The knee: p95 of starts by offered rate",
        "Each step by its rate: a ring where all held, a cross where something failed, a bar where "
        "nothing was decided, a square where the generator was late. The stroke above reaches to "
        "the upper bound.",
        (x, y),
        latency_ticks(y),
        (paths, labels),
        points,
    )


def achieved_by_rate(steps: Sequence[KneeStep]) -> Plot | None:
    """Completions a second over the offered rate; on the dotted line all that is offered is."""
    shown = [s for s in steps if s.achieved_per_s is not None]
    if not shown:
        return None
    bottom, top = _TALL - 40, 16.0
    x = _rates(steps)
    y = Scale(0.0, above(max(s.rate_per_s for s in steps)), bottom, top)
    labels = Labels(top, bottom)
    most = max(s.rate_per_s for s in steps)
    labels.add(y(most), "offered", "offered")
    paths = [Path(line([(x(0.0), y(0.0)), (x(most), y(most))]), "offered")]
    points = [(s.outcome, (x(s.rate_per_s), y(s.achieved_per_s or 0))) for s in shown]
    return _plot(
        "The knee: achieved by offered rate",
        "Completions a second in the measured time of each step, over what was offered; below the "
        "dotted line the platform falls behind.",
        (x, y),
        [Tick(t.at, f"{t.label}/s") for t in linear_ticks(y)],
        (paths, labels),
        points,
    )


def _rates(steps: Sequence[KneeStep]) -> Scale:
    return Scale(0.0, above(max(s.rate_per_s for s in steps)), LEFT, RIGHT)


def _plot(
    title: str,
    about: str,
    scales: tuple[Scale, Scale],
    y_ticks: Sequence[Tick],
    drawn: tuple[list[Path], Labels],
    points: Sequence[tuple[str, Point]],
) -> Plot:
    x, y = scales
    paths, labels = drawn
    for outcome, (name, style, sign) in _SIGNS.items():
        own = [point for each, point in points if each == outcome]
        if own:
            paths.append(Path(sign(own), style))
            labels.add(own[-1][1], name, style, sign)
    keys, texts = labels.placed()
    return Plot(
        title=title,
        about=about,
        height=_TALL,
        top=y.end,
        bottom=y.begin,
        x_ticks=[Tick(t.at, f"{t.label}/s") for t in linear_ticks(x, most=8)],
        y_ticks=y_ticks,
        paths=[*paths, *keys],
        texts=[*texts, Text((LEFT + RIGHT) / 2, _TALL - 4, "offered", "", "middle")],
    )


def rate(value: float | None) -> str:
    """A rate in words, a dash where there is none."""
    return "–" if value is None else f"{number(value)}/s"
