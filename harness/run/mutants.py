"""Running mutants: each a platform of its own, several at the same time, every check on each.

A mutant's platform is driven with what its expected checks need. Then all checks of its profile
judge what was recorded: one that turns red without being expected, or declared as collateral, has
raised a false alarm.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from harness.catalogue import load_catalogue
from harness.checks.table import PROFILES, TABLE
from harness.checks.verdict import Verdict, judge
from harness.errors import EvidenceError, HarnessError, UnavailableError, UsageError
from harness.journal.read import Journal, read_trial
from harness.mutant import Mutant
from harness.outcome import EXIT_FAIL, EXIT_INCONCLUSIVE, EXIT_PASS
from harness.platform.child import Child, Children
from harness.platform.registry import Registry, sweep
from harness.run.matrix import Fate, Matrix, Row, row_of
from harness.run.request import Progress
from harness.tools.cache import cache_folder

RUN_WITHIN_S: Final = 300.0
ENDS_WITHIN_S: Final = 15.0
_JUDGED: Final = (EXIT_PASS, EXIT_FAIL, EXIT_INCONCLUSIVE)


def jobs_by_cores() -> int:
    """How many platforms at the same time: they wait more than they work."""
    return 1 + (os.cpu_count() or 1)


def run_mutants(
    mutants: Sequence[Mutant], jobs: int, out: Path | None, progress: Progress
) -> Matrix:
    """Run every mutant and judge it; ends early, with the rows there are, on SIGINT or SIGTERM.

    The trials are kept below `out`, if it is given; raises `UsageError` if some are there already,
    `UnavailableError` if it cannot be written.
    """
    for line in sweep(cache_folder() / "running"):
        progress(line)
    return asyncio.run(_run(mutants, jobs, out, progress))


async def _run(
    mutants: Sequence[Mutant], jobs: int, out: Path | None, progress: Progress
) -> Matrix:
    began = time.monotonic()
    registry = Registry(cache_folder() / "running")
    folder = out or registry.folder / "trials"
    logs = folder / "logs"
    rows: dict[str, Row] = {}
    try:
        _make(logs)
        async with Children(registry, logs) as children:
            work = asyncio.create_task(_all(mutants, jobs, folder, children, rows, progress))
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, work.cancel)
            try:
                await work
            except asyncio.CancelledError:
                progress("interrupted; ending the platforms")
    finally:
        registry.close()
    return Matrix(
        rows=tuple(rows[m.name] for m in mutants if m.name in rows),
        seconds=time.monotonic() - began,
        interrupted=len(rows) < len(mutants),
    )


def _make(folder: Path) -> None:
    try:
        if folder.exists():
            raise UsageError(
                f"{folder.parent}: holds the trials of mutants already; give --out a new folder"
            )
        folder.mkdir(parents=True)
    except OSError as error:
        raise UnavailableError(
            f"{folder}: {error.strerror}; the mutants' trials go there, "
            "give --out a folder that can be written"
        ) from None


async def _all(
    mutants: Iterable[Mutant],
    jobs: int,
    folder: Path,
    children: Children,
    rows: dict[str, Row],
    progress: Progress,
) -> None:
    waiting = list(reversed(list(mutants)))

    async def work() -> None:
        while waiting:
            mutant = waiting.pop()
            row = rows[mutant.name] = await _one(mutant, folder / mutant.name, children)
            progress(
                f"{row.fate.value:12} {mutant.name} ({', '.join(mutant.expected)}), "
                f"{row.seconds:.0f} s"
            )

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(jobs):
                group.create_task(work())
    except* HarnessError as problems:
        raise problems.exceptions[0] from None


async def _one(mutant: Mutant, folder: Path, children: Children) -> Row:
    began = time.monotonic()
    child = await children.start(
        mutant.name,
        [
            sys.executable,
            "-m",
            "harness",
            mutant.arm,
            "--mutant",
            mutant.name,
            "--no-show",
            "--out",
            str(folder),
            *_asking(mutant),
        ],
    )
    code = await child.wait(RUN_WITHIN_S)
    seconds = time.monotonic() - began
    if code not in _JUDGED:
        await child.stop(ENDS_WITHIN_S)
        return Row(mutant=mutant, fate=Fate.NOT_RUN, seconds=seconds, reasons=(_why(child, code),))
    try:
        journal = await asyncio.to_thread(read_trial, folder)
    except EvidenceError as error:
        return Row(mutant=mutant, fate=Fate.NOT_RUN, seconds=seconds, reasons=(str(error),))
    return row_of(mutant, await asyncio.to_thread(_verdicts, mutant, journal), seconds)


def _asking(mutant: Mutant) -> tuple[str, ...]:
    """What is asked of its arm: only `verify` can be asked for a part of its profile."""
    if mutant.arm == "verify":
        return ("--profile", mutant.profile, *mutant.options, *mutant.expected)
    return mutant.options


def _why(child: Child, code: int | None) -> str:
    return (
        f"did not end within {RUN_WITHIN_S:g} s"
        if code is None
        else (f"ended with {code}{child.tail()}")
    )


def _verdicts(mutant: Mutant, journal: Journal) -> list[Verdict]:
    """The verdicts of all checks of the mutant's profile, without waivers."""
    catalogue = load_catalogue()
    checks = [check for check in TABLE if check.id in PROFILES[mutant.profile]]
    levels = {assertion.id: str(assertion.level) for assertion in catalogue}
    return judge(journal, checks, levels, {**catalogue.defaults, **journal.manifest.parameters})
