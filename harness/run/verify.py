"""The conformance arm: one drive over all the suites that the asked IDs need, then the replays."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from harness.errors import DriveError, HarnessError, UnavailableError
from harness.platform.child import Child, Children
from harness.platform.platform import Platform
from harness.run.conduct import Ended, conduct, timed
from harness.run.request import Request
from harness.run.serve import serve, start_drive
from harness.trial import Trial

REPLAY_DEADLINE_S = 300.0
REPLAYED = frozenset({"INV-DET-1", "INV-DET-2"})


def verify(request: Request) -> Ended:
    """One conformance trial, sealed."""

    async def arm(platform: Platform, trial: Trial, children: Children) -> dict[str, str]:
        request.progress("starting the engine and the doubles")
        with timed(platform, "set-up: engine and doubles"):
            await asyncio.gather(platform.start_engine(), platform.start_doubles())
        drive = await start_drive(request, platform, trial, children)
        with timed(platform, "drive: all of it"):
            await serve(request, platform, drive)
        with timed(platform, "stopping the platform"):
            await platform.stop()
        return await _replay(request, platform, trial, children)

    return conduct(request, arm)


async def _replay(
    request: Request, platform: Platform, trial: Trial, children: Children
) -> dict[str, str]:
    """Replay the recorded histories, if a determinism ID is asked; says what could not be done."""
    asked = REPLAYED & set(request.asked)
    module = request.breakage.workflows or request.target.worker.workflows
    if not asked:
        return {}
    if not module:
        why = "the target names no worker.workflows, the Python module to replay"
        return dict.fromkeys(sorted(asked), why)
    request.progress("replaying histories")
    with timed(platform, "replay: stock and strict"):
        child = await children.start(
            "replay",
            [
                sys.executable,
                "-m",
                "harness.replay",
                "--trial",
                str(trial.folder.resolve()),
                "--trial-id",
                trial.id,
                "--workflows",
                module,
            ],
            cwd=Path(request.target.worker.cwd) if request.target.worker.cwd else None,
        )
        code = await child.wait(REPLAY_DEADLINE_S)
    if code:
        raise _replay_error(child, code)
    return {}


def _replay_error(child: Child, code: int) -> HarnessError:
    if code == UnavailableError.exit_code:
        return UnavailableError(f"replay: {child.lines[-1] if child.lines else 'gave up'}")
    return DriveError(f"the replay ended with {code}{child.tail()}")
