"""The mix of a workload, and what is wrong with one."""

from __future__ import annotations

import pytest

from harness.errors import UsageError
from harness.load.requests import METHODS, REQUESTS
from harness.load.workload import READING, STARTING, Kind, Operation, Workload, parse_mix

MIX = Workload(
    name="mix",
    operations=(
        Operation(name="saga", kind=Kind.RUN, weight=4),
        Operation(name="query", kind=Kind.QUERY),
    ),
)


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("", {}),
        ("saga=4,query=2", {"saga": 4, "query": 2}),
        (" saga = 80% , query=20% ", {"saga": 80, "query": 20}),
        ("saga=1,query=0", {"saga": 1, "query": 0}),
    ],
)
def test_a_mix_is_read(text: str, weights: dict[str, int]) -> None:
    assert parse_mix(text) == weights


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("saga=70%,query=20%", "the shares add up to 90 %, not to 100 %"),
        ("saga=70%,query=30", "some are shares in % and some are weights"),
        ("saga=0,query=0", "all weights are 0"),
        ("saga", "saga=: give NAME=WEIGHT"),
        ("saga=-1", "saga=-1: give NAME=WEIGHT"),
        ("saga=1.5", "saga=1.5: give"),
        ("saga=1001", "a whole number to 1000"),
        ("=3", "=3: give"),
        ("saga=1,saga=2", "saga is given twice"),
    ],
)
def test_what_is_wrong_with_a_mix_is_said(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_mix(text)


def test_an_operation_that_is_not_named_is_left_out() -> None:
    assert [(each.name, each.weight) for each in MIX.mixed({"query": 3}).operations] == [
        ("query", 3)
    ]
    assert MIX.mixed({"query": 1, "saga": 0}).weights == [1]
    assert MIX.mixed({}) is MIX


def test_an_operation_that_there_is_not_is_refused() -> None:
    with pytest.raises(UsageError, match="has no operation 'sagas'; it has saga, query"):
        MIX.mixed({"sagas": 1})


def test_every_kind_has_its_call() -> None:
    assert set(METHODS) == set(Kind)
    assert set(REQUESTS) == set(Kind) - STARTING
    assert set(Kind) >= READING
