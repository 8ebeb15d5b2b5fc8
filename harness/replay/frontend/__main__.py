"""`python -m harness.replay.frontend PLAN`: serves a plan's histories to a worker, and judges.

The supervisor starts it, then the worker, tells on standard input what becomes of the worker, and
reads the verdicts when the last line is there. Ends with `os._exit`, like every process that hosts
the SDK's messages.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from harness.contract.ready import READY
from harness.errors import EXIT_BUG
from harness.journal.records import UNDECODABLE, Ending, Replay, now
from harness.journal.write import SegmentWriter
from harness.outcome import Outcome
from harness.replay.corpus import Entry
from harness.replay.frontend.matching import Matching
from harness.replay.frontend.outside import Outside
from harness.replay.frontend.plan import DONE, RESTART, Addresses, News, Plan, Summary, Wanted
from harness.replay.frontend.run import Queue, Run, Write
from harness.replay.frontend.server import Frontend
from harness.replay.verdicts import HistoryVerdict

SEGMENT: Final = "replay-wire"
_ENDINGS: Final = {Outcome.PASS: Ending.OK, Outcome.FAIL: Ending.FAIL}


def main() -> None:
    """Serve one plan."""
    code = EXIT_BUG
    try:
        plan = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Plan)
        summary = asyncio.run(_serve(plan))
        print(f"{DONE} {msgspec.json.encode(summary).decode()}", flush=True)
        code = 0
    except Exception:  # noqa: BLE001 - the outer border
        import traceback

        traceback.print_exc(file=sys.stdout)
    sys.stdout.flush()
    os._exit(code)


async def _serve(plan: Plan) -> Summary:
    matching = Matching()
    frontend, outside = Frontend(matching), Outside()
    entries, queues = _chosen(plan)
    engine, url = await frontend.open(), await outside.open()
    with _writing(plan) as write:
        run = Run(plan, entries, queues, matching, write, _ask_for_restart)
        listening = asyncio.create_task(_listen(run))
        addresses = Addresses(engine=engine, outside=url, queues=queues)
        print(f"{READY}{msgspec.json.encode(addresses).decode()}", flush=True)
        trouble = await run.all()
        listening.cancel()
    return Summary(
        trouble=trouble,
        calls=dict(frontend.calls),
        outside=dict(outside.calls),
        histories=run.judged,
        seconds=asyncio.get_running_loop().time() - run.began,
    )


def _ask_for_restart() -> None:
    print(RESTART, flush=True)


class _Name(msgspec.Struct, frozen=True):
    name: str = ""


class _Begun(msgspec.Struct, frozen=True, rename="camel"):
    workflow_type: _Name = _Name()
    task_queue: _Name = _Name()


class _Event(msgspec.Struct, frozen=True, rename="camel"):
    workflow_execution_started_event_attributes: _Begun | None = None


class _History(msgspec.Struct, frozen=True):
    events: tuple[_Event, ...] = ()


def _chosen(plan: Plan) -> tuple[list[Entry], list[Queue]]:
    """The histories to replay, and the queues that they were recorded on.

    Only their beginnings are looked at; what cannot be read is told when its turn comes.
    """
    entries: list[Entry] = []
    queues: dict[Queue, None] = {}
    for wanted in plan.wanted:
        begun = _beginning(wanted)
        if plan.workflow_type and begun.workflow_type.name != plan.workflow_type:
            continue
        entries.append(_entry(wanted))
        if begun.task_queue.name:
            namespace = wanted.namespace or plan.namespace
            queues[wanted.tenant or namespace, namespace, begun.task_queue.name] = None
    return entries, list(queues)


def _beginning(wanted: Wanted) -> _Begun:
    try:
        history = msgspec.json.decode(Path(wanted.path).read_bytes(), type=_History)
        first = history.events[0].workflow_execution_started_event_attributes
    except (OSError, IndexError, *UNDECODABLE):
        return _Begun()
    return first or _Begun()


def _entry(wanted: Wanted) -> Entry:
    fields: dict[str, Any] = msgspec.structs.asdict(wanted)
    return Entry(**{**fields, "path": Path(wanted.path)})


async def _listen(run: Run) -> None:
    """Take the supervisor's news of the worker, a line each."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while line := await reader.readline():
        run.hear(msgspec.json.decode(line, type=News))


@contextlib.contextmanager
def _writing(plan: Plan) -> Iterator[Write]:
    """Where verdicts go: records of a trial, or lines of a file."""
    if plan.segment is None:
        with Path(plan.out).open("wb") as lines:

            def write_line(_: Entry, verdict: HistoryVerdict) -> None:
                lines.write(msgspec.json.encode(verdict) + b"\n")

            yield write_line
        return
    folder, trial_id = plan.segment
    with SegmentWriter(Path(folder), SEGMENT, trial_id) as segment:

        def write(entry: Entry, verdict: HistoryVerdict) -> None:
            if verdict.outcome is not Outcome.NOT_APPLICABLE:
                segment.write(_record(entry, verdict))

        yield write


def _record(entry: Entry, verdict: HistoryVerdict) -> Replay:
    return Replay(
        **now(),
        mode=f"wire-{verdict.mode or 'warm'}",
        tenant=entry.tenant,
        workflow_id=entry.workflow_id,
        run_id=entry.run_id,
        ending=_ENDINGS.get(verdict.outcome, Ending.INFO),
        message=verdict.message,
        differences=verdict.differences,
        tasks=verdict.tasks,
        compared=verdict.compared,
    )


if __name__ == "__main__":
    main()
