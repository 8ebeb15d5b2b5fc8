"""Load runs of two builds by turns, so that what changes on the machine meanwhile meets both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from harness.errors import HarnessError, UsageError
from harness.journal.manifest import COMPLETE
from harness.run.load import Arrivals, load
from harness.run.request import Request

MOST_PAIRS: Final = 100
_MEASURED_BY: Final = ("workflow_start_sli", "horizon_s")


def interleaved(
    a: Request, b: Request, arrivals: Arrivals, pairs: int, folder: Path
) -> tuple[list[Path], list[Path]]:
    """The folders of so many trials of either request, below `folder`.

    Each pair turns round the order of the one before: a steady drift meets both sides alike. One
    run that is interrupted is the last. Raises what `load` does; runs before that are kept.
    """
    if not 1 <= pairs <= MOST_PAIRS:
        raise UsageError(f"--interleave {pairs}: give 1 to {MOST_PAIRS} pairs of runs")
    _require_alike(a, b)
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder}: is not empty; give --out a new or empty folder")
    done: dict[str, list[Path]] = {"a": [], "b": []}
    for side, number in _turns(pairs):
        request = {"a": a, "b": b}[side]
        request.progress(f"run {number} of {pairs} of {side.upper()}")
        try:
            ended = load(replace(request, out=folder / f"{side}-{number}"), arrivals)
        except HarnessError as error:
            if any(done.values()):
                error.add_note(f"the runs before it are kept in {folder}")
            raise
        done[side].append(ended.folder)
        if ended.ended != COMPLETE:
            break
    return done["a"], done["b"]


def _require_alike(a: Request, b: Request) -> None:
    """Raises `UsageError` for targets whose runs could not be compared."""
    differing = [
        f"{name} {a.parameters[name]} and {b.parameters[name]}"
        for name in _MEASURED_BY
        if a.parameters[name] != b.parameters[name]
    ]
    names = [[tenant.name for tenant in each.target.tenants] for each in (a, b)]
    if names[0] != names[1]:
        differing.append(f"tenants {', '.join(names[0])} and {', '.join(names[1])}")
    if differing:
        raise UsageError(f"the targets of A and B are not comparable: {'; '.join(differing)}")


def _turns(pairs: int) -> Iterator[tuple[str, int]]:
    for number in range(1, pairs + 1):
        for side in "ab" if number % 2 else "ba":
            yield side, number
