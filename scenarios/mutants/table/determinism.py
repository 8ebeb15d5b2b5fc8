"""Mutants of determinism."""

from __future__ import annotations

from typing import Final

from harness.mutant import Mutant
from scenarios.mutants.table.broken import STUCK, broken_worker, replayed

MUTANTS: Final[tuple[Mutant, ...]] = (
    Mutant(
        name="steps-swapped",
        expected=("INV-DET-1",),
        defect="The deployed code takes steps in another order than the recorded runs did.",
        breakage=replayed("steps_swapped"),
        cases=("plain", "compensated"),
        collateral={"INV-DET-2": "a replay that ends with an error agrees in nothing"},
    ),
    Mutant(
        name="step-slept-before",
        expected=("INV-DET-1",),
        defect="The deployed code has a timer that the recorded runs did not have.",
        breakage=replayed("step_slept_before"),
        cases=("plain", "compensated"),
        collateral={"INV-DET-2": "a replay that ends with an error agrees in nothing"},
    ),
    Mutant(
        name="input-changed",
        expected=("INV-DET-2",),
        defect="The deployed code gives activities another input.",
        breakage=replayed("input_changed"),
        cases=("plain",),
    ),
    Mutant(
        name="queue-changed",
        expected=("INV-DET-2",),
        defect="The deployed code sends activities to another task queue.",
        breakage=replayed("queue_changed"),
        cases=("plain",),
    ),
    Mutant(
        name="timer-changed",
        expected=("INV-DET-2",),
        defect="The deployed code waits for another time.",
        breakage=replayed("timer_changed"),
        cases=("timers",),
    ),
    Mutant(
        name="result-changed",
        expected=("INV-DET-2",),
        defect="The deployed code answers otherwise.",
        breakage=replayed("result_changed"),
        cases=("plain",),
    ),
    Mutant(
        name="continuation-changed",
        expected=("INV-DET-2",),
        defect="The deployed code continues as new with another input.",
        breakage=replayed("continuation_changed"),
        cases=("continued",),
    ),
    Mutant(
        name="child-changed",
        expected=("INV-DET-2",),
        defect="The deployed code gives children another input.",
        breakage=replayed("child_changed"),
        cases=("child",),
    ),
    Mutant(
        name="process-counter",
        expected=("INV-DET-4",),
        defect="Workflow code looks at a counter of its process.",
        breakage=broken_worker("process-counter"),
        cases=("restarted-*",),
        parameters=STUCK,
    ),
    Mutant(
        name="hash-seed",
        expected=("INV-DET-4",),
        defect="Workflow code looks at a hash that differs from process to process.",
        breakage=broken_worker("hash-seed"),
        forked=False,
        cases=("plain", "timers", "signals"),
        parameters=STUCK,
    ),
)
