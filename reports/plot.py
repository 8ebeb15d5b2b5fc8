"""The geometry of a plot: scales, ticks, paths. No markup: a template draws what is here.

A `Plot` is a value in the units of its view box. It carries text only as data, so that the
template escapes it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

WIDTH: Final = 960.0
LEFT: Final = 62.0
RIGHT: Final = WIDTH - 108.0
_LABEL_GAP: Final = 14.5
_LONGEST_LABEL: Final = 15
_TIME_STEPS_S: Final = (
    0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200,
    86400,
)  # fmt: skip

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis: where, and what it says; an empty label is a grid line only."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Text:
    """A word in the plot; `style` is a class of the style sheet."""

    x: float
    y: float
    text: str
    style: str = ""
    anchor: str = "start"


@dataclass(frozen=True, slots=True)
class Path:
    """A drawn path; `style` is a class of the style sheet: each differs in more than colour."""

    d: str
    style: str


@dataclass(frozen=True, slots=True)
class Band:
    """A shaded span of the x axis, such as a fault; `title` is its full name."""

    x: float
    width: float
    label: str
    title: str
    style: str = "fault"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """Everything that is drawn. `about` says in a sentence what is to be seen."""

    title: str
    about: str
    height: float
    top: float
    bottom: float
    left: float = LEFT
    right: float = RIGHT
    width: float = WIDTH
    x_ticks: Sequence[Tick] = ()
    y_ticks: Sequence[Tick] = ()
    x_label: str = ""
    bands: Sequence[Band] = ()
    paths: Sequence[Path] = ()
    texts: Sequence[Text] = ()


@dataclass(frozen=True, slots=True)
class Scale:
    """From a value to a place: linear, or logarithmic for values above zero."""

    low: float
    high: float
    begin: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high = self._axis(self.low), self._axis(self.high)
        share = (self._axis(value) - low) / ((high - low) or 1.0)
        return self.begin + min(1.0, max(0.0, share)) * (self.end - self.begin)

    def _axis(self, value: float) -> float:
        return math.log10(max(value, 1e-12)) if self.log else value


@dataclass(slots=True)
class Labels:
    """Names at the right end of lines, moved apart where they would overlap."""

    top: float
    bottom: float
    _wanted: list[tuple[float, str, str]] = field(default_factory=list)
    _signs: dict[str, Callable[[list[Point]], str]] = field(default_factory=dict)

    def add(
        self, y: float, text: str, style: str, sign: Callable[[list[Point]], str] | None = None
    ) -> None:
        """Ask for a label at that height; `sign` draws points, for what is not drawn as a line."""
        self._wanted.append((y, text, style))
        if sign is not None:
            self._signs[style] = sign

    def placed(self) -> tuple[list[Path], list[Text]]:
        """All of them, at least a line apart, within the plot, each after a piece of its line."""
        wanted = sorted(self._wanted)
        places: list[float] = []
        for y, _, _ in wanted:
            places.append(max(y, places[-1] + _LABEL_GAP) if places else max(y, self.top))
        over = (places[-1] - self.bottom) if places else 0.0
        for index in range(len(places) - 1, -1, -1):
            if over <= 0:
                break
            above = places[index - 1] + _LABEL_GAP if index else self.top
            places[index] -= over
            over = above - places[index]
        keys = [
            Path(self._key(y, style), style)
            for y, (_, _, style) in zip(places, wanted, strict=True)
        ]
        texts = [
            Text(RIGHT + 24, y + 3.5, _short(text), style)
            for y, (_, text, style) in zip(places, wanted, strict=True)
        ]
        return keys, texts

    def _key(self, y: float, style: str) -> str:
        if style in self._signs:
            return self._signs[style]([(RIGHT + 13, y)])
        return f"M{RIGHT + 5:.1f} {y:.1f}h15"


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_LABEL else f"{name[: _LONGEST_LABEL - 1]}…"


def line(points: Iterable[Point]) -> str:
    """A path through the points."""
    return "".join(f"{'L' if i else 'M'}{x:.1f} {y:.1f}" for i, (x, y) in enumerate(points))


def steps(points: Sequence[Point], half: float) -> str:
    """A path with a level of `2 * half` at each point, for counts in columns."""
    corners = [(x + side, y) for x, y in points for side in (-half, half)]
    return line(corners)


def area(upper: Sequence[Point], lower: Sequence[Point]) -> str:
    """The closed area between two lines over the same columns."""
    return f"{line((*upper, *reversed(lower)))}Z" if upper else ""


def bars(boxes: Iterable[tuple[float, float, float, float]]) -> str:
    """Boxes of (left, right, top, bottom), as one path."""
    return "".join(
        f"M{left:.1f} {bottom:.1f}V{top:.1f}H{right:.1f}V{bottom:.1f}Z"
        for left, right, top, bottom in boxes
    )


def dots(points: Iterable[Point], radius: float = 1.6) -> str:
    """Small rings, as one path."""
    r = radius
    return "".join(
        f"M{x - r:.1f} {y:.1f}a{r} {r} 0 1 0 {2 * r} 0a{r} {r} 0 1 0 {-2 * r} 0" for x, y in points
    )


def crosses(points: Iterable[Point], radius: float = 3.0) -> str:
    """Small crosses, as one path."""
    r = radius
    return "".join(
        f"M{x - r:.1f} {y - r:.1f}l{2 * r} {2 * r}m{-2 * r} 0l{2 * r} {-2 * r}" for x, y in points
    )


def across(y: float, left: float = LEFT, right: float = RIGHT) -> str:
    """A horizontal line through the plot."""
    return f"M{left:.1f} {y:.1f}H{right:.1f}"


def time_ticks(scale: Scale, *, most: int = 9) -> list[Tick]:
    """Round times on a scale of seconds."""
    span = scale.high - scale.low
    step = next((s for s in _TIME_STEPS_S if span / s <= most), _TIME_STEPS_S[-1])
    first = math.ceil(scale.low / step - 1e-9)
    count = int((scale.high - first * step) / step + 1e-9) + 1
    return [Tick(scale((first + i) * step), clock((first + i) * step)) for i in range(count)]


def clock(seconds: float) -> str:
    """A place on a time line: 45 s, 2:30, 1:05:00."""
    whole = round(seconds)
    if abs(whole) < 120:
        return f"{seconds:g} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d}"
    return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"


def linear_ticks(scale: Scale, *, most: int = 4) -> list[Tick]:
    """Round values from zero, at most that many above it."""
    raw = (scale.high - scale.low) / most or 1.0
    power = 10 ** math.floor(math.log10(raw))
    step = next(f * power for f in (1, 2, 2.5, 5, 10) if f * power >= raw * (1 - 1e-9))
    first = math.ceil(scale.low / step - 1e-9)
    count = int((scale.high - first * step) / step + 1e-9) + 1
    return [Tick(scale((first + i) * step), f"{(first + i) * step:,.6g}") for i in range(count)]


def latency_ticks(scale: Scale) -> list[Tick]:
    """Powers of ten of milliseconds, with 2 and 5 between them where there is room."""
    low, high = math.floor(math.log10(scale.low)), math.ceil(math.log10(scale.high))
    room = abs(scale.end - scale.begin) / max(1, high - low) > 60
    return [
        Tick(scale(value), milliseconds(value) if factor == 1 or room else "")
        for power in range(low, high + 1)
        for factor in (1, 2, 5)
        if scale.low * 0.999 <= (value := factor * 10.0**power) <= scale.high * 1.001
    ]


def milliseconds(value: float) -> str:
    """A latency on an axis: 0.5 ms, 20 ms, 2 s."""
    if value >= 1000:
        return f"{value / 1000:g} s"
    return f"{value:g} ms" if value >= 0.1 else f"{value * 1000:g} µs"


def above(greatest: float) -> float:
    """The upper end of a linear axis for values up to `greatest`."""
    return greatest * 1.08 if greatest > 0 else 1.0
