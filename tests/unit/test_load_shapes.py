"""Shapes of a load: their integral, its inverse, the plans made of them, and their text."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.load.plan import make_plan
from harness.load.shape_text import FORMS, shape_of
from harness.load.shapes import AnyShape, Burst, Constant, Day, Ramp, Step, Steps, problems_of
from harness.statistics import lower_share, upper_share

durations = st.floats(1, 3_600)
rates = st.floats(0.01, 500)
maybe_zero = st.just(0.0) | rates


def constants() -> st.SearchStrategy[AnyShape]:
    return st.builds(Constant, mean_per_s=rates, duration_s=durations)


def ramps() -> st.SearchStrategy[AnyShape]:
    up = st.builds(Ramp, first_per_s=maybe_zero, last_per_s=rates, duration_s=durations)
    down = st.builds(Ramp, first_per_s=rates, last_per_s=maybe_zero, duration_s=durations)
    return up | down


def steps() -> st.SearchStrategy[AnyShape]:
    step = st.builds(Step, maybe_zero, st.floats(0.5, 300))
    return st.lists(step, min_size=1, max_size=8).map(lambda made: Steps(tuple(made)))


def days() -> st.SearchStrategy[AnyShape]:
    return st.builds(Day, mean_per_s=st.floats(0.01, 50), peak=st.floats(1, 100),
                     duration_s=durations)  # fmt: skip


@st.composite
def bursts(draw: st.DrawFn) -> AnyShape:
    every = draw(st.floats(0.1, 100))
    base = draw(maybe_zero)
    return Burst(
        base_per_s=base,
        burst_per_s=base + draw(rates),
        every_s=every,
        for_s=every * draw(st.floats(0.15, 0.9)),
        duration_s=max(1.0, every * draw(st.floats(1, 30))),
    )


shapes = (constants() | ramps() | steps() | days() | bursts()).filter(lambda s: not problems_of(s))
small = shapes.filter(lambda shape: 30 < whole(shape) < 5_000)
STRAIGHT = Constant(mean_per_s=20, duration_s=60)
EACH = (
    STRAIGHT,
    Ramp(first_per_s=0, last_per_s=40, duration_s=60),
    Ramp(first_per_s=40, last_per_s=0, duration_s=60),
    Steps((Step(0, 10), Step(30, 20), Step(0, 5), Step(20, 20), Step(0, 5))),
    Day(mean_per_s=20, peak=3, duration_s=60),
    Burst(base_per_s=0, burst_per_s=200, every_s=20, for_s=2, duration_s=50),
    Burst(base_per_s=5, burst_per_s=200, every_s=20, for_s=2, duration_s=60),
)
each_shape = pytest.mark.parametrize("shape", EACH, ids=str)


def whole(shape: AnyShape) -> float:
    return shape.expected(shape.duration_s)


# integral and inverse


@given(shapes, st.lists(st.floats(0, 1), min_size=2, max_size=20))
def test_what_is_expected_begins_at_nothing_and_never_falls(
    shape: AnyShape, shares: list[float]
) -> None:
    assert shape.expected(0.0) == pytest.approx(0, abs=1e-9)
    moments = sorted(share * shape.duration_s for share in shares)
    least = 1e-9 * whole(shape)  # of rounding
    for earlier, later in itertools.pairwise(map(shape.expected, moments)):
        assert later >= earlier - least


@given(shapes, st.floats(0, 1))
def test_the_moment_of_a_count_is_when_so_many_are_expected(shape: AnyShape, share: float) -> None:
    count = share * whole(shape)
    moment_s = shape.moment_s(count)
    assert 0 <= moment_s <= shape.duration_s * (1 + 1e-12)
    assert shape.expected(moment_s) == pytest.approx(count, rel=1e-9, abs=2e-6)


@given(shapes, st.floats(0, 1))
def test_a_moment_at_which_arrivals_come_is_the_moment_of_their_count(
    shape: AnyShape, share: float
) -> None:
    at_s = share * shape.duration_s
    if min(shape.rate_per_s(at_s + by_s) for by_s in (-1e-3, 0, 1e-3)) < 0.01:
        return  # the count stays the same for a while, so there is no one moment
    found = shape.moment_s(shape.expected(at_s))
    assert found == pytest.approx(at_s, abs=1e-3)


@given(shapes)
def test_the_rate_is_the_slope_of_what_is_expected(shape: AnyShape) -> None:
    pieces = 20_000
    width = shape.duration_s / pieces
    middles = (shape.rate_per_s((i + 0.5) * width) for i in range(pieces))
    summed = math.fsum(middles) * width
    # a jump within a piece is missed by at most the piece
    jumps = 2 * len(shape.steps) if isinstance(shape, Steps) else 0
    jumps = math.ceil(2 * shape.duration_s / shape.every_s) if isinstance(shape, Burst) else jumps
    error = (jumps + 1) * shape.peak_per_s * width
    assert summed == pytest.approx(whole(shape), abs=error)


@given(shapes, st.floats(0, 1))
def test_no_rate_is_above_the_peak(shape: AnyShape, share: float) -> None:
    assert 0 <= shape.rate_per_s(share * shape.duration_s) <= shape.peak_per_s * (1 + 1e-12)


def test_a_rate_of_zero_is_skipped() -> None:
    steps = Steps((Step(0, 10), Step(5, 30), Step(0, 30), Step(0, 10), Step(10, 30), Step(0, 9)))
    assert steps.moment_s(0) == 10
    assert steps.moment_s(149) == pytest.approx(39.8)
    assert steps.moment_s(150) == 80
    assert steps.moment_s(151) == pytest.approx(80.1)
    assert steps.moment_s(450) == 110
    burst = Burst(base_per_s=0, burst_per_s=50, every_s=20, for_s=2, duration_s=60)
    assert [burst.moment_s(count) for count in (0, 50, 100, 150, 200)] == [18, 19, 38, 39, 58]


def test_rounding_puts_no_arrival_into_a_rate_of_zero() -> None:
    steps = Steps((Step(1.1, 50), Step(0, 60), Step(0.1, 30)))
    assert steps.expected(50) > 55  # a little
    assert steps.moment_s(55) == 110
    burst = Burst(base_per_s=0, burst_per_s=10.4, every_s=1.5, for_s=0.5, duration_s=30)
    offsets = make_plan(burst, "even", [1], 0).offsets_ns
    assert len(offsets) == 104
    assert not [offset for offset in offsets if burst.rate_per_s((offset + 1) / 1e9) == 0]


def test_a_ramp_from_nothing_has_a_quarter_in_its_first_half() -> None:
    ramp = Ramp(first_per_s=0, last_per_s=20, duration_s=20)
    assert ramp.expected(10) == 50
    assert whole(ramp) == 200
    assert ramp.moment_s(50) == pytest.approx(10)
    down = Ramp(first_per_s=20, last_per_s=0, duration_s=20)
    assert down.expected(10) == 150
    assert down.moment_s(200) == pytest.approx(20)


@given(days())
def test_a_day_has_the_mean_and_the_peak_that_it_declares(day: Day) -> None:
    assert whole(day) == pytest.approx(day.mean_per_s * day.duration_s)
    assert day.rate_per_s(day.duration_s / 2) == pytest.approx(day.mean_per_s * day.peak)
    assert day.rate_per_s(0) == pytest.approx(day.mean_per_s / day.peak)
    assert day.expected(day.duration_s / 2) == pytest.approx(whole(day) / 2)


def test_a_day_of_peak_three_has_its_bell_from_six_to_eighteen() -> None:
    day = Day(mean_per_s=12, peak=3, duration_s=24)
    assert [day.rate_per_s(hour) for hour in (0, 3, 6, 12, 18, 21)] == pytest.approx(
        [4, 4, 4, 36, 4, 4]
    )
    assert day.rate_per_s(9) == pytest.approx(20)


def test_bursts_come_at_the_end_of_each_period() -> None:
    burst = Burst(base_per_s=5, burst_per_s=50, every_s=20, for_s=2, duration_s=50)
    assert [burst.rate_per_s(at) for at in (0, 17.9, 18, 19.9, 20, 38.5, 49)] == [
        5, 5, 50, 50, 5, 50, 5,
    ]  # fmt: skip
    assert whole(burst) == pytest.approx(2 * (18 * 5 + 2 * 50) + 10 * 5)
    assert burst.peak_per_s == 50


# plans


@given(small)
def test_even_arrivals_are_as_many_as_expected_and_lie_where_they_are(shape: AnyShape) -> None:
    offsets = make_plan(shape, "even", [1], 0).offsets_ns
    assert len(offsets) in (math.floor(whole(shape)), math.ceil(whole(shape)))
    assert list(offsets) == sorted(offsets)
    assert offsets[0] >= 0
    assert offsets[-1] <= shape.duration_s * 1e9 + 1
    rounded = 1e-9 * shape.peak_per_s + 1e-6 + 1e-9 * whole(shape)
    for number, offset in enumerate(offsets):
        assert shape.expected(offset / 1e9) == pytest.approx(number, abs=rounded)


@given(small, st.integers(0, 2**53))
def test_poisson_arrivals_are_in_order_inside_the_run_and_fixed_by_their_seed(
    shape: AnyShape, seed: int
) -> None:
    plan = make_plan(shape, "poisson", [1, 2], seed)
    assert plan == make_plan(shape, "poisson", [1, 2], seed)
    assert list(plan.offsets_ns) == sorted(plan.offsets_ns)
    assert plan.offsets_ns[0] >= 0
    assert plan.offsets_ns[-1] <= shape.duration_s * 1e9 + 1


@each_shape
def test_poisson_arrivals_are_where_the_shape_expects_them(shape: AnyShape) -> None:
    """Each window's share of all arrivals, given their number, is binomial: an exact bound."""
    offsets = make_plan(shape, "poisson", [1], 11).offsets_ns
    assert abs(len(offsets) - whole(shape)) < 5 * math.sqrt(whole(shape))
    windows = 12
    width = shape.duration_s / windows
    for number in range(windows):
        begin, end = number * width, (number + 1) * width
        count = sum(begin * 1e9 <= offset < end * 1e9 for offset in offsets)
        share = (shape.expected(end) - shape.expected(begin)) / whole(shape)
        assert lower_share(count, len(offsets), 0.9999) <= share + 1e-12
        assert upper_share(count, len(offsets), 0.9999) >= share - 1e-12
        if share < 1e-9:
            assert count == 0


@each_shape
def test_other_seeds_give_other_poisson_arrivals_and_the_same_even_ones(shape: AnyShape) -> None:
    assert make_plan(shape, "poisson", [1], 1) != make_plan(shape, "poisson", [1], 2)
    assert make_plan(shape, "even", [1], 1) == make_plan(shape, "even", [1], 2)


# text


@given(shapes)
def test_a_shape_s_text_reads_as_the_same_shape(shape: AnyShape) -> None:
    assert shape_of(str(shape), shape.nominal_per_s, shape.duration_s) == shape
    form = FORMS[str(shape).partition(":")[0]]
    rate = shape.nominal_per_s if form.needs_rate else None
    duration = shape.duration_s if form.needs_duration else None
    assert shape_of(str(shape), rate, duration) == shape


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("constant", STRAIGHT),
        ("ramp:1-39", Ramp(first_per_s=1, last_per_s=39, duration_s=60)),
        ("ramp:0-40.0", Ramp(first_per_s=0, last_per_s=40, duration_s=60)),
        ("steps:5x30,35x30", Steps((Step(5, 30), Step(35, 30)))),
        ("day:peak=3", Day(mean_per_s=20, peak=3, duration_s=60)),
        ("burst:rate=50,every=20,for=2",
         Burst(base_per_s=20, burst_per_s=50, every_s=20, for_s=2, duration_s=60)),
        ("burst:for=2,rate=50,every=20",
         Burst(base_per_s=20, burst_per_s=50, every_s=20, for_s=2, duration_s=60)),
    ],
)  # fmt: skip
def test_a_text_a_rate_and_a_duration_make_a_shape(text: str, shape: AnyShape) -> None:
    assert shape_of(text, 20.0, 60.0) == shape


def test_text_has_no_exponents() -> None:
    assert str(Ramp(first_per_s=0.00001, last_per_s=20, duration_s=1)) == "ramp:0.00001-20"


def test_what_follows_from_the_text_need_not_be_given() -> None:
    assert shape_of("ramp:1-20", None, 60.0).nominal_per_s == 10.5
    steps = shape_of("steps:5x30,10x30,20x30")
    assert (steps.duration_s, steps.peak_per_s) == (90, 20)
    assert steps.nominal_per_s == pytest.approx(35 / 3)
    assert shape_of("steps:5x30,10x30,20x30", 11.666667, 90.0) == steps


def test_a_default_stands_in_for_what_is_needed_only() -> None:
    assert shape_of("constant", default_rate_per_s=20, default_duration_s=60) == STRAIGHT
    steps = shape_of("steps:1x10", default_rate_per_s=20, default_duration_s=60)
    assert (steps.nominal_per_s, steps.duration_s) == (1, 10)
    burst = shape_of("burst:rate=9,every=5,for=1", 0.0, None, default_rate_per_s=5,
                     default_duration_s=60)  # fmt: skip
    assert burst.nominal_per_s == 0


RATE = "give 0 to 5000 arrivals per second"
LEAST = "give 0.01 to 5000 arrivals per second"
SECONDS = "give 1 to 604800 seconds"
PIECE = "give 0.01 to 604800 seconds"


@pytest.mark.parametrize(
    ("text", "rate_per_s", "duration_s", "said"),
    [
        ("constant", 0.0, 60.0, [f"rate 0: {LEAST}"]),
        ("constant", -1.0, 60.0, [f"rate -1: {LEAST}"]),
        ("constant", 1e9, 60.0, [f"rate 1e+09: {LEAST}"]),
        ("constant", math.nan, 60.0, [f"rate nan: {LEAST}"]),
        ("constant", 10.0, 0.0, [f"duration 0: {SECONDS}"]),
        ("constant", 10.0, math.inf, [f"duration inf: {SECONDS}"]),
        ("constant", math.nan, -1.0, [f"rate nan: {LEAST}", f"duration -1: {SECONDS}"]),
        ("constant", 5000.0, 3600.0,
         ["constant of 3600 s is 18,000,000 arrivals, a plan holds 10,000,000"]),
        ("constant", None, 60.0, [f"constant needs a rate: {LEAST}"]),
        ("constant", None, None, ["needs a rate", f"constant needs a duration: {SECONDS}"]),
        ("constant", -1.0, None, [f"rate -1: {LEAST}", "constant needs a duration"]),
        ("constant:5", 5.0, 60.0, ["shape 'constant:5': '5' is too much; write it as in constant"]),
        ("saw", None, None,
         ["shape 'saw': choose from constant, ramp:1-20, steps:5x30,10x30, day:peak=3, "
          "burst:rate=50,every=20,for=2"]),
        ("", 5.0, 60.0, ["shape '': choose from"]),
        ("saw", -1.0, math.nan, ["choose from", f"rate -1: {RATE}", f"duration nan: {SECONDS}"]),

        ("ramp", None, 60.0, ["shape 'ramp': give two rates with - between them; write it as in "
                              "ramp:1-20"]),
        ("ramp:1-20", None, None, [f"ramp needs a duration: {SECONDS}"]),
        ("ramp:1..20", None, 60.0, ["give two rates"]),
        ("ramp:a-b", None, 60.0, ["'a', 'b' is no number"]),
        ("ramp:a-b", None, 0.0, ["'a', 'b' is no number", f"duration 0: {SECONDS}"]),
        ("ramp:-1-20", None, 60.0, [f"the ramp's first rate -1: {RATE}"]),
        ("ramp:1--20", None, 60.0, [f"the ramp's last rate -20: {RATE}"]),
        ("ramp:nan-9000", None, 0.0,
         [f"first rate nan: {RATE}", f"last rate 9000: {RATE}", f"duration 0: {SECONDS}"]),
        ("ramp:0-0", None, 60.0, [f"the mean rate 0: {LEAST}"]),
        ("ramp:1-20", 5.0, 60.0,
         ["rate 5 contradicts ramp:1-20, whose rate is 10.5: leave it out"]),
        ("ramp:1-20", math.nan, 60.0, ["rate nan contradicts"]),
        ("ramp:0-5000", None, 7200.0, ["18,000,000 arrivals"]),

        ("steps", None, None, ["'' is no rate x seconds; write it as in steps:5x30,10x30"]),
        ("steps:5,1x2x3", None, None, ["'5', '1x2x3' is no rate x seconds"]),
        ("steps:ax30,5xb", None, None, ["'a', 'b' is no number"]),
        ("steps:5x30,-1x0", None, None,
         [f"step 2's rate -1: {RATE}", f"step 2's length 0: {PIECE}"]),
        ("steps:nanx30,5xinf", None, None,
         [f"step 1's rate nan: {RATE}", f"step 2's length inf: {PIECE}"]),
        ("steps:0x30,0x10", None, None, [f"the mean rate 0: {LEAST}"]),
        ("steps:5x0.5", None, None, [f"duration 0.5: {SECONDS}"]),
        (f"steps:{','.join(['1x1'] * 1001)}", None, None, ["1,001 steps: give 1 to 1,000"]),
        ("steps:5x30,10x30", None, 90.0,
         ["duration 90 contradicts steps:5x30,10x30, whose duration is 60: leave it out"]),
        ("steps:5x30,-10x30", 8.0, 90.0,
         [f"step 2's rate -10: {RATE}", "rate 8 contradicts", "duration 90 contradicts"]),

        ("day", 5.0, 60.0, ["shape 'day': give peak= once each; write it as in day:peak=3"]),
        ("day:3", 5.0, 60.0, ["give peak= once each"]),
        ("day:peak=x", 5.0, 60.0, ["'x' is no number"]),
        ("day:peak=3,peak=3", 5.0, 60.0, ["give peak= once each"]),
        ("day:peak=3", None, None, ["day needs a rate", "day needs a duration"]),
        ("day:peak=0.5", 5.0, 60.0, ["the day's peak 0.5: give 1 to 100 times the mean"]),
        ("day:peak=nan", 0.0, 60.0, ["the day's peak nan", f"rate 0: {LEAST}"]),
        ("day:peak=3", 2000.0, 60.0, [f"the day's peak rate 6000: {RATE}"]),

        ("burst", 5.0, 60.0, ["give rate=, every=, for= once each"]),
        ("burst:rate=50,every=20", 5.0, 60.0, ["give rate=, every=, for= once each"]),
        ("burst:rate=50,every=20,for=2,at=1", 5.0, 60.0, ["once each"]),
        ("burst:rate=a,every=b,for=2", 5.0, 60.0, ["'a', 'b' is no number"]),
        ("burst:rate=a,every=b,for=2", 0.0, 0.0, ["'a', 'b' is no number", "duration 0"]),
        ("burst:rate=50,every=20,for=2", -1.0, 60.0, [f"rate -1: {RATE}"]),
        ("burst:rate=0,every=0,for=nan", 5.0, 60.0,
         [f"the burst's rate 0: {LEAST}", f"the burst's every 0: {PIECE}",
          f"the burst's for nan: {PIECE}", "the burst's rate 0 is not above the base of 5"]),
        ("burst:rate=5,every=20,for=2", 5.0, 60.0, ["rate 5 is not above the base of 5"]),
        ("burst:rate=50,every=20,for=20", 5.0, 60.0,
         ["a burst of 20 s every 20 s leaves nothing between two bursts"]),
        ("burst:rate=50,every=90,for=2", 5.0, 60.0,
         ["the first burst would end after 90 s, the run after 60 s"]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_at_once_in_one_line(
    text: str, rate_per_s: float | None, duration_s: float | None, said: list[str]
) -> None:
    with pytest.raises(UsageError) as raised:
        shape_of(text, rate_per_s, duration_s)
    message = str(raised.value)
    assert "\n" not in message
    assert [part for part in said if part not in message] == []
    assert message.count("; ") - message.count("; write it as in") == len(said) - 1


@pytest.mark.parametrize(
    ("text", "peak"),
    [
        ("constant", 5), ("ramp:1-20", 20), ("ramp:20-1", 20), ("steps:5x30,40x1", 40),
        ("day:peak=3", 15), ("burst:rate=50,every=20,for=2", 50),
    ],
)  # fmt: skip
def test_what_a_target_allows_bounds_the_peak_not_the_mean(text: str, peak: float) -> None:
    rate, duration = 5.0, 60.0
    given = {"default_rate_per_s": rate, "default_duration_s": duration}
    assert shape_of(text, **given, allowed_per_s=peak).peak_per_s == pytest.approx(peak)
    with pytest.raises(UsageError) as raised:
        shape_of(text, **given, allowed_per_s=peak - 0.5)
    assert str(raised.value) == (
        f"{text} reaches {peak} arrivals per second, above the target's "
        f"allow.load.max_rate_per_s of {peak - 0.5}"
    )


def test_the_least_and_the_most_are_no_problem() -> None:
    assert problems_of(Constant(mean_per_s=0.01, duration_s=1)) == []
    assert problems_of(Constant(mean_per_s=5000, duration_s=2000)) == []
    assert problems_of(Ramp(first_per_s=0, last_per_s=0.02, duration_s=1)) == []
    assert problems_of(Day(mean_per_s=50, peak=100, duration_s=60)) == []
