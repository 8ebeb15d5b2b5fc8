"""`harness shrink TRIAL`, and what `harness verify` does when a drawn saga fails."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import msgspec

from harness.checks.idempotency.generated import ID
from harness.cli.mutants import broken_as
from harness.cli.settle import settled
from harness.errors import UsageError
from harness.journal.read import read_trial
from harness.judging import read_verdicts
from harness.outcome import EXIT_FAIL, EXIT_INCONCLUSIVE, Outcome
from harness.run.request import Request
from harness.run.shrink import CONFIRMED, Result, failing_files, shrink
from harness.shrink.words import in_words

FILE = f"shrunk-{ID}.json"
FOLDER = "shrink"


def run(options: argparse.Namespace) -> int:
    """Shrink what failed in a recorded trial."""
    request = settled(options, "shrink", "core", [ID])
    if options.mutant:
        request = broken_as(options.mutant, request)
    return EXIT_FAIL if shrink_trial(options.trial, request, options) else EXIT_INCONCLUSIVE


def failed(trial: Path) -> bool:
    """Whether a judged trial has something to shrink."""
    judged = read_verdicts(trial).verdicts
    return any(each.id == ID and each.outcome is Outcome.FAIL for each in judged)


def shrink_trial(trial: Path, request: Request, options: argparse.Namespace) -> bool:
    """Shrink the smallest saga that failed, print it and keep it in the trial's folder.

    False if it did not fail again. Raises `UsageError` where nothing failed.
    """
    files = failing_files(read_trial(trial))
    if not files:
        raise UsageError(f"{trial}: no saga of it fails {ID}, so there is nothing to shrink")
    folder = trial / FOLDER
    if folder.exists():
        raise UsageError(f"{folder}: it was shrunk before; remove that folder to do it again")
    mine = replace(request, arm="shrink", out=folder, seed=int(files[0].found["seed"]))
    result = shrink(mine, files[0], options.shrink_budget)
    found = None if result.shrunk is None else result.shrunk.best
    if found is not None:
        where = {**found.found, "shrunk from": result.start.name}
        kept = msgspec.structs.replace(found, name=f"shrunk-{result.start.name}", found=where)
        (trial / FILE).write_bytes(kept.to_json())
    print(said(result, trial, options))
    return found is not None


def said(result: Result, trial: Path, options: argparse.Namespace) -> str:
    """What came of it, for people."""
    name, shrunk = result.start.name, result.shrunk
    if shrunk is None:
        return (
            f"  not shrunk: {name} failed in the trial and in none of {CONFIRMED} runs of its own"
        )
    nodes, left = len(result.start.program.nodes), len(shrunk.best.program.nodes)
    how = "nothing smaller fails" if shrunk.minimal else "there was no time to try all"
    lines = [
        f"  shrunk {ID}: {name} from {nodes} nodes to {left} in {result.runs} runs over "
        f"{shrunk.rounds} rounds, {result.seconds:.0f} s; {how}",
        f"  it failed {result.first} of {CONFIRMED} times before, {result.last} of {CONFIRMED} now",
        *(f"    {line}" for line in in_words(shrunk.best)),
        f"  again: harness verify --program {trial / FILE}{_same_platform(options)}",
    ]
    return "\n".join(lines)


def _same_platform(options: argparse.Namespace) -> str:
    target = f" --target {options.target}" if options.target else ""
    return target + (f" --mutant {options.mutant}" if options.mutant else "")
