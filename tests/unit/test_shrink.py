"""Shrinking: minimal where what fails is a matter of parts, in its budget, never beyond hope."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.contract.program import (
    Behaviour,
    Child,
    ContinueAsNew,
    Retry,
    SagaProgram,
    Step,
    Timer,
    Wait,
    step,
)
from harness.groups import CALM, CRASH
from harness.program_file import Nodes, ProgramFile, file_of, unfit
from harness.scenario import Cancel, KillWorker, Redeliver, Signal
from harness.shrink.search import MOST_REPEATS, Shrunk, parts, repeats, smallest
from harness.shrink.smaller import size, smaller
from harness.shrink.words import in_words
from scenarios.conformance.generated import draw

ALL = frozenset({"service-faults", "kill-worker", "rpc-faults"})


class Clock:
    """A clock that moves by itself: each round takes a second."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def shrink(start: Any, fails: Any, **options: Any) -> Shrunk[Any]:
    """Shrink without a platform."""
    clock = Clock()
    batches: list[int] = []

    async def failing(batch: Sequence[Any]) -> Sequence[Any]:
        batches.append(len(batch))
        clock.now += 1
        return [each for each in batch if fails(each)]

    given_ = {
        "smaller": lambda items: [tuple(items[n] for n in kept) for kept in parts(len(items))],
        "size": len,
        "most": 24,
        "rounds": 100,
        "budget_s": 1000.0,
        **options,
    }
    found = asyncio.run(smallest(start, failing=failing, clock=clock, **given_))
    assert all(count <= given_["most"] for count in batches)
    assert sum(batches) == found.tried
    assert len(batches) == found.rounds
    return found


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 20), st.data())
def test_what_fails_for_its_parts_is_shrunk_to_these_parts(count: int, data: Any) -> None:
    core = data.draw(st.sets(st.integers(0, count - 1), min_size=1, max_size=4))
    found = shrink(tuple(range(count)), lambda items: core <= set(items))
    assert found.minimal
    assert set(found.best) == core


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 6), st.integers(1, 12))
def test_it_stops_within_its_rounds(rounds: int, most: int) -> None:
    found = shrink(tuple(range(16)), lambda items: {3, 11} <= set(items), rounds=rounds, most=most)
    assert found.rounds <= rounds
    assert {3, 11} <= set(found.best)


@pytest.mark.parametrize("budget_s", [0.5, 1.0, 2.5, 7.0])
def test_it_begins_no_round_that_would_not_end_in_time(budget_s: float) -> None:
    found = shrink(tuple(range(64)), lambda items: {3, 40, 50} <= set(items), most=2,
                   budget_s=budget_s)  # fmt: skip
    assert found.rounds <= max(1, budget_s)
    assert not found.minimal


def test_what_never_fails_again_is_left_as_it_was() -> None:
    found = shrink((1, 2, 3), lambda _: False)
    assert found.best == (1, 2, 3)
    assert found.minimal


@pytest.mark.parametrize(
    ("failed", "tried", "expected"), [(5, 5, 1), (4, 5, 2), (2, 5, MOST_REPEATS)]
)
def test_what_fails_now_and_then_is_tried_more_often(
    failed: int, tried: int, expected: int
) -> None:
    assert repeats(failed, tried) == expected


# --- sagas

LOST = step(0, "r", behaviour=Behaviour(lose_answer=9), retry=Retry(max_attempts=2))
CHILD = Child(program=SagaProgram(tenant="t", saga_id="s", nodes=[LOST, step(1, "r")]))
LONG = ProgramFile(
    name="n",
    feeds=["INV-IDEM-10"],
    group=CRASH,
    program=Nodes(
        nodes=[
            step(1, "r", behaviour=Behaviour(hold="after")), Wait(signal="go"), ContinueAsNew(),
            Timer(duration_ms=20_000), CHILD, step(2, "r", behaviour=Behaviour(fail=2)),
        ]
    ),
    script=[Signal(name="go", id="1"), Signal(name="go", id="1"), KillWorker(at_step=0),
            Redeliver(), Cancel(after_step=5)],
)  # fmt: skip


@pytest.mark.parametrize("seed", range(1, 5))
def test_every_smaller_saga_could_be_driven(seed: int) -> None:
    for case in draw(seed, ALL, frozenset()):
        file = file_of(case)
        for each in smaller(file):
            assert unfit(each.program.nodes, each.script, each.group) == ""
            assert each.program.nodes


def kinds(file: ProgramFile) -> list[str]:
    return [type(node).__name__ for node in file.program.nodes]


def test_a_saga_is_shrunk_to_what_makes_it_fail() -> None:
    """A step of lost answers after continue-as-new: two nodes, though one was in a child."""

    def fails(file: ProgramFile) -> bool:
        nodes = file.program.nodes
        flat = [each for n in nodes for each in (n.program.nodes if isinstance(n, Child) else [n])]
        after = flat[flat.index(ContinueAsNew()) :] if ContinueAsNew() in flat else []
        return any(
            isinstance(n, Step) and n.behaviour.lose_answer >= n.retry.max_attempts for n in after
        )

    found = shrink(LONG, fails, smaller=smaller, size=size)
    assert kinds(found.best) == ["ContinueAsNew", "Step"]
    assert found.best.script == []
    assert found.best.group == CALM
    assert found.best.program.nodes[1].behaviour == Behaviour(lose_answer=1)


def test_what_a_fault_needs_stays_with_it() -> None:
    def fails(file: ProgramFile) -> bool:
        return any(isinstance(n, Step) and n.behaviour.hold for n in file.program.nodes)

    found = shrink(LONG, fails, smaller=smaller, size=size)
    assert kinds(found.best) == ["Step"]
    assert found.best.group == CRASH


def test_a_saga_in_words() -> None:
    assert in_words(LONG)[2] == "2. continue as new"
    assert "lose_answer 9" in in_words(LONG)[4]
    assert in_words(LONG)[-1] == "- cancel after step 5"
