"""Running mutants: several at the same time, as tenants of one engine, every check on each.

A mutant's platform is driven with what its expected checks need. Then all checks of its profile
judge what was recorded: one that turns red without being expected, or declared as collateral, has
raised a false alarm.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.catalogue import load_catalogue
from harness.checks.table import PROFILES, TABLE
from harness.checks.verdict import Verdict, judge
from harness.errors import HarnessError, UnavailableError, UsageError
from harness.journal.read import Journal, read_trial
from harness.mutant import Mutant
from harness.platform.child import Children
from harness.platform.engine import start_engine
from harness.platform.registry import Registry, sweep
from harness.run.forking import MUTANTS, start_forks
from harness.run.kept import kept_trial, seconds_of
from harness.run.matrix import Fate, Matrix, Row, row_of
from harness.run.mutant_trial import (
    PLAIN,
    RUN_WITHIN_S,
    SHARED,
    Cluster,
    SharedDrive,
    commanded,
    driven,
)
from harness.run.request import Progress, Request
from harness.tools.cache import cache_folder

HEAVY_IDS: Final = 3
MIXED: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What to run and how: `request_of` is what is asked of a mutant's platform, `out` where the
    trials are kept, `kept` is called with all rows after each. One that `goes_on` judges the trials
    that are there already, and drives the rest."""

    mutants: Sequence[Mutant]
    jobs: int
    out: Path | None
    progress: Progress
    request_of: Callable[[Mutant], Request]
    kept: Callable[[Matrix], None]
    goes_on: bool = False


def jobs_by_cores(*, whole: bool) -> int:
    """How many platforms at the same time: they wait more than they work, but where each is driven
    with its whole profile."""
    cores = os.cpu_count() or 1
    return cores if whole else 2 + 3 * cores


def run_mutants(run: Run) -> Matrix:
    """Run every mutant and judge it; ends early, with the rows there are, on SIGINT or SIGTERM.

    Raises `UsageError` if there are trials in `out` already and it does not go on with them,
    `UnavailableError` if that cannot be written.
    """
    for line in sweep(cache_folder() / "running"):
        run.progress(line)
    return asyncio.run(_run(run))


async def _run(run: Run) -> Matrix:
    began = time.monotonic()
    registry = Registry(cache_folder() / "running")
    folder = run.out or registry.folder / "trials"
    logs = folder / "logs"
    rows: dict[str, Row] = {}

    def matrix() -> Matrix:
        return Matrix(
            rows=tuple(rows[m.name] for m in run.mutants if m.name in rows),
            seconds=time.monotonic() - began,
            interrupted=len(rows) < len(run.mutants),
        )

    def done(row: Row) -> None:
        rows[row.mutant.name] = row
        run.progress(_line(row))
        run.kept(matrix())

    async def all_of_it(children: Children) -> None:
        await _all(run, folder, await _cluster(run, folder, registry, children), done)

    try:
        _make(logs, goes_on=run.goes_on)
        async with Children(registry, logs) as children:
            work = asyncio.create_task(all_of_it(children))
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, work.cancel)
            try:
                await work
            except asyncio.CancelledError:
                run.progress("interrupted; ending the platforms")
    finally:
        registry.close()
    return matrix()


def _line(row: Row) -> str:
    what = ", ".join(row.mutant.expected) or f"all of {row.mutant.profile}"
    return f"{row.fate.value:12} {row.mutant.name} ({what}), {row.seconds:.0f} s"


async def _cluster(run: Run, folder: Path, registry: Registry, children: Children) -> Cluster:
    """What the mutants share: engines, the fork server, a drive."""
    forks, (_, address), (_, plain) = await asyncio.gather(
        start_forks(children, registry.folder, MUTANTS),
        start_engine(children, {}),
        start_engine(children, PLAIN),
    )
    requests = [run.request_of(mutant) for mutant in run.mutants if mutant.arm == "verify"]
    return Cluster(
        registry=registry,
        children=children,
        engine_at=address,
        plain_at=plain,
        forks=forks,
        drive=SharedDrive(requests, folder / SHARED, goes_on=run.goes_on),
    )


def _make(folder: Path, *, goes_on: bool) -> None:
    try:
        if folder.exists() and not goes_on:
            raise UsageError(
                f"{folder.parent}: holds the trials of mutants already; give --out a new folder, "
                "or go on with them by --resume"
            )
        folder.mkdir(parents=True, exist_ok=goes_on)
    except OSError as error:
        raise UnavailableError(
            f"{folder}: {error.strerror}; the mutants' trials go there, "
            "give --out a folder that can be written"
        ) from None


async def _all(run: Run, folder: Path, cluster: Cluster, done: Callable[[Row], None]) -> None:
    """Run each mutant, beginning with the longest, of which one runs at a time: several would
    starve each other, and what is measured in them. The others go mixed: those of one area all
    wait, or all work."""
    heavy = sorted((m for m in run.mutants if _heavy(m)), key=lambda m: len(m.expected))
    light = _mixed([mutant for mutant in run.mutants if not _heavy(mutant)])

    async def work(*queues: list[Mutant]) -> None:
        for queue in queues:
            while queue:
                mutant = queue.pop(0)
                done(await _one(mutant, run, folder / mutant.name, cluster))

    async with cluster.drive.running(cluster), asyncio.TaskGroup() as group:
        group.create_task(work(heavy, light))
        for _ in range(run.jobs - 1):
            group.create_task(work(light))


def _mixed(mutants: list[Mutant]) -> list[Mutant]:
    """All of them, neighbours of the table far from each other."""
    return [mutant for first in range(MIXED) for mutant in mutants[first::MIXED]]


def _heavy(mutant: Mutant) -> bool:
    """Whether it is driven with most of its profile."""
    return not mutant.expected or (len(mutant.expected) > HEAVY_IDS and not mutant.cases)


async def _one(mutant: Mutant, run: Run, folder: Path, cluster: Cluster) -> Row:
    began = time.monotonic()
    if run.goes_on and (kept := await asyncio.to_thread(_kept, mutant, run, folder)):
        return kept
    try:
        if mutant.arm == "verify":
            why = await driven(mutant, run.request_of(mutant), folder, cluster)
        else:
            why = await commanded(mutant, folder, cluster)
        journal = await asyncio.to_thread(read_trial, folder) if not why else None
    except (HarnessError, TimeoutError) as error:
        why = str(error) or f"did not end within {RUN_WITHIN_S:g} s"
    seconds = time.monotonic() - began
    if why or journal is None:
        return Row(mutant=mutant, fate=Fate.NOT_RUN, seconds=seconds, reasons=(why,))
    row = row_of(mutant, await asyncio.to_thread(_verdicts, mutant, journal), seconds)
    if run.out is None:
        shutil.rmtree(folder, ignore_errors=True)  # all of them together may be large
    return row


def _kept(mutant: Mutant, run: Run, folder: Path) -> Row | None:
    """The row of the trial that an earlier run left, if it left a whole one."""
    journal = kept_trial(mutant.name, run.request_of(mutant), folder)
    if journal is None:
        return None
    return row_of(mutant, _verdicts(mutant, journal), seconds_of(journal))


def _verdicts(mutant: Mutant, journal: Journal) -> list[Verdict]:
    """The verdicts of all checks of the mutant's profile, without waivers."""
    catalogue = load_catalogue()
    checks = [check for check in TABLE if check.id in PROFILES[mutant.profile]]
    levels = {assertion.id: str(assertion.level) for assertion in catalogue}
    return judge(journal, checks, levels, {**catalogue.defaults, **journal.manifest.parameters})
