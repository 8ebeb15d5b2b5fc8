"""`python -m harness.replay`: replay a trial's histories, stock and strict, and record the result.

One pass gives both: the SDK's replayer runs the workflow code, and the commands it issues are
compared with what was recorded. Ends with `os._exit`, like every process that hosts the SDK.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, WorkflowReplayResult
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from harness.errors import EXIT_BUG, EXIT_UNAVAILABLE, UnavailableError
from harness.journal.manifest import JOURNAL
from harness.journal.read import read_segments
from harness.journal.records import Difference, Ending, History, Replay, now
from harness.journal.write import SegmentWriter
from harness.replay.capture import Captured, CapturingRunner
from harness.replay.compare import Own, compare, unknown_kinds
from harness.replay.verdicts import ERROR

NOTHING = Captured("", "")


def main() -> None:
    options = _options()
    code = EXIT_BUG
    try:
        workflows = workflows_of(options.workflows, options.folder)
        asyncio.run(_replay_trial(options, workflows))
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
    parser.add_argument("--part", type=int, default=0, help="which of the parts, from 0")
    parser.add_argument("--parts", type=int, default=1, help="of how many that run side by side")
    parser.add_argument("--folder", type=Path, default=Path(), help="where the module lies")
    return parser.parse_args()


def workflows_of(name: str, folder: Path) -> list[type]:
    """The workflow classes that a module, found from a folder, defines (else those it imports).

    Raises `UnavailableError` for a module that does not import or has none.
    """
    sys.path.insert(0, str(folder.absolute()))
    try:
        module = importlib.import_module(name)
    except Exception as error:  # noqa: BLE001 - the platform's own code may raise anything
        raise UnavailableError(
            f"worker.workflows: module {name} does not import ({type(error).__name__}: {error}); "
            "correct it in the target file"
        ) from None
    found = [
        each
        for each in vars(module).values()
        if isinstance(each, type) and "__temporal_workflow_definition" in vars(each)
    ]
    own = [each for each in found if each.__module__ == name]
    if not found:
        raise UnavailableError(
            f"worker.workflows: module {name} has no workflow class; "
            "name the module that defines them in the target file"
        )
    return own or found


def type_name(workflow_class: type) -> str | None:
    """The workflow type under which a class is registered; None for a dynamic one."""
    definition = workflow._Definition.from_class(workflow_class)
    return definition.name if definition else None


async def _replay_trial(options: argparse.Namespace, workflows: list[type]) -> None:
    trial, part = options.trial, options.part
    types = {type_name(each) for each in workflows}
    recorded = [
        r
        for r in read_segments(trial)
        if isinstance(r, History) and r.workflow_type in types and _begun(trial, r)
    ]
    mine = sorted(recorded, key=lambda history: history.path)[part :: options.parts]
    with SegmentWriter(trial / JOURNAL, f"replay-{part}", options.trial_id) as writer:
        async for about, stock, strict in replayed(trial, mine, workflows):
            for mode, (ending, message, differences) in (("stock", stock), ("strict", strict)):
                writer.write(
                    Replay(
                        **now(),
                        mode=mode,
                        tenant=about.tenant,
                        workflow_id=about.workflow_id,
                        run_id=about.run_id,
                        ending=ending,
                        message=message[:600],
                        differences=differences,
                    )
                )


def _begun(trial: Path, history: History) -> bool:
    """Whether there is anything to replay: a replayer waits for ever for a first workflow task."""
    return (
        history.status != "RUNNING"
        or b"WORKFLOW_TASK_STARTED" in (trial / history.path).read_bytes()
    )


Judged = tuple[Ending, str, list[Difference]]


async def replayed(
    trial: Path,
    recorded: list[History],
    workflows: list[type],
) -> AsyncIterator[tuple[History, Judged, Judged]]:
    """Each history with its stock and its strict result, in the order of the namespaces."""
    for namespace in sorted({history.namespace for history in recorded}):
        inside = [history for history in recorded if history.namespace == namespace]
        async for each in _replayed(trial, inside, workflows, namespace):
            yield each


async def _replayed(
    trial: Path, recorded: list[History], workflows: list[type], namespace: str
) -> AsyncIterator[tuple[History, Judged, Judged]]:
    runner = CapturingRunner(SandboxedWorkflowRunner())
    outside = CapturingRunner(UnsandboxedWorkflowRunner())
    replayer = Replayer(
        workflows=workflows,
        workflow_runner=runner,
        unsandboxed_workflow_runner=outside,
        namespace=namespace,
    )

    async def histories() -> AsyncIterator[WorkflowHistory]:
        for each in recorded:
            yield WorkflowHistory.from_json(each.workflow_id, (trial / each.path).read_text())

    in_order = iter(recorded)  # the replayer takes one after the other
    async with replayer.workflow_replay_iterator(histories()) as results:
        async for result in results:
            about = next(in_order)
            run_id = result.history.run_id
            captured = runner.runs.pop(run_id, None) or outside.runs.pop(run_id, NOTHING)
            yield about, _stock(result), _strict(result, captured, about)


def _stock(result: WorkflowReplayResult) -> Judged:
    if result.replay_failure is None:
        return Ending.OK, "", []
    return Ending.FAIL, str(result.replay_failure), []


def _strict(result: WorkflowReplayResult, captured: Captured, about: History) -> Judged:
    failure = result.replay_failure
    if isinstance(failure, workflow.NondeterminismError):
        return Ending.FAIL, str(failure), []
    events = list(result.history.events)
    strange = unknown_kinds(captured.commands, events)
    if strange:
        return Ending.INFO, f"not compared: {', '.join(strange)}", []
    if failure is not None:
        return Ending.FAIL, str(failure), []
    started = events[0].workflow_execution_started_event_attributes
    own = Own(
        task_queue=started.task_queue.name,
        workflow_type=started.workflow_type.name,
        namespace=about.namespace,
        replayed_task_queue=captured.task_queue,
        replayed_namespace=captured.namespace,
    )
    differences = compare(captured.commands, events, own)
    red = [each for each in differences if each.severity == ERROR]
    message = f"{len(red)} recorded attributes differ" if red else ""
    return Ending.FAIL if red else Ending.OK, message, differences


if __name__ == "__main__":
    main()
