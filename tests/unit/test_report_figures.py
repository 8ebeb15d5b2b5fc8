"""Numbers as people read them: no rounding onto a limit, no share of 100 % that is less."""

from __future__ import annotations

from typing import Any

import pytest

from reports.figures import age, figure, moment, number, quantity, shorten, span, table
from reports.sections.slo import Roles

HOUR_NS = 3_600_000_000_000


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (100, "100"),
        (100.0, "100"),
        (100.04, "100.04"),
        (100.004, "100.004"),
        (99.99999, "99.99999"),
        (43.219847, "43.22"),
        (-31.9, "−31.9"),
        (11_489, "11\u202f489"),
        (12_345.67, "12\u202f345.7"),
        (0, "0"),
        (float("inf"), "inf"),
    ],
)
def test_a_number_is_never_rounded_onto_a_limit(value: float, shown: str) -> None:
    assert number(value) == shown


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (1, "100 %"),
        (0, "0 %"),
        (0.999, "99.9 %"),
        (0.99875, "99.875 %"),
        (0.9999999, "99.99999 %"),
        (0.99999999999, "99.999999999 %"),
        (1e-9, "1e-07 %"),
    ],
)
def test_less_than_all_is_never_shown_as_100_percent(share: float, shown: str) -> None:
    assert quantity(share, "share") == shown


@pytest.mark.parametrize(
    ("name", "value", "label", "shown"),
    [
        ("p95_ms", 12.5, "p95", "12.5 ms"),
        ("p95_upper_ms", 12.5, "p95 upper", "12.5 ms"),
        ("share_lower", 0.5, "share lower", "50 %"),
        ("share", 0.5, "share", "50 %"),
        ("rate_per_s", 40, "rate", "40/s"),
        ("applied_twice", 0, "applied twice", "0"),
        ("kept", True, "kept", "true"),
        ("causes", {"lost": 2}, "causes", '{"lost": 2}'),
        ("modes", ["FM-01", "FM-02"], "modes", "FM-01, FM-02"),
    ],
)
def test_the_unit_is_in_the_name(name: str, value: Any, label: str, shown: str) -> None:
    found = figure(name, value)
    assert (found.label, found.shown) == (label, shown)


@pytest.mark.parametrize(
    ("hours", "shown"),
    [(0, "just now"), (0.5, "30 min"), (1.9, "114 min"), (2, "2 h"), (47, "47 h"), (48, "2 days")],
)
def test_ages(hours: float, shown: str) -> None:
    now = 10**18
    assert age(now - int(hours * HOUR_NS), now) == shown


def test_an_unknown_time_is_called_unknown() -> None:
    assert age(0, 10**18) == "unknown"
    assert moment(0) == "unknown"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.84, "0.8 s"), (42.4, "42 s"), (185, "3 min 05 s"), (7800, "2 h 10 min")],
)
def test_durations(seconds: float, shown: str) -> None:
    assert span(seconds) == shown


def test_what_is_left_out_is_counted() -> None:
    assert shorten("abc", 3) == "abc"
    assert shorten("abcde", 3).startswith("abc… (2 more characters")


def test_the_margin_of_a_limit_is_what_its_upper_bound_leaves() -> None:
    figures = {"limit_ms": 100, "p95_ms": 90.0, "p95_upper_ms": 100.1, "p95_lower_ms": 80.0}
    found = Roles({"lateness_limit_ms": 10, "samples": 4000, **figures})
    assert (found.target, found.measured, found.count) == ("≤ 100 ms", "90 ms", "4\u202f000")
    assert found.bounds == "80 ms to 100.1 ms"
    assert found.margin == "−0.1 ms"
    assert "lateness_limit_ms" not in found.used
    assert found.leading == ["p95_ms", "limit_ms", "p95_lower_ms", "p95_upper_ms", "samples"]


def test_the_margin_of_a_minimum_is_what_its_lower_bound_leaves() -> None:
    figures = {"minimum": 0.999, "share": 1.0, "share_lower": 0.9995, "share_upper": 1.0}
    found = Roles({"judged": 6000, **figures})
    assert (found.target, found.measured, found.margin) == ("≥ 99.9 %", "100 %", "+0.05 %")


def test_a_bound_that_is_not_known_leaves_no_margin() -> None:
    found = Roles({"limit_ms": 100, "p95_ms": 9.0, "p95_upper_ms": None, "p95_lower_ms": None})
    assert (found.bounds, found.margin) == ("? to ?", "")


def test_figures_of_another_kind_play_no_role() -> None:
    found = Roles({"workflows": 12})
    assert (found.target, found.measured, found.bounds, found.count, found.margin) == ("",) * 5
    assert found.leading == []


def test_a_list_of_like_rows_is_a_table_with_its_text_first() -> None:
    rows = [{"hits": 2, "place": "log"}, {"hits": 1_000, "place": "ledger"}]
    found = table("places_searched", rows)
    assert found is not None
    assert (found.label, found.columns) == ("places searched", ("place", "hits"))
    assert found.rows == (("log", "2"), ("ledger", "1\u202f000"))


@pytest.mark.parametrize("value", [[], 3, "x", {"a": 1}, [1], [{}], [{"a": 1}, {"b": 1}]])
def test_anything_else_is_no_table(value: object) -> None:
    assert table("places", value) is None
