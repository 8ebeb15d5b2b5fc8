"""Mutants that the replay frontend must catch: a new build replays what the one before recorded."""

from __future__ import annotations

from typing import Final

from harness.mutant import Mutant
from scenarios.mutants.table.broken import UNDISTURBED, broken_worker, next_build

TASKS: Final = "tasks"
COMMANDS: Final = "commands"
CONTENTS: Final = "contents"
_SAME_ANSWERS: Final = {"INV-DET-2": "where nothing is replayed in process it judges these answers"}


def _next(name: str, module: str, clause: str, defect: str, *cases: str) -> Mutant:
    return Mutant(
        name=f"next-build-{name}",
        expected=("INV-DET-9",),
        clause=clause,
        defect=f"The new build {defect}.",
        breakage=next_build(module),
        cases=cases or ("plain",),
        collateral=_SAME_ANSWERS,
    )


MUTANTS: Final[tuple[Mutant, ...]] = (
    _next("renamed", "type_renamed", TASKS, "has another name for the workflow type"),
    _next("swapped", "steps_swapped", COMMANDS, "takes steps in another order"),
    _next("slept", "step_slept_before", COMMANDS, "has timers that the recorded runs had not"),
    _next("input", "input_changed", CONTENTS, "gives activities another input"),
    _next("queue", "queue_changed", CONTENTS, "sends activities to another task queue"),
    _next("timer", "timer_changed", CONTENTS, "waits for another time", "timers"),
    _next("result", "result_changed", CONTENTS, "answers otherwise"),
    _next("continued", "continuation_changed", CONTENTS, "goes on with other input", "continued"),
    _next("child", "child_changed", CONTENTS, "gives children another input", "child"),
    _next("activity-renamed", "activity_renamed", COMMANDS, "has other names for activities"),
    _next("activity-added", "activity_added", COMMANDS, "has an activity more for each step"),
    _next("activity-removed", "activity_removed", COMMANDS, "leaves the first step out"),
    _next("timer-removed", "timer_removed", COMMANDS, "takes no timer", "timers"),
    _next("memo", "memo_upserted", COMMANDS, "writes a memo"),
    _next("restricted", "by_clock", TASKS, "asks for the time, which its sandbox forbids"),
    _next("chance", "seeded_chance_in_input", CONTENTS, "gives activities a throw of dice"),
    Mutant(
        name="replay-told",
        expected=("INV-DET-9",),
        clause=CONTENTS,
        defect="Workflow code answers otherwise once its beginning was replayed.",
        breakage=broken_worker("replay-told"),
        cases=("plain",),
    ),
)

EQUIVALENTS: Final[tuple[Mutant, ...]] = (
    Mutant(
        name="next-build-timeouts",
        expected=("INV-DET-9",),
        defect="The new build has other timeouts and retries than the recorded runs.",
        breakage=next_build("timeouts_changed"),
        cases=UNDISTURBED,
        equivalent=True,
    ),
    Mutant(
        name="next-build-patched",
        expected=("INV-DET-9",),
        defect="The new build has timers behind a patch, which runs of before do not take.",
        breakage=next_build("patched"),
        cases=UNDISTURBED,
        equivalent=True,
    ),
)
