"""The chaos arm: a fault schedule on the worker's link, under a steady load of sagas."""

from __future__ import annotations

import asyncio

from harness.drive.plan import Ask, Steady
from harness.errors import UsageError
from harness.faults.chaos_file import ChaosScenario
from harness.faults.evidence import peers_of
from harness.faults.inject import inject
from harness.faults.toxiproxy import Link, Toxiproxy, toxiproxy_command
from harness.platform.child import Child, Children
from harness.platform.platform import Platform
from harness.platform.ports import free_ports
from harness.run.conduct import Ended, conduct, timed
from harness.run.request import Request
from harness.run.serve import serve, start_drive
from harness.tools.toxiproxy import find_toxiproxy
from harness.trial import Trial

WORKER_LINK = "worker-engine"
TOXIPROXY_READY_S = 10.0


def links_of(request: Request) -> tuple[str, ...]:
    """The links that may be broken here; raises `UsageError` where the target allows none."""
    target = request.target
    if not target.may("link-cut") or "worker" not in target.links:
        raise UsageError(
            "the target does not let its worker's link be cut; allow it in the target file with "
            "`links: [worker]` and `allow: {faults: [link-cut]}`"
        )
    if target.worker.external:
        raise UsageError(
            "an external worker's link cannot be put through Toxiproxy; let the "
            "harness start it with worker.command"
        )
    return (WORKER_LINK,)


def chaos(request: Request, scenario: ChaosScenario) -> Ended:
    """One chaos trial, sealed. Toxiproxy is found or built before anything starts."""
    binary = find_toxiproxy(request.progress)

    async def arm(platform: Platform, trial: Trial, children: Children) -> dict[str, str]:
        (port,) = free_ports(1)
        with timed(platform, "set-up: engine, doubles, Toxiproxy"):
            _, _, proxy = await asyncio.gather(
                platform.start_engine(),
                platform.start_doubles(),
                children.start("toxiproxy", toxiproxy_command(binary, port)),
            )
            toxiproxy = Toxiproxy("127.0.0.1", port)
            await asyncio.to_thread(toxiproxy.wait_ready, TOXIPROXY_READY_S)
            link = await asyncio.to_thread(toxiproxy.create, WORKER_LINK, platform.address)
        platform.worker_address = link.listen
        injection = _Injection(request, platform, scenario, link, proxy)
        drive = await start_drive(
            request,
            platform,
            trial,
            children,
            Steady(
                rate_per_s=scenario.load.rate_per_s,
                duration_s=scenario.load.duration_s,
            ),
        )
        try:
            with timed(platform, "drive: all of it"):
                await serve(
                    request,
                    platform,
                    drive,
                    {"inject": injection.begin, "healed": injection.end},
                    more_s=scenario.load.duration_s + scenario.recover_within_s,
                )
        finally:
            await injection.cancel()
        with timed(platform, "stopping the platform"):
            await platform.stop()
        return {}

    return conduct(request, arm)


class _Injection:
    """The schedule as the drive asks for it: begun beside the load, awaited before its end."""

    def __init__(
        self,
        request: Request,
        platform: Platform,
        scenario: ChaosScenario,
        link: Link,
        proxy: Child,
    ) -> None:
        self._request = request
        self._platform = platform
        self._scenario = scenario
        self._link = link
        self._proxy = proxy
        self._task: asyncio.Task[None] | None = None

    async def begin(self, _: Ask) -> None:
        self._request.progress(f"injecting: {self._scenario.story}")
        self._task = asyncio.create_task(
            inject(
                self._scenario.faults,
                {WORKER_LINK: self._link},
                self._platform.record,
                name=self._scenario.name,
                peers=peers_of(self._proxy.pid),
            )
        )

    async def end(self, _: Ask) -> None:
        if self._task is not None:
            await self._task
            self._request.progress("healed")

    async def cancel(self) -> None:
        """Heal on the way out, whatever happened."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task})
