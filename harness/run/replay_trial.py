"""The recorded histories of a trial before the replay frontend, with the target's own worker."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Final

from harness.contract.program import WORKFLOW_TYPE
from harness.errors import UnavailableError, UsageError
from harness.platform.child import Children
from harness.platform.platform import Platform
from harness.replay.corpus import find
from harness.replay.frontend.plan import Plan
from harness.run.conduct import timed
from harness.run.replay_wire import Build, replay_over_wire, wanted
from harness.run.request import Request
from harness.run.source import module_of
from harness.target.model import environment
from harness.trial import Trial

ID: Final = "INV-DET-9"
IN_PROCESS: Final = frozenset({"INV-DET-1", "INV-DET-2"})
"""What replays in process judge; where there is no Python code, those over the wire do."""
AT_ONCE: Final = 24
COLD_HISTORIES: Final = 24  # evenly drawn; all are replayed warm
COLD_TASKS: Final = 5
TASK_WITHIN_S: Final = 20.0


def asked_over_wire(request: Request) -> frozenset[str]:
    """The asked IDs that a replay over the wire judges."""
    judged = {ID} if module_of(request) else {ID, *IN_PROCESS}
    return frozenset(judged & set(request.asked))


async def replay_trial(
    request: Request, platform: Platform, trial: Trial, children: Children
) -> dict[str, str]:
    """Replay the trial's histories over the wire; says what could not be done, by ID."""
    asked = asked_over_wire(request)
    if not asked:
        return {}
    worker = request.target.worker
    command = request.breakage.next_worker or request.breakage.worker or worker.command
    if not command:
        return dict.fromkeys(
            sorted(asked), "the target names no worker.command that a replay could start"
        )
    try:
        entries = await asyncio.to_thread(find, trial.folder)
    except UsageError:  # nothing was recorded, which the check will say
        return {}
    whole = asked & IN_PROCESS
    plan = Plan(
        wanted=wanted(entries),
        modes=["warm", "cold", *(["whole"] if whole else [])],
        namespace="default",
        at_once=AT_ONCE,
        ready_within_s=worker.ready_within_s,
        task_within_s=TASK_WITHIN_S,
        segment=(str(trial.folder.resolve() / "journal"), trial.id),
        workflow_type=WORKFLOW_TYPE,
        cold_histories=COLD_HISTORIES,
        cold_tasks=COLD_TASKS,
    )
    build = Build(
        command=command,
        env=environment(worker, os.environ),
        cwd=Path(worker.cwd) if worker.cwd else None,
        tenants_apart="several_tenants" in platform.lacks,
    )
    request.progress("replaying histories over the wire")
    with timed(platform, "replay: over the wire"):
        try:
            await replay_over_wire(children, platform.folder, plan, build)
        except UnavailableError as error:
            return dict.fromkeys(sorted(asked), f"no replay over the wire: {error}")
    return {}
