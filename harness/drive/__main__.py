"""`python -m harness.drive PLAN`: one drive, from connecting to the last record.

Everything is written before the process ends, and it ends with `os._exit`: a process that hosts the
SDK sometimes dies at interpreter exit.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import sys
import traceback
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import msgspec

from harness.contract.canaries import POSITIONS, canary
from harness.doubles.client import DoublesClient
from harness.drive.case_run import Run
from harness.drive.cases import drive_cases, runs_of
from harness.drive.connect import connect_all, server_version
from harness.drive.evidence import await_audit, export_histories
from harness.drive.plan import DrivePlan
from harness.drive.session import Drive, SupervisorLink
from harness.drive.versions import make_all_current
from harness.drive.watch import engine_gone
from harness.errors import EXIT_BUG, EXIT_UNAVAILABLE, HarnessError, TargetGone
from harness.groups import CRASH
from harness.journal.manifest import JOURNAL
from harness.journal.records import Canary, now
from harness.journal.write import SegmentWriter
from harness.program_file import SUITE as GIVEN
from harness.program_file import ProgramFile
from harness.scenario import Act, Suite, act_breaks, load_suites
from harness.tap.client import TapClient
from harness.trial import NO_ROOM

ACT_DEADLINE_S = 180.0
EXIT_TERMINATED = 128 + signal.SIGTERM


def main() -> None:
    plan = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=DrivePlan)
    code = EXIT_BUG
    with SegmentWriter(Path(plan.trial) / JOURNAL, "drive", plan.trial_id) as writer:
        try:
            code = asyncio.run(_main(plan, writer))
        except HarnessError as error:
            print(error, flush=True)
            code = error.exit_code
        except Exception as error:  # noqa: BLE001 - the outer border
            code = _told(error, plan.trial)
    sys.stdout.flush()
    os._exit(code)


def _told(error: Exception, trial: str) -> int:
    """Say what the supervisor is to know; of a bug, the traceback is the message."""
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        print(f"{trial}: {error.strerror}; make room, or give --out a folder on another disk")
        return EXIT_UNAVAILABLE
    traceback.print_exc(file=sys.stdout)
    return EXIT_BUG


async def _main(plan: DrivePlan, writer: SegmentWriter) -> int:
    link = SupervisorLink()
    listening = asyncio.create_task(link.listen())
    work = asyncio.create_task(_work(plan, writer, link))
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, work.cancel)
    await asyncio.wait({listening, work}, return_when=asyncio.FIRST_COMPLETED)
    if not work.done():
        work.cancel()  # the supervisor is gone
        return EXIT_BUG
    try:
        await work
    except asyncio.CancelledError:
        return EXIT_TERMINATED  # what was recorded is whole, but it is not all
    return 0


async def _work(plan: DrivePlan, writer: SegmentWriter, link: SupervisorLink) -> None:
    clients = await connect_all(plan.engine, plan.tenants)
    async with DoublesClient(plan.control) as doubles:
        drive = Drive(plan=plan, writer=writer, clients=clients, doubles=doubles, supervisor=link)
        suites = load_suites(plan.suites)
        suites += _given(plan.given)
        runs = runs_of(drive, suites)
        told = await link.ask(
            "prepared",
            groups=sorted({"calm", *(run.group for run in runs), *_groups(drive, suites)}),
            text=await server_version(next(iter(clients.values()))),
        )
        drive.lacks |= set(told["lacks"])
        drive.tap = TapClient(told["tap"]) if told["tap"] else None
        drive.tapped_address = told["starter"]
        await make_all_current(drive)
        await _while_there(drive, _rounds(drive) if plan.rounds else _drive(drive, suites))


async def _rounds(drive: Drive) -> None:
    """Drive the sagas that the supervisor names, round by round, until it names none."""
    while files := (await drive.supervisor.ask("more"))["files"]:
        suites = _given(msgspec.convert(files, list[ProgramFile]))
        await drive_cases(drive, runs_of(drive, suites))
        await export_histories(drive)
        drive.tracked.clear()
        await drive.doubles.flush()
        drive.writer.flush()


def _given(files: list[ProgramFile]) -> list[Suite]:
    """The program files as a suite."""
    cases = tuple(file.case for file in files)
    feeds = tuple({each: None for case in cases for each in case.feeds})
    return [Suite(name=GIVEN, feeds=feeds, cases=cases)] if cases else []


async def _while_there(drive: Drive, work: Coroutine[Any, Any, None]) -> None:
    """Do the work as long as the engine answers; a chaos schedule may mean that it does not."""
    driving = asyncio.create_task(work)
    if drive.plan.steady is not None:
        return await driving
    watching = asyncio.create_task(engine_gone(drive))
    try:
        await asyncio.wait({driving, watching}, return_when=asyncio.FIRST_COMPLETED)
        if driving.done():
            return await driving
        raise TargetGone(watching.result())
    finally:
        for task in (driving, watching):
            task.cancel()
        await asyncio.wait({driving, watching})


async def _drive(drive: Drive, suites: list[Suite]) -> None:
    runs = runs_of(drive, suites)
    _record_canaries(drive)
    drive.supervisor.progress(f"driving {len(runs)} sagas over {len(drive.tenants)} tenants")
    async with drive.timed("drive: sagas and what runs beside them"):
        await asyncio.gather(
            _timed_cases(drive, runs), *(_act(drive, act) for act in _acts(drive, suites, "beside"))
        )
    for act in _acts(drive, suites, "after"):
        await _act(drive, act)
    restarted = _acts(drive, suites, "restarted")
    if restarted:
        drive.supervisor.progress("restarting workers")
        async with drive.timed("drive: worker restart"):
            await drive.order("kill-worker", CRASH)
            await drive.order("restart-worker", CRASH)
        for act in restarted:
            await _act(drive, act)
    drive.supervisor.progress("exporting histories")
    async with drive.timed("drive: histories"):
        audited = await export_histories(drive)
    async with drive.timed("drive: audit events caught up"):
        await await_audit(drive, audited)
    await drive.doubles.flush()


def _record_canaries(drive: Drive) -> None:
    for tenant in drive.tenants:
        for position in POSITIONS:
            word = canary(drive.plan.trial_id, tenant.name, position)
            drive.writer.write(Canary(**now(), tenant=tenant.name, position=position, word=word))


async def _timed_cases(drive: Drive, runs: list[Run]) -> None:
    async with drive.timed("drive: sagas"):
        await drive_cases(drive, runs)


def _groups(drive: Drive, suites: list[Suite]) -> set[str]:
    """The groups whose workers the acts need."""
    return {group for act in _acts(drive, suites) for group in act.groups}


def _acts(drive: Drive, suites: list[Suite], when: str = "") -> list[Act]:
    asked = set(drive.plan.asked)
    return [
        act
        for suite in suites
        for act in suite.acts
        if when in ("", act.when)
        and asked & set(act.feeds)
        and not act.needs & drive.lacks
        and act_breaks(act) <= set(drive.plan.allowed)
    ]


async def _act(drive: Drive, act: Act) -> None:
    module, _, function = act.call.partition(":")
    async with drive.timed(f"act: {act.name}"):
        await drive.call(
            "act",
            getattr(importlib.import_module(module), function)(drive),
            case=act.name,
            deadline_s=ACT_DEADLINE_S,
        )


if __name__ == "__main__":
    main()
