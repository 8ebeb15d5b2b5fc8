"""Shrinking on the cluster: one platform, and all candidates of a round as sagas of one drive."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import msgspec

from harness.checks.check import Evidence
from harness.checks.idempotency.generated import ID, broken_by_case
from harness.checks.table import TABLE
from harness.drive.plan import Ask
from harness.errors import UnavailableError
from harness.journal.read import Journal, read_trial
from harness.journal.records import Program
from harness.platform.child import Children
from harness.platform.platform import Platform
from harness.program_file import ProgramFile, file_from
from harness.run.conduct import conduct
from harness.run.request import Request
from harness.run.serve import serve, start_drive
from harness.shrink.search import Shrunk, repeats, smallest
from harness.shrink.smaller import size, smaller
from harness.trial import Trial

AT_ONCE: Final = 24
MOST_ROUNDS: Final = 12
CONFIRMED: Final = 5  # times that the first and the last are driven
HORIZON_S: Final = 40.0  # a candidate that hangs shall not hold the round up for long
CHECK: Final = next(check for check in TABLE if check.id == ID)


_Judged = asyncio.Future[set[str]]  # the cases of a round that fail


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How far a failing saga was shrunk. It failed `first` and `last` of `CONFIRMED` times."""

    start: ProgramFile
    first: int
    shrunk: Shrunk[ProgramFile] | None
    last: int
    runs: int
    seconds: float


def failing_files(journal: Journal) -> list[ProgramFile]:
    """The sagas of a trial that fail, the smallest first, out of the journal alone."""
    cases = failing_cases(journal)
    tenants = list(journal.manifest.tenants)
    found = {
        program.case: file_from(
            program, tenants, trial=journal.manifest.trial_id, seed=str(journal.manifest.seed)
        )
        for program in journal.of(Program)
        if program.case in cases
    }
    return sorted(found.values(), key=size)


def failing_cases(journal: Journal) -> set[str]:
    """The cases that the check finds broken."""
    return set(broken_by_case(Evidence(journal, frozenset(CHECK.needs), {})))


def shrink(request: Request, file: ProgramFile, budget_s: float) -> Result:
    """Drive ever smaller versions of a failing saga on a platform of its own."""
    results: list[Result] = []
    target = msgspec.structs.replace(request.target, exporter=None)
    asked = replace(
        request, target=target, asked=(ID,), suites=(), cases=(), given=(file,),
        parameters={**request.parameters, "horizon_s": HORIZON_S},
    )  # fmt: skip

    async def arm(platform: Platform, trial: Trial, children: Children) -> dict[str, str]:
        await asyncio.gather(platform.start_engine(), platform.start_doubles())
        drive = await start_drive(asked, platform, trial, children, rounds=True)
        rounds = Rounds(trial.folder)
        search = asyncio.create_task(_search(rounds, file, budget_s, request))
        try:
            await serve(asked, platform, drive, {"more": rounds.more}, more_s=budget_s)
            results.append(await search)
        finally:
            search.cancel()
        await platform.stop()
        return {}

    ended = conduct(asked, arm)
    if not results:
        raise UnavailableError(f"{ended.folder}: shrinking was {ended.ended}; nothing is kept")
    return results[0]


async def _search(rounds: Rounds, file: ProgramFile, budget_s: float, request: Request) -> Result:
    began = time.monotonic()
    first = await rounds.times(file, CONFIRMED)
    left_s = budget_s - 2 * (time.monotonic() - began)  # the last is confirmed as well
    request.progress(f"{file.name} fails {first} of {CONFIRMED} times")
    shrunk, last = None, 0
    if first:
        each = repeats(first, CONFIRMED)

        async def failing(batch: Sequence[ProgramFile]) -> Sequence[ProgramFile]:
            found = await rounds.failing(batch, each)
            request.progress(f"{len(found)} of {len(batch)} smaller sagas fail")
            return found

        shrunk = await smallest(
            file, smaller=smaller, size=size, failing=failing, most=max(1, AT_ONCE // each),
            rounds=MOST_ROUNDS, budget_s=left_s, clock=time.monotonic,
        )  # fmt: skip
        last = await rounds.times(shrunk.best, CONFIRMED)
    rounds.end()
    return Result(
        start=file, first=first, shrunk=shrunk, last=last, runs=rounds.runs,
        seconds=time.monotonic() - began,
    )  # fmt: skip


class Rounds:
    """Gives the drive what to drive, and judges each round when the drive comes back for more."""

    def __init__(self, trial: Path) -> None:
        self.runs = 0
        self._trial = trial
        self._round = 0
        self._next: asyncio.Queue[tuple[list[ProgramFile], _Judged]] = asyncio.Queue()
        self._driven: _Judged | None = None

    async def more(self, _: Ask) -> dict[str, Any]:
        """The handler of what the drive asks: the sagas of the next round, none at the end."""
        if self._driven is not None:
            journal = await asyncio.to_thread(read_trial, self._trial, salvage=True)
            self._driven.set_result(failing_cases(journal))
        files, self._driven = await self._next.get()
        return {"files": msgspec.to_builtins(files)}

    async def failing(self, files: Sequence[ProgramFile], times: int) -> list[ProgramFile]:
        """Those that fail at least once of so many times, all driven in one round."""
        counts = await self._counts(files, times)
        return [file for file, count in zip(files, counts, strict=True) if count]

    async def times(self, file: ProgramFile, times: int) -> int:
        """How often one fails of so many times."""
        return (await self._counts([file], times))[0]

    def end(self) -> None:
        """There is no more to drive."""
        self._next.put_nowait(([], asyncio.get_running_loop().create_future()))

    async def _counts(self, files: Sequence[ProgramFile], times: int) -> list[int]:
        self._round += 1
        named = [
            [f"r{self._round}-{number:02}-{repeat}" for repeat in range(times)]
            for number in range(len(files))
        ]
        self.runs += len(files) * times
        judged: _Judged = asyncio.get_running_loop().create_future()
        driven = [
            msgspec.structs.replace(file, name=name)
            for file, names in zip(files, named, strict=True)
            for name in names
        ]
        self._next.put_nowait((driven, judged))
        found = await judged
        return [len(found & set(names)) for names in named]
