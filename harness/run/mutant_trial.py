"""The trial of one mutant, at a site that it shares with others.

Each has namespaces, doubles, worker, exporter and drive of its own; one that breaks the engine has
an engine of its own. Those whose defect comes after the drive, in what is read or replayed, take
over one drive of the reference platform. Mutants of other arms are commands.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import msgspec

from harness.checks.table import PROFILES
from harness.mutant import Mutant
from harness.outcome import EXIT_FAIL, EXIT_INCONCLUSIVE, EXIT_PASS
from harness.platform.breakage import NOTHING
from harness.platform.child import Child, Children
from harness.platform.forks import Forks
from harness.platform.registry import Registry
from harness.run.conduct import Arm, Site, conducted
from harness.run.kept import kept_trial, said_as_driven
from harness.run.request import Request
from harness.run.source import suffices
from harness.run.verify import VERSIONED, conformance, drive_alone
from harness.scenario import load_suites
from harness.target.model import Target

RUN_WITHIN_S: Final = 400.0
ENDS_WITHIN_S: Final = 15.0
SHARED: Final = "shared-drive"
# each namespace has workers of the engine's own, for versions and schedules; of hundreds of
# namespaces they take a quarter of a core
PLAIN: Final = {"worker.perNamespaceWorkerCount": 0}
_JUDGED: Final = (EXIT_PASS, EXIT_FAIL, EXIT_INCONCLUSIVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """What the mutants share: of the engines, the plain one knows neither Worker Deployment
    versions nor schedules."""

    registry: Registry
    children: Children
    engine_at: str
    plain_at: str
    forks: Forks
    drive: SharedDrive


async def driven(mutant: Mutant, request: Request, folder: Path, cluster: Cluster) -> str:
    """One trial of the conformance arm; says why there is none."""
    request = replace(said_as_driven(mutant.name, request), out=folder)
    if takes_over(request):
        request = replace(request, recorded=await cluster.drive.taken())
        own = True
    else:
        own = mutant.own_engine
    arm = conformance(request)
    await _conducted(mutant.name, request, arm, cluster, own_engine=own, forked=mutant.forked)
    return ""


class SharedDrive:
    """One drive of the reference platform: all that is asked by those who take over its trial."""

    def __init__(self, requests: Sequence[Request], folder: Path, *, goes_on: bool) -> None:
        self._requests = [request for request in requests if takes_over(request)]
        self._folder = folder
        self._goes_on = goes_on
        self._drive: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def running(self, cluster: Cluster) -> AsyncIterator[None]:
        """Drive beside what is done within; what still runs at the end is cancelled."""
        if self._requests:
            self._drive = asyncio.create_task(self._driven(cluster))
        try:
            yield
        finally:
            if self._drive is not None:
                self._drive.cancel()
                await asyncio.wait({self._drive})

    async def taken(self) -> Path:
        """The folder of its trial, once it is whole; raises as the drive did."""
        assert self._drive is not None, "nothing is driven outside of `running`"
        await asyncio.shield(self._drive)
        return self._folder

    def request(self) -> Request:
        """All that any of them asks, of a platform on which nothing is broken."""
        asked = {each for request in self._requests for each in request.asked}
        patterns = [each for request in self._requests for each in request.cases]
        whole = any(not request.cases for request in self._requests)
        return replace(
            self._requests[0],
            asked=tuple(sorted(asked)),
            cases=() if whole else tuple(dict.fromkeys(patterns)),
            breakage=NOTHING,
        )

    async def _driven(self, cluster: Cluster) -> None:
        request = said_as_driven(SHARED, self.request())
        if self._goes_on:
            kept = await asyncio.to_thread(kept_trial, SHARED, request, self._folder)
            if kept is not None:
                return
        request = replace(request, out=self._folder)
        await _conducted(SHARED, request, drive_alone(request), cluster)


def takes_over(request: Request) -> bool:
    """Whether a request is served by a drive that others share."""
    known_cases = bool(request.cases) or is_whole(request)
    return request.breakage.after_drive and known_cases and not suffices(request)


def is_whole(request: Request) -> bool:
    """Whether all of its profile is asked."""
    return set(request.asked) >= set(PROFILES[request.profile])


async def _conducted(
    name: str,
    request: Request,
    arm: Arm,
    cluster: Cluster,
    *,
    own_engine: bool = False,
    forked: bool = True,
) -> None:
    site = Site(
        registry=cluster.registry,
        folder=cluster.registry.folder / name,
        engine_at="" if own_engine else _engine_for(request, cluster),
        forks=cluster.forks if forked else None,
    )
    site.folder.mkdir()
    target = _in_own_namespaces(request.target, SHARED if request.recorded else name)
    async with asyncio.timeout(RUN_WITHIN_S):
        await conducted(replace(request, target=target), arm, site)


def _engine_for(request: Request, cluster: Cluster) -> str:
    """Where the engine is that a trial shares; empty if it has one of its own."""
    if request.breakage.engine or is_whole(request):  # which the load of others would disturb
        return ""
    asked = set(request.asked)
    acts = [act for suite in load_suites(request.suites) for act in suite.acts]
    scheduled = any(act.schedules and asked & set(act.feeds) for act in acts)
    return cluster.engine_at if scheduled or VERSIONED & asked else cluster.plain_at


def _in_own_namespaces(target: Target, name: str) -> Target:
    return msgspec.structs.replace(
        target,
        tenants=tuple(
            msgspec.structs.replace(tenant, namespace=f"{name}.{tenant.namespace}")
            for tenant in target.tenants
        ),
    )


async def commanded(mutant: Mutant, folder: Path, cluster: Cluster) -> str:
    """One trial of another arm, by its command; says why there is none."""
    options = ["--mutant", mutant.name, "--no-show", "--out", str(folder), *mutant.options]
    child = await cluster.children.start(
        mutant.name, [sys.executable, "-m", "harness", mutant.arm, *options]
    )
    code = await child.wait(RUN_WITHIN_S)
    if code in _JUDGED:
        return ""
    await child.stop(ENDS_WITHIN_S)
    return _why(child, code)


def _why(child: Child, code: int | None) -> str:
    return (
        f"did not end within {RUN_WITHIN_S:g} s"
        if code is None
        else (f"ended with {code}{child.tail()}")
    )
