"""Replaying with a Python module: in two processes whose surroundings differ, and reading it.

Each process replays one half of the histories, stock and strict, and a sample of all: so nearly one
pass on two cores compares them with the record, and the surroundings with each other.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from harness.catalogue import load_catalogue
from harness.checks.check import Check
from harness.checks.determinism import CHECKS
from harness.checks.determinism.surroundings import disagreement
from harness.checks.verdict import Verdict, judge
from harness.errors import EXIT_BUG, EXIT_UNAVAILABLE, DriveError, UnavailableError
from harness.journal.read import from_records
from harness.journal.records import Ending, Part, Replay, SourceScan, Subject, now
from harness.outcome import Outcome
from harness.platform.child import Child, Children
from harness.platform.registry import Registry, sweep
from harness.replay.corpus import Entry
from harness.replay.folder.plan import Line, Plan, Seen, Told
from harness.replay.surroundings import TABLE, Surroundings, command
from harness.replay.verdicts import HistoryVerdict
from harness.run.replay import Asked
from harness.run.replay_wire import wanted
from harness.source import scan
from harness.source.modules import Project
from harness.source.setup import Setup
from harness.tools.cache import cache_folder

STATIC: Final = ("INV-DET-5", "INV-DET-6")
NOT_READ: Final = "(not read)"
_OUTCOME: Final = {
    Ending.OK: Outcome.PASS,
    Ending.FAIL: Outcome.FAIL,
    Ending.INFO: Outcome.INCONCLUSIVE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Both parts: the code as it was read with its verdicts, and the histories'.

    `varied` are the surroundings that differed, `notes` what was not looked at. `code_in` and
    `histories_in` are the folders, seen from the current one.
    """

    source: SourceScan
    static: tuple[Verdict, ...]
    histories: tuple[HistoryVerdict, ...]
    varied: tuple[str, ...]
    notes: tuple[str, ...]
    code_in: str = ""
    histories_in: str = ""


def replay_workflows(asked: Asked) -> Judged:
    """Replay by a Python module; raises `UnavailableError` if it does not import."""
    for line in sweep(cache_folder() / "running"):
        asked.progress(line)
    shares = _shares(asked)
    lines, source = asyncio.run(_both(asked, shares))
    _require_setup(asked, source)
    told = {name: [each for each in of if isinstance(each, Told)] for name, of in lines.items()}
    return Judged(
        source=source,
        static=tuple(_static(asked, source)),
        histories=tuple(_verdicts(shares, told)),
        varied=tuple(_varied(lines)),
        notes=() if asked.setup else ("the worker's set-up was not read: give --setup MODULE",),
        code_in=_from_here(asked.cwd),
        histories_in=_from_here(asked.histories),
    )


def _from_here(folder: Path) -> str:
    """A folder seen from the current one, if it lies below it."""
    here = Path.cwd()
    absolute = folder.resolve()
    return absolute.relative_to(here).as_posix() if absolute.is_relative_to(here) else ""


def _require_setup(asked: Asked, source: SourceScan) -> None:
    if asked.setup and not source.setup:
        raise UnavailableError(
            f"--setup {asked.setup}: no such module in {asked.cwd}, or it makes no Worker; name "
            "the one that does"
        )


# --- the processes


def _shares(asked: Asked) -> Mapping[str, list[Entry]]:
    """What each process replays: its half, and those that all of them do."""
    step = max(1, -(-len(asked.entries) // asked.perturbed)) if asked.perturbed else 1
    return {
        around.name: [
            entry
            for number, entry in enumerate(asked.entries)
            if number % len(TABLE) == part or number // len(TABLE) % step == 0
        ]
        for part, around in enumerate(TABLE)
    }


async def _both(
    asked: Asked, shares: Mapping[str, list[Entry]]
) -> tuple[Mapping[str, list[Line]], SourceScan]:
    """The code is read while the processes replay."""
    return await asyncio.gather(
        _alone(asked, shares),
        asyncio.to_thread(scan, asked.workflows, asked.cwd, setup=asked.setup),
    )


async def _alone(asked: Asked, shares: Mapping[str, list[Entry]]) -> Mapping[str, list[Line]]:
    with contextlib.closing(Registry(cache_folder() / "running")) as registry:
        logs = asked.logs or registry.folder
        async with Children(registry, logs) as children:
            modules = [each.name for each in Setup(_project(asked), asked.workflows).modules]
            outs = [registry.folder / f"{around.name}.jsonl" for around in TABLE]
            ended = await asyncio.gather(
                *(
                    _one(asked, shares[around.name], children, around, out, modules)
                    for around, out in zip(TABLE, outs, strict=True)
                ),
                return_exceptions=True,
            )
            for error in ended:
                if error is not None:
                    raise error
            return {around.name: list(_lines(out)) for around, out in zip(TABLE, outs, strict=True)}


def _project(asked: Asked) -> Project:
    return Project(asked.cwd.absolute())


async def _one(
    asked: Asked,
    share: Sequence[Entry],
    children: Children,
    around: Surroundings,
    out: Path,
    modules: list[str],
) -> None:
    """Run one process to its end; one that crashes has told what it had done."""
    plan = Plan(
        wanted=wanted(share),
        module=asked.workflows,
        folder=str(asked.cwd.absolute()),
        namespace=asked.namespace,
        surroundings=around.name,
        out=str(out),
        replayer=asked.replayer,
        passthrough=list(asked.passthrough),
        modules=modules,
    )
    path = out.with_suffix(".plan")
    path.write_bytes(msgspec.json.encode(plan))
    child = await children.start(
        f"replay-{around.name}",
        [*command(around), "harness.replay.folder", str(path)],
        env=around.variables,
        cwd=asked.cwd,
    )
    code = await _ended(child)
    if code == EXIT_UNAVAILABLE:
        raise UnavailableError(child.lines[-1] if child.lines else "no replay")
    if code == EXIT_BUG:
        raise DriveError(f"the replay in {around.name} failed{child.tail()}")
    if code:
        asked.progress(f"the replay in {around.name} ended with {code}{child.tail()}")
        with out.open("ab") as file:
            file.write(_ending(f"the process that replayed it ended with exit code {code}"))


async def _ended(child: Child) -> int:
    while (code := await child.wait(3600)) is None:
        continue
    return code


def _ending(why: str) -> bytes:
    return msgspec.json.encode(Told(file="", problem=why)) + b"\n"


def _lines(out: Path) -> Iterator[Line]:
    decoder = msgspec.json.Decoder(Line)
    for line in out.read_bytes().splitlines() if out.exists() else ():
        with contextlib.suppress(msgspec.DecodeError):  # the last one, of a crash
            yield decoder.decode(line)


# --- the verdicts


def _static(asked: Asked, source: SourceScan) -> list[Verdict]:
    """The checks' own verdicts on the code; a set-up that nobody named is not held against it."""
    if not asked.setup:
        source = msgspec.structs.replace(source, setup=NOT_READ)
    catalogue = load_catalogue()
    parameters = {
        **catalogue.defaults,
        "reviewed_packages": list(asked.reviewed),
        "passthrough_modules": [*asked.reviewed, *asked.passthrough],
    }
    checks: list[Check] = [check for check in CHECKS if check.id in STATIC]
    worker = Part(**now(), subject=Subject.WORKER, ours=False, name="python")
    return judge(from_records([worker, source]), checks, dict.fromkeys(STATIC, "M"), parameters)


def _verdicts(
    shares: Mapping[str, Sequence[Entry]], told: Mapping[str, Sequence[Told]]
) -> Iterator[HistoryVerdict]:
    asked_of: dict[str, list[str]] = defaultdict(list)
    for name, share in shares.items():
        for entry in share:
            asked_of[entry.name].append(name)
    found = {(name, each.file): each for name, of in told.items() for each in of}
    for file, names in sorted(asked_of.items()):
        replayed = []
        for name in names:
            each = found.get((name, file)) or Told(file=file, problem=_lost(found, name))
            yield from _of_one(each)
            replayed += [] if each.problem or each.idle else [_as_replay(name, each)]
        if len(replayed) > 1:
            why = disagreement(replayed)
            outcome = Outcome.FAIL if why else Outcome.PASS
            yield _verdict(found[names[0], file], "perturbed", outcome, why)


def _lost(found: Mapping[tuple[str, str], Told], name: str) -> str:
    """Why nothing was said of a history: the process ended before."""
    crash = found.get((name, ""))
    return crash.problem if crash else "nothing was said of it"


def _of_one(told: Told) -> Iterator[HistoryVerdict]:
    if told.problem:
        yield _verdict(told, "read", Outcome.INCONCLUSIVE, told.problem)
    elif told.idle:
        yield _verdict(told, "read", Outcome.NOT_APPLICABLE, told.idle)
    else:
        ending, message = told.stock
        yield _verdict(told, "stock", _OUTCOME[ending], message)
        ending, message = told.strict
        yield msgspec.structs.replace(
            _verdict(told, "strict", _OUTCOME[ending], message),
            differences=told.differences,
            compared=len(told.commands),
        )


def _verdict(told: Told, mode: str, outcome: Outcome, message: str) -> HistoryVerdict:
    return HistoryVerdict(
        file=told.file,
        mode=mode,
        outcome=outcome,
        workflow_type=told.workflow_type,
        workflow_id=told.workflow_id,
        run_id=told.run_id,
        message=message,
    )


def _as_replay(name: str, told: Told) -> Replay:
    return Replay(
        **now(), mode="perturbed", tenant="", workflow_id=told.workflow_id, run_id=told.run_id,
        ending=told.strict[0], message=told.strict[1], surroundings=name, commands=told.commands,
    )  # fmt: skip


def _varied(lines: Mapping[str, Sequence[Line]]) -> Iterator[str]:
    seen = [each.seen for of in lines.values() for each in of if isinstance(each, Seen)]
    for name in seen[0] if seen else ():
        if len({each[name] for each in seen}) > 1:
            yield name
