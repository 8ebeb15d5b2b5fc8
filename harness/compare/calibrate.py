"""How often the gate cries wolf, and what it would see: shown on runs of one and the same build.

The runs are divided at random into two sides, again and again. Whatever the gate says of two such
sides is wrong: its false alarms. Then one side is made slower by a known factor, and the share of
divisions in which the gate says so is its power.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from harness.compare.comparison import (
    Change,
    Figures,
    Tolerance,
    changed,
    exit_code,
    is_latency,
)
from harness.outcome import EXIT_FAIL, EXIT_INCONCLUSIVE

SLOWER: Final = (1.05, 1.10, 1.20)
DIVISIONS: Final = 500


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """Shares of the divisions into sides of `runs` runs each.

    `false_alarms` say that something is worse, `false_praise` that something is better, and
    `undecided` cannot tell, where nothing changed. `power` is the share that says worse where all
    latencies of B are so many times longer.
    """

    runs: int
    divisions: int
    figures: list[str]
    false_alarms: float
    false_praise: float
    undecided: float
    power: dict[str, float]


def calibrated(
    runs: Sequence[Figures],
    judged: Sequence[str],
    tolerance: Tolerance,
    divisions: int = DIVISIONS,
    seed: int = 1,
) -> Calibration:
    """What the gate makes of runs that are all of one build."""
    size = len(runs) // 2
    draw = random.Random(seed)
    alarms = praise = undecided = 0
    seen = dict.fromkeys(SLOWER, 0)
    for _ in range(divisions):
        chosen = draw.sample(runs, 2 * size)
        a, b = chosen[:size], chosen[size:]
        changes = [change for change, _ in changed(a, b, judged, tolerance).values()]
        alarms += Change.WORSE in changes
        praise += Change.BETTER in changes
        undecided += exit_code(changes) == EXIT_INCONCLUSIVE
        for factor in SLOWER:
            slow = [slowed(run, factor) for run in b]
            said = [change for change, _ in changed(a, slow, judged, tolerance).values()]
            seen[factor] += exit_code(said) == EXIT_FAIL
    return Calibration(
        runs=size,
        divisions=divisions,
        figures=list(judged),
        false_alarms=alarms / divisions,
        false_praise=praise / divisions,
        undecided=undecided / divisions,
        power={f"{factor:g}": count / divisions for factor, count in seen.items()},
    )


def slowed(figures: Figures, factor: float) -> Mapping[str, float]:
    """The figures of a run all of whose latencies are so many times longer."""
    return {name: value * factor if is_latency(name) else value for name, value in figures.items()}
