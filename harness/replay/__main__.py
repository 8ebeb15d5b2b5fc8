"""`python -m harness.replay`: replay a trial's histories, stock and strict, and record the result.

One pass gives both: the SDK's replayer runs the workflow code, and the commands it issues are
compared with what was recorded. In perturbed surroundings a sample is replayed once more, to see
that the same commands come out. Ends with `os._exit`, like every process that hosts the SDK.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from temporalio.client import WorkflowHistory

from harness.errors import EXIT_BUG, EXIT_UNAVAILABLE, UnavailableError
from harness.journal.manifest import JOURNAL
from harness.journal.read import read_segments
from harness.journal.records import Ending, History, Precedent, Replay, Surroundings, now
from harness.journal.write import SegmentWriter
from harness.replay.corpus import Entry
from harness.replay.digest import digests
from harness.replay.inprocess import Given, Result, replay, type_name, workflows_of
from harness.replay.recorded import Unreadable, read
from harness.replay.sowing import sow, sow_around
from harness.replay.surroundings import BY_NAME, enter, import_backwards, seen

Recorded = History | Precedent


def main() -> None:
    options = _options()
    code = EXIT_BUG
    try:
        asyncio.run(_replay_trial(options))
        code = 0
    except UnavailableError as error:
        print(error, flush=True)
        code = EXIT_UNAVAILABLE
    except Exception:  # noqa: BLE001 - the outer border
        import traceback

        traceback.print_exc(file=sys.stdout)
    sys.stdout.flush()
    os._exit(code)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="harness.replay")
    parser.add_argument("--trial", type=Path, required=True)
    parser.add_argument("--trial-id", required=True)
    parser.add_argument("--workflows", required=True)
    parser.add_argument("--modes", nargs="*", default=["strict"], help="strict, open, kept")
    parser.add_argument("--part", type=int, default=0, help="which of the parts, from 0")
    parser.add_argument("--parts", type=int, default=1, help="of how many that run side by side")
    parser.add_argument("--folder", type=Path, default=Path(), help="where the module lies")
    parser.add_argument(
        "--surroundings", choices=BY_NAME, default="", help="only a sample, in them"
    )
    parser.add_argument("--sample", type=int, default=0, help="how many histories at the most")
    parser.add_argument("--seeds", action="store_true", help="replay what is sown as well")
    parser.add_argument("--blind", nargs="*", default=[], help="attributes not to compare")
    parser.add_argument("--modules", nargs="*", default=[], help="the project's own")
    return parser.parse_args()


async def _replay_trial(options: argparse.Namespace) -> None:
    folder = options.folder.absolute()
    trial = options.trial.resolve()
    around = BY_NAME.get(options.surroundings)
    if around is not None:
        enter(around)
        if around.backwards:
            sys.path.insert(0, str(folder))
            import_backwards(options.modules)
    workflows = workflows_of(options.workflows, folder)
    name = f"replay-{options.surroundings or options.part}"
    with (
        tempfile.TemporaryDirectory() as elsewhere,
        SegmentWriter(trial / JOURNAL, name, options.trial_id) as writer,
    ):
        if around is not None and around.away:
            os.chdir(elsewhere)
        writer.write(Surroundings(**now(), name=options.surroundings, seen=seen(around, folder)))
        if options.seeds:
            async for each in sow_around(options.surroundings):
                writer.write(each)
        if options.seeds and not options.surroundings:
            async for seed in sow(options.blind):
                writer.write(seed)
        mine = []
        for one in _mine(options, trial, workflows):
            if isinstance(one, Precedent) and (why := _unreadable(trial, one)):
                writer.write(_not_replayed(one, why))
            else:
                mine.append(one)
        async for about, result in replayed(trial, mine, workflows):
            for record in _records(options.surroundings, about, result):
                writer.write(record)
        os.chdir(folder)


def _mine(options: argparse.Namespace, trial: Path, workflows: Sequence[type]) -> list[Recorded]:
    """What this process is to replay, in its order."""
    types = {type_name(each) for each in workflows}
    kinds = (History,) if options.surroundings else (History, Precedent)
    modes = {"strict"} if options.surroundings else set(options.modes)
    recorded = sorted(
        (
            each
            for each in read_segments(trial)
            if isinstance(each, kinds) and _mode(each) in modes
            if (each.workflow_type in types or None in types) and _begun(trial, each)
        ),
        key=lambda each: each.path,
    )
    if options.surroundings:
        if not options.sample:
            return []
        step = max(1, -(-len(recorded) // options.sample))
        sample = recorded[::step]
        return sample[::-1] if BY_NAME[options.surroundings].backwards else sample
    return recorded[options.part :: options.parts]


def _mode(about: Recorded) -> str:
    return about.origin if isinstance(about, Precedent) else "strict"


def _begun(trial: Path, about: Recorded) -> bool:
    """Whether there is anything to replay: a replayer waits for ever for a first workflow task."""
    closed = about.closed if isinstance(about, Precedent) else about.status != "RUNNING"
    return closed or b"WORKFLOW_TASK_STARTED" in (trial / about.path).read_bytes()


async def replayed(
    trial: Path, recorded: Sequence[Recorded], workflows: Sequence[type]
) -> AsyncIterator[tuple[Recorded, Result]]:
    """Each history with what came of it, in the order of the namespaces."""

    def given(about: Recorded) -> Given:
        def parsed() -> WorkflowHistory:
            return WorkflowHistory(about.workflow_id, read(_entry(trial, about)).events)

        return Given(namespace=about.namespace, history=parsed)

    async for result in replay([given(each) for each in recorded], workflows):
        yield recorded[result.number], result


def _entry(trial: Path, about: Recorded) -> Entry:
    return Entry(
        path=trial / about.path,
        name=about.path,
        workflow_id=about.workflow_id,
        run_id=about.run_id,
    )


def _unreadable(trial: Path, about: Precedent) -> str:
    """Why a history that somebody kept cannot be replayed; empty if it can."""
    try:
        read(_entry(trial, about))
    except Unreadable as error:
        return str(error)
    return ""


def _not_replayed(about: Precedent, why: str) -> Replay:
    return Replay(
        **now(), mode=about.origin, tenant=about.tenant, workflow_id=about.workflow_id,
        run_id=about.run_id, ending=Ending.INFO, message=f"{about.path}: {why}",
    )  # fmt: skip


def _records(surroundings: str, about: Recorded, result: Result) -> list[Replay]:
    """A record for each mode in which this counts as a replay."""
    stock, strict = result.stock, result.strict
    if surroundings:
        modes = {"perturbed": strict}
    elif isinstance(about, Precedent):
        modes = {about.origin: stock if stock[0] is Ending.FAIL else strict}
    else:
        modes = {"stock": stock, "strict": strict}
    commands = [] if result.stuck else digests(result.captured.commands)
    return [
        Replay(
            **now(),
            mode=mode,
            tenant=about.tenant,
            workflow_id=about.workflow_id,
            run_id=about.run_id,
            ending=ending,
            message=message[:600],
            differences=differences,
            surroundings=surroundings,
            commands=[] if mode == "stock" else commands,
        )
        for mode, (ending, message, differences) in modes.items()
    ]


if __name__ == "__main__":
    main()
