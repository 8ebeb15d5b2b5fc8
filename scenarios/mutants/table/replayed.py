"""Mutants of replay in process: each way in which deployed code may differ from what was recorded.

The rows are those of the table of changes that was measured against the stock replayer. Some it
refuses (INV-DET-1), most it passes, and only the comparison of contents finds them (INV-DET-2).
"""

from __future__ import annotations

from typing import Final

from harness.mutant import Mutant
from scenarios.mutants.table.broken import UNDISTURBED, replayed

_REFUSED: Final = {"INV-DET-2": "a replay that ends with an error agrees in nothing"}


def _refused(name: str, module: str, defect: str, *cases: str) -> Mutant:
    """A change that the stock replayer does not pass."""
    return Mutant(
        name=name,
        expected=("INV-DET-1",),
        defect=f"The deployed code {defect}.",
        breakage=replayed(module),
        cases=cases or ("plain",),
        collateral=_REFUSED,
    )


def _passed(name: str, module: str, defect: str, *cases: str) -> Mutant:
    """A change that the stock replayer passes."""
    return Mutant(
        name=name,
        expected=("INV-DET-2",),
        defect=f"The deployed code {defect}.",
        breakage=replayed(module),
        cases=cases or ("plain",),
    )


MUTANTS: Final[tuple[Mutant, ...]] = (
    _refused(
        "steps-swapped", "steps_swapped", "takes steps in another order than the recorded runs did",
        "plain", "compensated",
    ),
    _refused(
        "step-slept-before", "step_slept_before", "has a timer that the recorded runs did not have",
        "plain", "compensated",
    ),
    _refused("activity-renamed", "activity_renamed", "has other names for activities"),
    _refused("activity-added", "activity_added", "has an activity more for each step"),
    _refused("activity-removed", "activity_removed", "leaves the first step out"),
    _refused("timer-removed", "timer_removed", "takes no timer", "timers"),
    _refused("memo-upserted", "memo_upserted", "writes into the memo"),
    _refused("chance-refused", "by_chance", "throws dice, which the sandbox forbids"),
    _refused("clock-refused", "by_clock", "asks for the time, which the sandbox forbids"),
    _refused("variable-refused", "by_environment", "reads a variable, which the sandbox forbids"),
    _refused("file-refused", "by_file", "opens a file, which the sandbox forbids"),
    _passed("input-changed", "input_changed", "gives activities another input"),
    _passed("queue-changed", "queue_changed", "sends activities to another task queue"),
    _passed("timer-changed", "timer_changed", "waits for another time", "timers"),
    _passed("result-changed", "result_changed", "answers otherwise"),
    _passed(
        "continuation-changed", "continuation_changed", "continues as new with another input",
        "continued",
    ),
    _passed("child-changed", "child_changed", "gives children another input", "child"),
    _passed("seeded-chance", "seeded_chance_in_input", "throws the run's own dice for an input"),
    _passed("free-chance", "free_chance_in_input", "throws dice outside of the sandbox"),
    _passed("passed-chance", "passed_chance_in_input", "has a helper that passes throw dice"),
    _passed(
        "unrestricted-chance", "unrestricted_chance_in_input",
        "throws dice in a section without restrictions",
    ),
    _passed("set-order", "set_order_in_input", "gives activities words in the order of a set"),
    _passed("address-in-input", "address_in_input", "gives activities an object's address"),
    _passed("arguments-in-input", "arguments_in_input", "gives activities the process's arguments"),
    _passed("count-in-input", "count_in_input", "gives activities a count of its module"),
)  # fmt: skip

EQUIVALENTS: Final[tuple[Mutant, ...]] = (
    Mutant(
        name="timeouts-changed",
        expected=("INV-DET-1", "INV-DET-2"),
        defect="The deployed code has other timeouts and retries than the recorded runs.",
        breakage=replayed("timeouts_changed"),
        cases=UNDISTURBED,
        equivalent=True,
    ),
    Mutant(
        name="patched-in-time",
        expected=("INV-DET-1", "INV-DET-2"),
        defect="The deployed code has timers behind a patch, which runs of before do not take.",
        breakage=replayed("patched"),
        cases=UNDISTURBED,
        equivalent=True,
    ),
)
