"""Aggregation for charts: nearest rank, extremes kept, what never came took for ever."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from harness.load.samples import INTERRUPTED, SampleOutcome
from reports.frames import MOST_COLUMNS, LoadFrame, column_width, extent, per_second
from reports.plot import Labels, Scale, latency_ticks, linear_ticks, time_ticks
from reports.samples import COMPLETED, Samples

S = 1_000_000_000
MS = 1_000_000
READING = "user_perceived"


def samples(latencies_ms: Sequence[float], *, every_ms: float = 10.0, **columns: Any) -> Samples:
    """Arrivals at equal distances, sent 1 ms late; a latency of infinity never came."""
    rows = len(latencies_ms)
    intended = S + (np.arange(rows) * every_ms * MS).astype(np.int64)
    never = np.isinf(latencies_ms)
    took = np.where(never, 0, np.nan_to_num(np.asarray(latencies_ms), posinf=0.0) * MS)
    ends = np.where(never, 0, intended + took.astype(np.int64))
    given: dict[str, Any] = {
        "begin_ns": S,
        "intended_ns": intended,
        "sent_ns": intended + MS,
        "ends": {READING: ends, COMPLETED: ends},
        "outcome": np.where(never, SampleOutcome.INFO, SampleOutcome.OK),
        "cause": np.zeros(rows, dtype=int),
        "causes": ("", INTERRUPTED),
        "told_to_stop": np.zeros(rows, dtype=bool),
    }
    return Samples(**{**given, **columns})


def frame(
    latencies_ms: Sequence[float], *, warmup_s: float = 0, planned_s: float = 0, **columns: Any
) -> LoadFrame:
    made = samples(latencies_ms, **columns)
    return LoadFrame(made, reading=READING, origin_ns=S, warmup_s=warmup_s, planned_s=planned_s)


def test_percentiles_are_samples_by_nearest_rank() -> None:
    found = frame(list(range(1, 21))).quantiles_ms({"p50": 0.5, "p95": 0.95, "p99": 0.99})
    assert found == {"p50": 10.0, "p95": 19.0, "p99": 20.0, "max": 20.0}


def test_percentiles_over_time_are_the_same_percentiles() -> None:
    found = frame(list(range(1, 101)), every_ms=0.5).latency()
    assert len(found.at_s) == 1
    assert [found.lines[name][0] for name in ("min", "p50", "p95", "p99", "max", "n")] == [
        1.0, 50.0, 95.0, 99.0, 100.0, 100.0,
    ]  # fmt: skip


def test_what_never_came_took_for_ever() -> None:
    made = frame([5.0] * 18 + [math.inf] * 2)
    found = made.quantiles_ms({"p50": 0.5, "p95": 0.95})
    assert found == {"p50": 5.0, "p95": math.inf, "max": math.inf}
    assert made.unanswered == 2
    assert max(made.latency().lines["max"]) == math.inf
    assert made.distribution().counts[-1] == 18
    assert all(math.isfinite(ms) for _, ms in made.curve())


def test_what_was_not_sent_because_the_run_was_ended_is_left_out() -> None:
    stopped = np.array([False] * 10 + [True] * 10)
    made = frame([5.0] * 10 + [math.inf] * 10, told_to_stop=stopped)
    assert made.judged == 10
    assert made.quantiles_ms({"p95": 0.95})["max"] == 5.0


def test_the_warm_up_is_drawn_and_not_counted() -> None:
    made = frame([900.0] * 10 + [5.0] * 90, warmup_s=0.1)
    assert made.judged == 90
    assert made.quantiles_ms({"p95": 0.95})["max"] == 5.0
    assert max(made.latency().lines["max"]) == 900.0


def test_counted_from_the_sending_the_lateness_is_gone() -> None:
    made = frame([5.0] * 20)
    assert made.quantiles_ms({"p50": 0.5}, sent=True)["p50"] == 4.0
    assert max(made.lateness().lines["max"]) == 1.0


def test_one_slow_call_in_many_is_in_the_picture() -> None:
    latencies = [5.0] * 50_000
    latencies[31_007] = 4321.0
    made = frame(latencies, every_ms=4)
    found = made.latency()
    assert len(found.at_s) <= MOST_COLUMNS
    assert max(found.lines["max"]) == 4321.0
    assert made.distribution().counts[-1] == 1
    assert made.curve()[-1][1] == 4321.0


def test_arrivals_per_second_add_up() -> None:
    made = frame([5.0] * 1000, every_ms=10)
    found = made.rates()
    assert sum(found.lines["offered"]) * found.width_s == pytest.approx(1000, rel=0.02)
    assert found.lines["offered"][0] == pytest.approx(100, rel=0.02)
    assert found.lines["offered"][-1] == pytest.approx(100, rel=0.05)


def test_what_is_offered_follows_the_plan_from_its_begin_to_its_end() -> None:
    """Ten silent seconds, ten at 20/s, ten at 60/s, ten silent ones."""
    seconds = [*(10 + i / 20 for i in range(200)), *(20 + i / 60 for i in range(600))]
    intended = S + (np.array(seconds) * S).astype(np.int64)
    ends = dict.fromkeys((READING, COMPLETED), intended + 5 * MS)
    made = frame([5.0] * 800, planned_s=40, intended_ns=intended, ends=ends)
    found = made.rates()
    assert (found.width_s, len(found.at_s)) == (1, 40)
    assert found.lines["offered"] == [0.0] * 10 + [20.0] * 10 + [60.0] * 10 + [0.0] * 10


def test_outcomes_are_counted_with_their_cause() -> None:
    outcome = np.array([1, 1, 1, 2])
    made = frame([5.0] * 4, outcome=outcome, cause=np.array([0, 0, 0, 1]), causes=("", "lost"))
    assert made.endings() == [("completed", "", 3), ("failed", "lost", 1)]


@pytest.mark.parametrize(
    ("duration_s", "n", "width_s"),
    [(120, 12_000, 1), (120, 600, 5), (2000, 10**6, 10), (0, 1, 0.1)],
)
def test_columns_are_round_and_hold_enough(duration_s: float, n: int, width_s: float) -> None:
    assert column_width(duration_s, n) == width_s


def test_a_thinned_gauge_keeps_least_and_greatest() -> None:
    points = [(i * MS, 10.0) for i in range(50_000)]
    points[12_345] = (12_345 * MS, 99.0)
    points[40_000] = (40_000 * MS, -3.0)
    found = extent(points, origin_ns=0, duration_s=50.0, columns=100)
    assert len(found.at_s) <= 101
    assert (max(found.greatest), min(found.least)) == (99.0, -3.0)


def test_a_short_last_column_is_no_drop() -> None:
    events = [(i * S // 10, "ok") for i in range(603)]  # 10 a second for 60.3 s
    found = per_second(events, origin_ns=0, duration_s=60.3)["ok"]
    assert found.lines["rate"][-1] == pytest.approx(10, rel=0.1)


def test_no_samples_make_no_figures() -> None:
    made = frame([])
    assert made.judged == 0
    assert made.quantiles_ms({"p50": 0.5}) == {}


def test_a_scale_keeps_everything_within_the_plot() -> None:
    scale = Scale(1.0, 1000.0, 300.0, 0.0, log=True)
    assert [scale(v) for v in (1.0, 1000.0, math.inf, 0.0)] == [300.0, 0.0, 0.0, 300.0]
    assert scale(31.622776601683793) == pytest.approx(150.0)
    assert Scale(5.0, 5.0, 0.0, 10.0)(5.0) == 0.0


@pytest.mark.parametrize("span_s", [0.5, 45, 600, 7_200, 200_000])
def test_time_ticks_are_few_and_apart(span_s: float) -> None:
    ticks = time_ticks(Scale(0.0, span_s, 0.0, 900.0))
    assert 2 <= len(ticks) <= 11
    assert len({tick.label for tick in ticks}) == len(ticks)


def test_value_ticks_are_round() -> None:
    assert [t.label for t in linear_ticks(Scale(0, 270, 0, 1))] == ["0", "100", "200"]
    assert [t.label for t in latency_ticks(Scale(0.8, 2500, 0, 200, True)) if t.label] == [
        "1 ms", "10 ms", "100 ms", "1 s",
    ]  # fmt: skip


def test_labels_do_not_overlap_and_stay_inside() -> None:
    labels = Labels(10.0, 100.0)
    for y in (95.0, 96.0, 97.0, 50.0):
        labels.add(y, "p95", "p95")
    heights = sorted(text.y for text in labels.placed()[1])
    assert all(b - a >= 12.9 for a, b in pairwise(heights))
    assert heights[-1] <= 104
