"""The conformance arm: one drive over all the suites that the asked IDs need, then the replays."""

from __future__ import annotations

import asyncio
import importlib.metadata
from dataclasses import replace

from harness.checks.table import TABLE
from harness.journal.records import Subject
from harness.platform.child import Children
from harness.platform.platform import Platform
from harness.run.conduct import Arm, Ended, conduct, timed
from harness.run.forking import REFERENCE, start_forks
from harness.run.precedents import record_kept
from harness.run.replay_trial import replay_trial
from harness.run.replays import record_replays
from harness.run.request import Request
from harness.run.serve import serve, start_drive
from harness.run.source import record_scan, record_seeds, record_worker, suffices
from harness.scenario import load_suites, not_allowed
from harness.trial import Trial

# where none of these is asked, workers poll unversioned, which saves making versions current
VERSIONED = frozenset(check.id for check in TABLE if "versioning" in check.capabilities)


def verify(request: Request) -> Ended:
    """One conformance trial, sealed."""
    return conduct(with_generators(request), conformance(request, forking=True))


def conformance(request: Request, *, forking: bool = False) -> Arm:
    """The arm that a request asks for; `forking` starts our own Python processes from one."""

    async def arm(platform: Platform, trial: Trial, children: Children) -> dict[str, str]:
        if suffices(request):
            request.progress("reading the workflow code")
            record_worker(request, platform)
            _read(request, platform, trial)
            return await record_replays(request, platform, trial, children)
        if request.recorded is None:
            await _driven(request, platform, trial, children, forking=forking)
        else:
            await asyncio.to_thread(trial.take_over, request.recorded)
        _read(request, platform, trial)
        if forking:
            children.forks = None  # what is replayed has another seed of hashes than what ran
        in_process, over_wire = await asyncio.gather(
            record_replays(request, platform, trial, children),
            replay_trial(request, platform, trial, children),
        )
        return _not_driven(request) | in_process | over_wire

    return arm


def drive_alone(request: Request) -> Arm:
    """The arm that only drives: others take over what is recorded."""

    async def arm(platform: Platform, trial: Trial, children: Children) -> dict[str, str]:
        await _driven(request, platform, trial, children, forking=False)
        return {}

    return arm


async def _driven(
    request: Request, platform: Platform, trial: Trial, children: Children, *, forking: bool
) -> None:
    """Start the platform, drive it, stop it."""
    request.progress("starting the engine and the doubles")
    with timed(platform, "set-up: engine and doubles"):
        begun = [platform.start_engine(), platform.start_doubles()]
        if forking:
            begun.append(_fork(platform, children))
        await asyncio.gather(*begun)
    platform.versioned = bool(VERSIONED & set(request.asked))
    drive = await start_drive(request, platform, trial, children)
    with timed(platform, "drive: all of it"):
        await serve(request, platform, drive)
    with timed(platform, "stopping the platform"):
        await platform.stop()


async def _fork(platform: Platform, children: Children) -> None:
    children.forks = await start_forks(children, platform.folder, REFERENCE)


def _read(request: Request, platform: Platform, trial: Trial) -> None:
    """Record what needs no platform: the workflow code, what is sown, what was kept."""
    record_scan(request, platform)
    record_seeds(request, platform)
    record_kept(request, platform, trial)


def with_generators(request: Request) -> Request:
    """The request that says what draws sagas, with its version: the same seed gives the same ones
    by the same."""
    suites = load_suites(request.suites)
    drawing = importlib.metadata.version("hypothesis")
    generators = {
        f"generator of {suite.name}": f"{suite.generated.version}, hypothesis {drawing}"
        for suite in suites
        if suite.generated is not None
    }
    return replace(request, environment=generators)


def _not_driven(request: Request) -> dict[str, str]:
    """What this target keeps from being driven, by catalogue ID."""
    suites = load_suites(request.suites)
    reasons = not_allowed(suites, request.asked, request.target.allow.faults)
    if request.target.exporter is None:
        emitted = {check.id for check in TABLE if check.subject is Subject.EXPORTER}
        reasons |= dict.fromkeys(
            sorted(emitted & set(request.asked)),
            "the target file names no `exporter`, so nobody is known to emit audit events",
        )
    return reasons
