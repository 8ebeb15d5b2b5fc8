"""Shapes as text: what `harness load --shape` and `HARNESS_LOAD_SHAPE` are given."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from harness.errors import UsageError
from harness.load.shapes import (
    LEAST_DURATION_S,
    LEAST_RATE_PER_S,
    MOST_DURATION_S,
    MOST_RATE_PER_S,
    AnyShape,
    Burst,
    Constant,
    Day,
    Ramp,
    Step,
    Steps,
    duration_problems,
    problems_of,
    rate_problems,
)

_CLOSE: Final = 1e-6  # what is given and what follows from the shape may differ by this share


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How a kind of shape is written, and which values it needs beside its text.

    `read` makes it of the text after the colon, a rate and a duration; raises `ValueError`. What is
    not needed follows from the text.
    """

    example: str
    read: Callable[[str, float, float], AnyShape]
    needs_rate: bool = True
    needs_duration: bool = True
    least_rate_per_s: float = 0.0


def shape_of(
    text: str,
    rate_per_s: float | None = None,
    duration_s: float | None = None,
    *,
    default_rate_per_s: float | None = None,
    default_duration_s: float | None = None,
    allowed_per_s: float = math.inf,
) -> AnyShape:
    """The shape of a text, a rate and a duration; None for what is not given.

    A default stands in for what the shape needs and nobody gave. What follows from the shape may be
    given all the same, if it agrees. Raises `UsageError` with all problems in one line: a text that
    is none, a contradiction, values beyond their bounds, a peak above `allowed_per_s`.
    """
    kind, _, rest = text.partition(":")
    form = FORMS.get(kind)
    if form is None:
        unknown = f"shape {text!r}: choose from {', '.join(f.example for f in FORMS.values())}"
        raise UsageError("; ".join([unknown, *_given(0.0, rate_per_s, duration_s)]))
    rate = default_rate_per_s if rate_per_s is None else rate_per_s
    duration = default_duration_s if duration_s is None else duration_s
    problems = _missing(form, kind, rate, duration)
    shape = None
    try:
        shape = form.read(rest, rate or 0.0, duration or 0.0)
    except ValueError as error:
        problems.append(f"shape {text!r}: {error}; write it as in {form.example}")
    if shape is None or problems:
        problems += _given(form.least_rate_per_s, rate_per_s, duration_s)
        raise UsageError("; ".join(problems))
    problems += problems_of(shape)
    problems += _contradictions(form, shape, rate_per_s, duration_s)
    problems += _too_much(shape, allowed_per_s)
    if problems:
        raise UsageError("; ".join(problems))
    return shape


def _missing(form: Form, kind: str, rate: float | None, duration: float | None) -> list[str]:
    problems = []
    if form.needs_rate and rate is None:
        problems.append(
            f"{kind} needs a rate: give {LEAST_RATE_PER_S:g} to {MOST_RATE_PER_S:g} "
            "arrivals per second"
        )
    if form.needs_duration and duration is None:
        problems.append(
            f"{kind} needs a duration: give {LEAST_DURATION_S:g} to {MOST_DURATION_S:g} seconds"
        )
    return problems


def _given(least_per_s: float, rate_per_s: float | None, duration_s: float | None) -> list[str]:
    """What is wrong with the values beside a text, where it makes no shape."""
    return [
        *([] if rate_per_s is None else rate_problems("rate", rate_per_s, least_per_s)),
        *([] if duration_s is None else duration_problems(duration_s)),
    ]


def _contradictions(
    form: Form, shape: AnyShape, rate_per_s: float | None, duration_s: float | None
) -> list[str]:
    problems = []
    for what, needed, given, follows in (
        ("rate", form.needs_rate, rate_per_s, shape.nominal_per_s),
        ("duration", form.needs_duration, duration_s, shape.duration_s),
    ):
        agrees = given is None or math.isclose(given, follows, rel_tol=_CLOSE)
        if not needed and not agrees:
            problems.append(
                f"{what} {given:g} contradicts {shape}, whose {what} is {follows:g}: leave it out"
            )
    return problems


def _too_much(shape: AnyShape, allowed_per_s: float) -> list[str]:
    if not shape.peak_per_s > allowed_per_s:
        return []
    return [
        f"{shape} reaches {shape.peak_per_s:g} arrivals per second, above the target's "
        f"allow.load.max_rate_per_s of {allowed_per_s:g}"
    ]


def _constant(rest: str, rate_per_s: float, duration_s: float) -> Constant:
    if rest:
        raise ValueError(f"{rest!r} is too much")
    return Constant(mean_per_s=rate_per_s, duration_s=duration_s)


def _ramp(rest: str, _: float, duration_s: float) -> Ramp:
    # from its second character on, as a number may have a sign: it is then out of bounds
    place = rest.find("-", 1)
    if place < 0:
        raise ValueError("give two rates with - between them")
    first, last = _numbers(rest[:place], rest[place + 1 :])
    return Ramp(first_per_s=first, last_per_s=last, duration_s=duration_s)


def _steps(rest: str, _: float, __: float) -> Steps:
    pairs = [step.split("x") for step in rest.split(",")]
    if wrong := [repr("x".join(pair)) for pair in pairs if len(pair) != 2]:
        raise ValueError(f"{', '.join(wrong)} is no rate x seconds")
    numbers = _numbers(*(raw for pair in pairs for raw in pair))
    return Steps(tuple(map(Step, numbers[::2], numbers[1::2])))


def _day(rest: str, rate_per_s: float, duration_s: float) -> Day:
    (peak,) = _named(rest, "peak")
    return Day(mean_per_s=rate_per_s, peak=peak, duration_s=duration_s)


def _burst(rest: str, rate_per_s: float, duration_s: float) -> Burst:
    burst, every, lasts = _named(rest, "rate", "every", "for")
    return Burst(
        base_per_s=rate_per_s,
        burst_per_s=burst,
        every_s=every,
        for_s=lasts,
        duration_s=duration_s,
    )


FORMS: Final = {
    "constant": Form(example="constant", read=_constant, least_rate_per_s=LEAST_RATE_PER_S),
    "ramp": Form(example="ramp:1-20", read=_ramp, needs_rate=False),
    "steps": Form(
        example="steps:5x30,10x30", read=_steps, needs_rate=False, needs_duration=False
    ),
    "day": Form(example="day:peak=3", read=_day, least_rate_per_s=LEAST_RATE_PER_S),
    "burst": Form(example="burst:rate=50,every=20,for=2", read=_burst),
}  # fmt: skip


def _named(rest: str, *names: str) -> list[float]:
    """The numbers of `name=number,…`: each name once, in any order."""
    pairs = [pair.partition("=") for pair in rest.split(",")]
    given = [name for name, _, _ in pairs]
    if sorted(given) != sorted(names):
        raise ValueError(f"give {', '.join(f'{name}=' for name in names)} once each")
    raws = {name: raw for name, _, raw in pairs}
    return _numbers(*(raws[name] for name in names))


def _numbers(*raws: str) -> list[float]:
    numbers, wrong = [], []
    for raw in raws:
        try:
            numbers.append(float(raw))
        except ValueError:
            wrong.append(repr(raw))
    if wrong:
        raise ValueError(f"{', '.join(wrong)} is no number")
    return numbers
