"""Conducting a trial: open its folder, start a platform, run an arm, stop all, seal.

What is common to every arm. Ctrl-C and SIGTERM cancel the arm, and the trial is sealed as
interrupted with what it has; a second one does not wait for anybody.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform as machine
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from harness import __version__
from harness.errors import TargetGone, UnavailableError
from harness.journal.manifest import COMPLETE, INTERRUPTED, WHY_ENDED, Manifest
from harness.journal.records import Timing, now
from harness.journal.write import SegmentWriter
from harness.platform.child import Children
from harness.platform.forks import Forks
from harness.platform.platform import Platform
from harness.platform.registry import Registry, sweep
from harness.run.request import Request
from harness.target.parse import summary
from harness.tools.cache import cache_folder
from harness.trial import NO_ROOM, OWN, Trial, open_trial

Arm = Callable[[Platform, Trial, Children], Awaitable[dict[str, str]]]


class Ended:
    """A sealed trial's folder and how it ended."""

    def __init__(self, folder: Path, ended: str) -> None:
        self.folder = folder
        self.ended = ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where a trial's processes are known and keep their state, and what it shares with others.

    `engine_at` is an embedded engine that runs already, `forks` where Python programs start fast.
    """

    registry: Registry
    folder: Path
    engine_at: str = ""
    forks: Forks | None = None


def conduct(request: Request, arm: Arm) -> Ended:
    """Run `arm` on a platform of its own and seal the trial.

    Raises `UnavailableError` or `UsageError` when it cannot begin; then only logs are left of its
    folder. Whatever is raised after something was driven, the trial is sealed as interrupted.
    """
    for line in sweep(cache_folder() / "running"):
        request.progress(line)
    trial = open_trial(request.arm, request.out, request.recorded)
    try:
        return asyncio.run(_conduct(request, arm, trial))
    finally:
        trial.release()


async def _conduct(request: Request, arm: Arm, trial: Trial) -> Ended:
    begun = _begun(request, trial)
    trial.begin(begun)
    work = asyncio.create_task(_alone(request, arm, trial))
    _cancel_on_signals(work)
    return await _sealing(request, trial, begun, work)


async def conducted(request: Request, arm: Arm, site: Site) -> Ended:
    """The same as `conduct` for one of several trials of a process, at a site they share.

    A cancelled one is sealed as interrupted, and cancelled.
    """
    trial = open_trial(request.arm, request.out, request.recorded)
    try:
        begun = _begun(request, trial)
        trial.begin(begun)
        work = asyncio.create_task(_platform(request, arm, trial, site))
        ended = await _sealing(request, trial, begun, work)
    finally:
        trial.release()
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
    return ended


async def _sealing(
    request: Request, trial: Trial, begun: Manifest, work: asyncio.Task[dict[str, str]]
) -> Ended:
    """Wait for a trial's work, and seal the trial whatever became of it."""
    try:
        not_driven = await work
    except asyncio.CancelledError:
        return _sealed(trial, begun, INTERRUPTED)
    except TargetGone as gone:
        request.progress(str(gone))
        environment = {**begun.environment, WHY_ENDED: str(gone)}
        begun = msgspec.structs.replace(begun, environment=environment)
        return _sealed(trial, begun, INTERRUPTED)
    except BaseException as error:
        if not trial.discarded():
            _sealed(trial, begun, INTERRUPTED)
            error.add_note(
                f"what was recorded until then is kept; judge it with: harness recheck "
                f"{trial.folder}"
            )
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            raise UnavailableError(
                f"{trial.folder}: {error.strerror}; make room or give --out a folder on another "
                "disk"
            ) from None
        raise
    return _sealed(trial, begun, COMPLETE, not_driven)


def _sealed(
    trial: Trial, begun: Manifest, ended: str, not_driven: dict[str, str] | None = None
) -> Ended:
    trial.seal(
        msgspec.structs.replace(
            begun, ended=ended, ended_wall_ns=time.time_ns(), not_driven=not_driven or {}
        )
    )
    return Ended(trial.folder, ended)


def _begun(request: Request, trial: Trial) -> Manifest:
    """The manifest as far as it is known before anything runs."""
    began = time.time_ns()
    return Manifest(
        trial_id=trial.id,
        arm=request.arm,
        profile=request.profile,
        harness=__version__,
        started_wall_ns=began,
        ended_wall_ns=began,
        ended=INTERRUPTED,
        seed=request.seed or trial.seed,
        asked=list(request.asked),
        tenants={t.name: t.namespace for t in request.target.tenants},
        parameters=dict(request.parameters),
        environment={**_environment(), **request.environment},
        target=summary(request.target),
        waivers=list(request.waivers),
    )


def _cancel_on_signals(work: asyncio.Task[Any]) -> None:
    """The first SIGINT or SIGTERM cancels the work, the next one ends the process at once."""
    loop = asyncio.get_running_loop()

    def interrupt() -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        work.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupt)


async def _alone(request: Request, arm: Arm, trial: Trial) -> dict[str, str]:
    with contextlib.closing(Registry(cache_folder() / "running")) as registry:
        site = Site(registry=registry, folder=registry.folder)
        return await _platform(request, arm, trial, site)


async def _platform(request: Request, arm: Arm, trial: Trial, site: Site) -> dict[str, str]:
    with _closed(_segment(trial)) as segment:
        async with Children(site.registry, trial.logs, site.forks) as children:
            platform = Platform(
                request.target,
                request.breakage,
                children,
                segment,
                trial.folder,
                site.folder,
                request.progress,
                ours=request.ours,
                trial_id=trial.id,
                engine_at=site.engine_at,
            )
            return await arm(platform, trial, children)


@contextlib.contextmanager
def _closed(segment: SegmentWriter) -> Iterator[SegmentWriter]:
    """The supervisor's segment, with its footer at the end unless the disk is full."""
    try:
        yield segment
    finally:
        with contextlib.suppress(OSError):
            segment.close()


def _segment(trial: Trial) -> SegmentWriter:
    try:
        return SegmentWriter(trial.journal, OWN, trial.id)
    except OSError as error:
        raise UnavailableError(
            f"{trial.folder}: {error.strerror}; the journal goes there"
        ) from None


class timed:
    """`with timed(platform, "what"):` records how long a part took."""

    def __init__(self, platform: Platform, what: str) -> None:
        self._platform = platform
        self._what = what

    def __enter__(self) -> None:
        self._began = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self._platform.record(
            Timing(**now(), what=self._what, seconds=time.monotonic() - self._began)
        )


def _environment() -> dict[str, str]:
    return {
        "python": machine.python_version(),
        "system": machine.platform(),
        "cores": str(os.cpu_count()),
        "interpreter": sys.implementation.name,
    }
