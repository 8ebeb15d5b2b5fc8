"""The load arm: a workload that arrives as a shape has it, by Locust in its own process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from harness.errors import DriveError, UnavailableError, UsageError
from harness.load.run import SAYS, deadline_s, locust_command, starts_within_s
from harness.load.settings import MOST_VOLUME, Security, Settings, Tenant
from harness.load.shape_text import shape_of
from harness.load.shapes import AnyShape
from harness.load.workload import NEIGHBOURS, NOOP, WORKLOADS
from harness.platform.child import Child, Children
from harness.platform.platform import Platform
from harness.run.conduct import Ended, conduct, timed
from harness.run.counting import count_idle, counted_load, idle_s, weigh
from harness.run.prepare import prepare
from harness.run.request import Request
from harness.run.serve import start_parts
from harness.run.usage import usage_sampled
from harness.target.model import Target, Tls
from harness.trial import Trial

DEFAULT_RATE_PER_S: Final = 5.0
DEFAULT_DURATION_S: Final = 60.0
MOST_PROCESSES: Final = 64
LOCUST_FILES: Final = Path(__file__).parents[2] / "scenarios" / "load"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """What arrives and how often: a workload by its name, `mix` other weights than its own.

    How often follows from a shape's text, a rate and a duration; None for what is not given. It is
    sent by so many `processes`. `volume` is how many runs a namespace holds at least before it is
    read. With `counted`, all that is exchanged with the engine goes through the counting proxy, and
    the platform is left alone for `idle_s` before (None: as befits the duration).
    """

    shape: str = "constant"
    rate_per_s: float | None = None
    duration_s: float | None = None
    workload: str = "saga"
    processes: int = 1
    volume: int = 0
    mix: Mapping[str, int] = field(default_factory=dict)
    counted: bool = True
    idle_s: float | None = None


def allowed_per_s(target: Target) -> float:
    """The highest rate that a target allows; raises `UsageError` for one that allows no load."""
    if target.allow.load is None:
        raise UsageError(
            "the target does not allow load; allow it in the target file with "
            "`allow: {load: {max_rate_per_s: N}}`"
        )
    return target.allow.load.max_rate_per_s


async def set_up(
    request: Request,
    platform: Platform,
    children: Children,
    groups: Iterable[str],
    *,
    counted: bool = False,
) -> None:
    """Start the platform with the workers of these groups, behind the counting proxy or without."""
    request.progress("starting the platform")
    with timed(platform, "set-up: engine, doubles, workers, exporter"):
        await asyncio.gather(platform.start_engine(), platform.start_doubles())
        await prepare(platform, children)
        if counted:
            await platform.start_counting()
        await start_parts(platform, list(dict.fromkeys(groups)))


def load(request: Request, arrivals: Arrivals) -> Ended:
    """One load trial, sealed.

    Raises `UsageError` for arrivals that cannot be, and for a shape whose peak the target does not
    allow.
    """
    shape = shape_of(
        arrivals.shape,
        arrivals.rate_per_s,
        arrivals.duration_s,
        default_rate_per_s=DEFAULT_RATE_PER_S,
        default_duration_s=DEFAULT_DURATION_S,
        allowed_per_s=allowed_per_s(request.target),
    )
    if arrivals.workload not in WORKLOADS:
        raise UsageError(
            f"no workload is called {arrivals.workload!r}; there are {', '.join(WORKLOADS)}"
        )
    if arrivals.workload == NEIGHBOURS:
        raise UsageError(f"workload {NEIGHBOURS} is run by `harness load` alone")
    if not 1 <= arrivals.processes <= MOST_PROCESSES:
        raise UsageError(f"--processes {arrivals.processes}: give 1 to {MOST_PROCESSES}")
    if not 0 <= arrivals.volume <= MOST_VOLUME:
        raise UsageError(f"--volume {arrivals.volume}: give 0 to {MOST_VOLUME:,}")
    if arrivals.volume and arrivals.processes > 1:
        raise UsageError("--volume is made by one generator: leave out --processes")
    alone_s = idle_s(arrivals.idle_s, shape.duration_s)

    async def arm(platform: Platform, trial: Trial, children: Children) -> dict[str, str]:
        await set_up(request, platform, children, ["calm"], counted=arrivals.counted)
        if arrivals.workload == NOOP and NOOP in platform.lacks:
            raise UsageError(
                "the worker lacks the capability noop, which workload noop needs; give another "
                "--workload, or let the worker serve what the contract says in §10"
            )
        await count_idle(platform, alone_s)
        settings = settings_of(request, platform, trial, arrivals, shape)
        request.progress(f"{arrivals.workload}: {_said(shape)}")
        with timed(platform, "load: all of it"):
            async with usage_sampled(platform), counted_load(platform):
                await generate(settings, arrivals, children)
        await weigh(platform, trial, children)
        with timed(platform, "stopping the platform"):
            await platform.stop()
        return {}

    return conduct(request, arm)


def settings_of(
    request: Request,
    platform: Platform,
    trial: Trial,
    arrivals: Arrivals,
    shape: AnyShape,
    groups: Mapping[str, str] | None = None,
) -> Settings:
    """What the generator is told. `groups` are those of the workers of the only tenants that it
    speaks for, by tenant; without, it speaks for all of them, to one group of workers."""
    engine = request.target.engine
    tls = engine.tls or Tls()
    return Settings(
        address=platform.counted_address,
        tenants=tuple(
            Tenant(
                tenant=t.name,
                namespace=t.namespace,
                task_queue=platform.queue(t.task_queue, (groups or {}).get(t.name, "calm")),
            )
            for t in request.target.tenants
            if groups is None or t.name in groups
        ),
        security=Security(
            ca=tls.ca or "",
            certificate=tls.cert or "",
            key=tls.key or "",
            server_name=platform.server_name(platform.counted_address) if engine.tls else "",
            token_file=engine.token_file or "",
        ),
        rate_per_s=shape.nominal_per_s,
        duration_s=shape.duration_s,
        shape=str(shape),
        mix=arrivals.mix,
        volume=arrivals.volume,
        seed=request.seed,
        horizon_s=float(request.parameters["horizon_s"]),
        sli=str(request.parameters["workflow_start_sli"]),
        trial=trial.folder.resolve(),
        trial_id=trial.id,
    )


def _said(shape: AnyShape) -> str:
    arrivals = f"{shape.nominal_per_s:g} arrivals per second for {shape.duration_s:g} s"
    return arrivals if str(shape) == "constant" else f"{arrivals}, {shape}"


async def generate(settings: Settings, arrivals: Arrivals, children: Children) -> None:
    """Start the generator and wait for its end."""
    generator, _ = await start_generator(settings, arrivals, children)
    await end_of(generator, settings)


async def start_generator(
    settings: Settings, arrivals: Arrivals, children: Children
) -> tuple[Child, str]:
    """The generator once it is ready, and what it says then."""
    command, environment = locust_command(
        settings,
        locust_file=LOCUST_FILES / f"{arrivals.workload}.py",
        processes=arrivals.processes,
    )
    generator = await children.start("load", command, env=environment, whole_env=True)
    try:
        told = await generator.ready(
            starts_within_s(settings), "the load generator could not begin"
        )
    except UnavailableError as error:
        said = complaint(generator) or str(error)
        if await generator.wait(1) == UsageError.exit_code:
            raise UsageError(said) from None
        raise UnavailableError(said) from None
    return generator, told


async def end_of(generator: Child, settings: Settings) -> None:
    """Wait for the end of the generator, which it promises by its deadline."""
    try:
        code = await generator.wait(deadline_s(settings) + 5)
    except asyncio.CancelledError:
        await generator.stop(10)  # it writes what was measured
        raise
    _require_done(generator, code)


def complaint(generator: Child) -> str:
    """What the generator says is wrong; Locust prints its own statistics after it."""
    told = [line for line in generator.lines if line.startswith(SAYS)]
    return told[-1].removeprefix(SAYS) if told else ""


def _require_done(generator: Child, code: int | None) -> None:
    if code is None:
        raise DriveError(f"the load generator did not end by its deadline{generator.tail()}")
    if code == UnavailableError.exit_code:
        raise UnavailableError(f"load generator: {complaint(generator) or generator.tail()}")
    if code:
        raise DriveError(f"the load generator ended with {code}{generator.tail()}")
