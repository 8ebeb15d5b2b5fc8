"""Which calls a rule of the tap bites."""

from __future__ import annotations

from typing import Any

import pytest

from harness.tap.messages import COMPLETED, Rule
from harness.tap.rules import BadRule, Book, as_field


def rule(**fields: Any) -> Rule:
    return Rule(**{"id": "r", "method": COMPLETED, "action": "refuse", **fields})


def bites(book: Book, *requests: bytes, method: str = COMPLETED) -> list[bool | None]:
    turns = [book.turn(method, request) for request in requests]
    return [turn.bites if turn else None for turn in turns]


def booked(*rules: Rule) -> Book:
    book = Book()
    book.add(list(rules))
    return book


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (rule(), [True, False, False]),
        (rule(first=2), [False, True, False]),
        (rule(first=2, count=2), [False, True, True]),
        (rule(count=None), [True, True, True]),
    ],
)
def test_a_rule_bites_the_calls_that_it_names(given: Rule, expected: list[bool]) -> None:
    assert bites(booked(given), b"1", b"2", b"3") == expected


def test_repeats_are_the_same_bytes_and_nothing_else() -> None:
    assert bites(booked(rule(repeats=True)), b"1", b"2", b"1", b"3", b"1") == [
        True, False, True, False, True,
    ]  # fmt: skip


def test_a_repeat_is_known_as_one_even_if_it_passes() -> None:
    book = booked(rule())
    turns = [book.turn(COMPLETED, each) for each in (b"1", b"1", b"2")]
    assert [turn and turn.again for turn in turns] == [False, True, False]
    assert [turn and turn.number for turn in turns] == [1, 2, 3]


def test_another_method_is_none_of_its_business() -> None:
    assert bites(booked(rule()), b"1", method="PollActivityTaskQueue") == [None]


def test_keys_are_whole_fields() -> None:
    book = booked(rule(keys=["saga-1", "alpha"], count=None))
    alpha, one, ten = as_field("alpha"), as_field("saga-1"), as_field("saga-10")
    assert bites(book, alpha + one, alpha + ten, one, b"alpha saga-1") == [True, None, None, None]


def test_a_long_field_has_a_long_length() -> None:
    assert as_field("x" * 300)[:2] == bytes([0xAC, 0x02])


def test_the_first_rule_that_bites_has_the_call() -> None:
    book = booked(rule(id="a", first=2), rule(id="b"))
    turns = [book.turn(COMPLETED, each) for each in (b"1", b"2", b"3")]
    assert [turn and turn.rule.id for turn in turns] == ["b", "a", "a"]


@pytest.mark.parametrize(
    "fields",
    [
        {"id": ""},
        {"keys": [""]},
        {"first": 0},
        {"count": 0},
        {"delay_ms": 5},
        {"action": "delay"},
        {"action": "delay", "delay_ms": 60_001},
        {"action": "hold", "count": 2},
        {"action": "hold-answer", "count": None},
    ],
)
def test_a_rule_without_sense_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(BadRule):
        booked(rule(**fields))


def test_ids_are_used_once_and_a_bad_rule_takes_the_good_ones_with_it() -> None:
    book = Book()
    with pytest.raises(BadRule):
        book.add([rule(), rule(id="s", first=0)])
    assert bites(book, b"1") == [None]
    book.add([rule()])
    with pytest.raises(BadRule):
        book.add([rule()])
