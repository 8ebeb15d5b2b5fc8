"""Tenants against each other: one works as ever, another floods, each served by its own worker."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from harness.errors import DriveError, UnavailableError, UsageError
from harness.groups import CALM, FLOODING, VICTIM
from harness.load.blocks import (
    LEAST_BLOCK_S,
    LEAST_PAIRS,
    MOST_PAIRS,
    PLAN,
    USUAL,
    FloodPlan,
    planned_blocks,
)
from harness.load.run import flood_command
from harness.load.settings import Settings
from harness.load.shape_text import shape_of
from harness.load.shapes import AnyShape
from harness.platform.child import Child, Children
from harness.platform.platform import Platform
from harness.run.conduct import Ended, conduct, timed
from harness.run.counting import weigh
from harness.run.load import (
    Arrivals,
    allowed_per_s,
    complaint,
    end_of,
    set_up,
    settings_of,
    start_generator,
)
from harness.run.request import Request
from harness.run.usage import usage_sampled
from harness.trial import Trial

DEFAULT_RATE_PER_S: Final = 5.0
DEFAULT_DURATION_S: Final = 180.0
PAYLOAD_BYTES: Final = 256 << 10
TIMES_MORE: Final = 10  # as many calls of the flood as arrivals of the victim
ONE_WORKER: Final = "one-worker-for-all"  # a defect: one process serves both tenants
UNSET: Final = "queue-limit-unset"  # a defect: the declared rate of a queue is not set
_TAIL_S: Final = 1.0  # of the victim's arrivals, after the last block
_CONNECTS_WITHIN_S: Final = 30.0
_ENDS_WITHIN_S: Final = 30.0
_IN_FLIGHT: Final = 20_000
_CALL_HORIZON_S: Final = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """How one tenant floods: the kinds in turn, in so many blocks, and how often (None: ten times
    as often as the victim's arrivals, if the target allows that)."""

    floods: tuple[str, ...] = USUAL
    pairs: int = 8
    rate_per_s: float | None = None


def neighbours(request: Request, arrivals: Arrivals, noise: Noise) -> Ended:
    """One trial in which the first tenant is measured and the second floods, sealed.

    Raises `UsageError` for what cannot be, or is not allowed by the target.
    """
    shape, plan, warmup_s = planned(request, arrivals, noise)
    groups = _groups(request)

    async def arm(platform: Platform, trial: Trial, children: Children) -> dict[str, str]:
        await set_up(request, platform, children, groups)
        victim, flooding = (each.name for each in request.target.tenants[:2])

        def settings(tenant: str, group: str) -> Settings:
            return settings_of(request, platform, trial, arrivals, shape, {tenant: group})

        request.progress(_said(arrivals, victim, flooding, shape, plan))
        with timed(platform, "load: all of it"):
            async with usage_sampled(platform):
                await _beside(
                    replace(settings(victim, groups[0]), warmup_s=warmup_s),
                    replace(
                        settings(flooding, groups[1]),
                        horizon_s=_CALL_HORIZON_S,
                        in_flight=_IN_FLIGHT,
                        mix={},
                    ),
                    arrivals,
                    plan,
                    children,
                )
        await weigh(platform, trial, children)
        with timed(platform, "stopping the platform"):
            await platform.stop()
        return {}

    return conduct(request, arm)


def planned(
    request: Request, arrivals: Arrivals, noise: Noise
) -> tuple[AnyShape, FloodPlan, float]:
    """The victim's shape, the flood, and when its first block begins, s after the first arrival."""
    most_per_s = allowed_per_s(request.target)
    if arrivals.shape != "constant" or arrivals.processes > 1 or arrivals.volume:
        raise UsageError(
            "workload neighbours: the victim's rate is constant and sent by one process: leave out "
            "--shape, --processes and --volume"
        )
    shape = shape_of(
        arrivals.shape,
        arrivals.rate_per_s,
        arrivals.duration_s,
        default_rate_per_s=DEFAULT_RATE_PER_S,
        default_duration_s=DEFAULT_DURATION_S,
        allowed_per_s=most_per_s,
    )
    victim_per_s = shape.nominal_per_s
    if not LEAST_PAIRS <= noise.pairs <= MOST_PAIRS:
        raise UsageError(
            f"--pairs {noise.pairs}: give {LEAST_PAIRS} to {MOST_PAIRS}; with fewer no ratio of "
            "noisy to quiet has an interval"
        )
    rate_per_s = noise.rate_per_s
    if rate_per_s is None:
        rate_per_s = min(TIMES_MORE * victim_per_s, most_per_s - victim_per_s)
    if rate_per_s <= 0 or rate_per_s + victim_per_s > most_per_s:
        raise UsageError(
            f"--flood-rate {rate_per_s:g} and --rate {victim_per_s:g}: together they may be up to "
            f"the target's allow.load.max_rate_per_s of {most_per_s:g}, and both above 0"
        )
    warmup_s = min(10.0, shape.duration_s / 10)
    block_s = (shape.duration_s - warmup_s - _TAIL_S) / (2 * noise.pairs)
    if block_s < LEAST_BLOCK_S:
        raise UsageError(
            f"--duration {shape.duration_s:g}: {noise.pairs} pairs of blocks need at least "
            f"{(2 * noise.pairs * LEAST_BLOCK_S + _TAIL_S) / 0.9:.0f} s, and better ten times that"
        )
    plan = FloodPlan(
        blocks=planned_blocks(noise.floods, noise.pairs, request.seed),
        block_s=block_s,
        rate_per_s=rate_per_s,
        payload_bytes=PAYLOAD_BYTES,
        queue_per_s=_queue_per_s(request),
    )
    return shape, plan, warmup_s


def _groups(request: Request) -> tuple[str, str]:
    """The groups of workers that serve the victim and the flooding tenant."""
    if request.target.worker.external or ONE_WORKER in request.breakage.drive:
        return CALM, CALM
    return VICTIM, FLOODING


def _queue_per_s(request: Request) -> float:
    """The declared rate of the flooding tenant's queue, where it is for us to set; else 0."""
    ours = request.target.engine.embedded and UNSET not in request.breakage.drive
    return float(request.parameters["queue_activities_per_s"]) if ours else 0.0


def _said(arrivals: Arrivals, victim: str, flooding: str, shape: AnyShape, plan: FloodPlan) -> str:
    return (
        f"{arrivals.workload}: {victim} has {shape.nominal_per_s:g} arrivals per second for "
        f"{shape.duration_s:g} s; {flooding} floods with {plan.rate_per_s:g} in every second block "
        f"of {plan.block_s:.3g} s"
    )


async def _beside(
    victim: Settings,
    flooding: Settings,
    arrivals: Arrivals,
    plan: FloodPlan,
    children: Children,
) -> None:
    """Both processes: the flood begins its first block when the victim's warm-up is over."""
    flood = await _start_flood(flooding, plan, children)
    generator, told = await start_generator(victim, arrivals, children)
    begin_ns = int(msgspec.json.decode(told)["begin_ns"]) + round(victim.cut_s * 1e9)
    flood.tell(str(begin_ns))
    try:
        await end_of(generator, victim)
        code = await flood.wait(_CALL_HORIZON_S + _ENDS_WITHIN_S)
    except asyncio.CancelledError:
        await flood.stop(10)  # it writes what was measured
        raise
    if code:
        raise DriveError(f"the flood ended with {code}: {complaint(flood) or flood.tail()}")
    if code is None:
        raise DriveError(f"the flood did not end by its deadline{flood.tail()}")


async def _start_flood(settings: Settings, plan: FloodPlan, children: Children) -> Child:
    command, environment = flood_command(settings, {PLAN: msgspec.json.encode(plan).decode()})
    flood = await children.start("flood", command, env=environment, whole_env=True, stdin=True)
    try:
        await flood.ready(_CONNECTS_WITHIN_S, "the flood could not begin")
    except UnavailableError as error:
        raise UnavailableError(complaint(flood) or str(error)) from None
    return flood
