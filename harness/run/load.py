"""The load arm: the reference saga at a constant arrival rate, by Locust in its own process."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from harness.errors import DriveError, UnavailableError, UsageError
from harness.load.run import STARTS_WITHIN_S, deadline_s, locust_command
from harness.load.settings import Security, Settings, Tenant
from harness.load.workload import WORKLOADS
from harness.platform.child import Child, Children
from harness.platform.platform import Platform
from harness.run.conduct import Ended, conduct, timed
from harness.run.prepare import prepare
from harness.run.request import Request
from harness.run.serve import start_parts
from harness.target.model import Tls
from harness.trial import Trial

MOST_PROCESSES: Final = 64
LOCUST_FILES: Final = Path(__file__).parents[2] / "scenarios" / "load"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """What arrives and how often: a workload by its name, `mix` other weights than its own.

    It is sent by so many `processes`.
    """

    rate_per_s: float
    duration_s: float
    workload: str = "saga"
    processes: int = 1
    mix: Mapping[str, int] = field(default_factory=dict)


def load(request: Request, arrivals: Arrivals) -> Ended:
    """One load trial, sealed.

    Raises `UsageError` for a rate that the target does not allow, and for arrivals that cannot be.
    """
    limit = request.target.allow.load
    if limit is None:
        raise UsageError(
            "the target does not allow load; allow it in the target file with "
            "`allow: {load: {max_rate_per_s: N}}`"
        )
    if arrivals.rate_per_s > limit.max_rate_per_s:
        raise UsageError(
            f"--rate {arrivals.rate_per_s:g} is above the target's allow.load.max_rate_per_s "
            f"of {limit.max_rate_per_s:g}"
        )
    if arrivals.workload not in WORKLOADS:
        raise UsageError(
            f"no workload is called {arrivals.workload!r}; there are {', '.join(WORKLOADS)}"
        )
    if not 1 <= arrivals.processes <= MOST_PROCESSES:
        raise UsageError(f"--processes {arrivals.processes}: give 1 to {MOST_PROCESSES}")
    dry = Settings(
        address="127.0.0.1:1",
        tenants=(Tenant(tenant="a", namespace="a", task_queue="a"),),
        rate_per_s=arrivals.rate_per_s,
        duration_s=arrivals.duration_s,
        seed=request.seed,
    )
    dry.plan()  # all that is wrong with rate and duration, before anything starts

    async def arm(platform: Platform, trial: Trial, children: Children) -> dict[str, str]:
        request.progress("starting the platform")
        with timed(platform, "set-up: engine, doubles, worker, exporter"):
            await asyncio.gather(platform.start_engine(), platform.start_doubles())
            await prepare(platform, children)
            await start_parts(platform, ["calm"])
        settings = _settings(request, platform, trial, arrivals)
        request.progress(
            f"{arrivals.workload}: {arrivals.rate_per_s:g} arrivals per second for "
            f"{arrivals.duration_s:g} s"
        )
        with timed(platform, "load: all of it"):
            await _generate(settings, arrivals, children)
        with timed(platform, "stopping the platform"):
            await platform.stop()
        return {}

    return conduct(request, arm)


def _settings(request: Request, platform: Platform, trial: Trial, arrivals: Arrivals) -> Settings:
    engine = request.target.engine
    tls = engine.tls or Tls()
    return Settings(
        address=platform.address,
        tenants=tuple(
            Tenant(
                tenant=t.name,
                namespace=t.namespace,
                task_queue=platform.queue(t.task_queue, "calm"),
            )
            for t in request.target.tenants
        ),
        security=Security(
            ca=tls.ca or "",
            certificate=tls.cert or "",
            key=tls.key or "",
            server_name=tls.server_name or "",
            token_file=engine.token_file or "",
        ),
        rate_per_s=arrivals.rate_per_s,
        duration_s=arrivals.duration_s,
        mix=arrivals.mix,
        seed=request.seed,
        horizon_s=float(request.parameters["horizon_s"]),
        sli=str(request.parameters["workflow_start_sli"]),
        trial=trial.folder.resolve(),
        trial_id=trial.id,
    )


async def _generate(settings: Settings, arrivals: Arrivals, children: Children) -> None:
    """Start the generator and wait for its end, which it promises by its deadline."""
    command, environment = locust_command(
        settings,
        locust_file=LOCUST_FILES / f"{arrivals.workload}.py",
        processes=arrivals.processes,
    )
    generator = await children.start("load", command, env=environment, whole_env=True)
    await generator.ready(STARTS_WITHIN_S, "the load generator could not begin")
    try:
        code = await generator.wait(deadline_s(settings) + 5)
    except asyncio.CancelledError:
        await generator.stop(10)  # it writes what was measured
        raise
    _require_done(generator, code)


def _require_done(generator: Child, code: int | None) -> None:
    if code is None:
        raise DriveError(f"the load generator did not end by its deadline{generator.tail()}")
    if code == UnavailableError.exit_code:
        raise UnavailableError(f"load generator: {generator.lines[-1]}")
    if code:
        raise DriveError(f"the load generator ended with {code}{generator.tail()}")
