"""What is drawn for a seed: always the same, never what is forbidden, always with an end."""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path

import pytest

from harness.contract.program import Child, ContinueAsNew, Step, Wait
from harness.groups import CALM, CRASH, WIRE
from harness.scenario import Cancel, KillWorker, Redeliver, Signal, breaks
from scenarios.conformance import generated
from scenarios.conformance.generated import CASES

draw = functools.cache(generated.draw)
ROOT = Path(__file__).parents[2]
ALL = frozenset({"service-faults", "kill-worker", "rpc-faults"})
NOTHING: frozenset[str] = frozenset()
SEEDS = pytest.mark.parametrize("seed", range(1, 9))
PRINTED = (
    "from scenarios.conformance.generated import draw;"
    "print([(c.nodes, c.script, c.rpc) for c in "
    "draw(7, frozenset({'service-faults', 'kill-worker', 'rpc-faults'}), frozenset())])"
)


@SEEDS
def test_a_seed_gives_the_same_sagas_each_time(seed: int) -> None:
    cases = draw(seed, ALL, NOTHING)
    assert cases == generated.draw(seed, ALL, NOTHING)
    assert len(cases) == CASES
    assert len({repr((c.nodes, c.script, c.rpc)) for c in cases}) == CASES
    assert cases != draw(seed + 1, ALL, NOTHING)


@pytest.mark.parametrize("loaded", ["sys", "reports, harness.cli.finish, harness.drive.plan"])
def test_a_seed_gives_the_same_sagas_in_every_process(loaded: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import {loaded};{PRINTED}"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == str([(c.nodes, c.script, c.rpc) for c in draw(7, ALL, NOTHING)])


@SEEDS
@pytest.mark.parametrize("allowed", [ALL, frozenset({"service-faults"}), NOTHING])
def test_nothing_is_drawn_that_the_target_forbids(seed: int, allowed: frozenset[str]) -> None:
    assert all(breaks(case) <= allowed for case in draw(seed, allowed, NOTHING))


@SEEDS
def test_nothing_is_drawn_that_the_worker_lacks(seed: int) -> None:
    cases = draw(seed, ALL, frozenset({"children", "continue_as_new"}))
    assert not any(isinstance(n, Child | ContinueAsNew) for c in cases for n in c.nodes)
    assert all(not case.needs for case in cases)


@SEEDS
def test_every_saga_can_come_to_one_end(seed: int) -> None:
    for case in draw(seed, ALL, NOTHING):
        sent = {each.name for each in case.script if isinstance(each, Signal)}
        assert sent == {node.signal for node in case.nodes if isinstance(node, Wait)}
        for each in case.script:
            if isinstance(each, Cancel):
                assert isinstance(case.nodes[each.after_step], Step)
                assert not any(isinstance(other, Redeliver) for other in case.script)


@SEEDS
def test_what_is_held_has_its_worker_killed_and_shares_no_worker_with_others(seed: int) -> None:
    for case in draw(seed, ALL, NOTHING):
        held = [
            n for n, node in enumerate(case.nodes) if isinstance(node, Step) and node.behaviour.hold
        ]
        killed = [each.at_step for each in case.script if isinstance(each, KillWorker)]
        assert held == killed
        assert case.group == (CRASH if held else WIRE if case.rpc else CALM)


def test_each_kind_of_disturbance_is_drawn_in_a_few_seeds() -> None:
    cases = [case for seed in range(1, 5) for case in draw(seed, ALL, NOTHING)]
    kinds = {type(each) for case in cases for each in case.script}
    assert kinds == {Signal, Cancel, KillWorker, Redeliver}
    assert {each.action for case in cases for each in case.rpc} == {"lose-answer", "refuse"}
    faults = {n.behaviour for c in cases for n in c.nodes if isinstance(n, Step)}
    assert len(faults) >= 9
