"""Serving the drive: starting its process, answering what it asks, until it ends."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from harness.contract.transitions import change_types, second_types, state_types
from harness.drive.plan import ASK, Ask, DrivePlan, Steady, Told, Version, Versions
from harness.errors import DriveError, HarnessError, TargetGone, UnavailableError
from harness.groups import CALM, GROUPS, NEW_VERSION, OLD_VERSION
from harness.platform.child import Child, Children
from harness.platform.platform import STARTER, Platform
from harness.run.conduct import timed
from harness.run.prepare import engine_plan, record_platform, tenant_plans
from harness.run.request import Request
from harness.trial import Trial

DRIVE_DEADLINE_S = 300.0
SAID_LINES = 30
Handler = Callable[[Ask], Awaitable[dict[str, Any] | None]]


async def start_drive(
    request: Request,
    platform: Platform,
    trial: Trial,
    children: Children,
    steady: Steady | None = None,
    *,
    rounds: bool = False,
) -> Child:
    """Start the drive's process with its plan."""
    assert platform.doubles is not None
    plan = DrivePlan(
        trial_id=trial.id,
        trial=str(trial.folder.resolve()),
        engine=engine_plan(request.target, platform.address),
        tenants=tenant_plans(platform),
        control=platform.doubles.control,
        pdp=request.target.pdp.url if request.target.pdp else platform.doubles.certified,
        suites=list(request.suites),
        asked=list(request.asked),
        lacks=platform.lacks,
        allowed=list(request.target.allow.faults),
        seed=request.seed or trial.seed,
        horizon_s=float(request.parameters["horizon_s"]),
        event_lag_ms=int(request.parameters["event_lag_ms"]) if request.target.exporter else 0,
        audited=sorted({**state_types(request.parameters), **change_types(request.parameters)}),
        audited_twice=sorted(second_types(request.parameters)),
        removal_s=float(request.parameters["tenant_removal_s"]),
        versions=_versions(platform),
        spread_s=float(request.parameters["version_spread_s"]),
        drained_s=float(request.parameters["version_drained_s"]),
        retention_days=float(request.parameters["retention_days"]),
        ramp_percent=float(request.parameters["ramp_percent"]),
        cases=list(request.cases),
        given=list(request.given),
        rounds=rounds,
        defects=list(request.breakage.drive),
        steady=steady,
    )
    path = platform.folder / "drive.json"
    path.write_bytes(msgspec.json.encode(plan))
    return await children.start(
        "drive", [sys.executable, "-m", "harness.drive", str(path)], stdin=True
    )


def _versions(platform: Platform) -> Versions | None:
    """The Worker Deployment versions that the platform's workers are told."""
    if not platform.version_of(CALM):
        return None
    return Versions(
        calm=Version(**platform.version_of(CALM)),
        old=Version(**platform.version_of(OLD_VERSION)),
        new=Version(**platform.version_of(NEW_VERSION)),
    )


async def serve(
    request: Request,
    platform: Platform,
    drive: Child,
    more: Mapping[str, Handler] | None = None,
    more_s: float = 0.0,
) -> None:
    """Answer what the drive asks until it ends; `more` are an arm's own answers, `more_s` is how
    much longer than others it may take."""
    lines = drive.requests()
    loop = asyncio.get_running_loop()
    within_s = DRIVE_DEADLINE_S + float(request.parameters["horizon_s"]) + more_s
    deadline = loop.time() + within_s
    handlers = {**_handlers(request, platform), **(more or {})}
    said: list[str] = []
    try:
        while (line := await _next(lines, deadline - loop.time())) is not None:
            if line.startswith(ASK):
                ask = msgspec.json.decode(line.removeprefix(ASK), type=Ask)
                await _answer(drive, ask, handlers)
            else:
                said = [*said, line][-SAID_LINES:]
    except TimeoutError:
        raise DriveError(f"the drive did not end within {within_s:g} s; see {drive.log}") from None
    except (asyncio.CancelledError, HarnessError):
        await drive.stop(5)  # it writes its footer
        raise
    code = await drive.wait(5)
    if code != 0:
        _raise_for(code, said)


async def _next(lines: asyncio.Queue[str | None], within_s: float) -> str | None:
    return await asyncio.wait_for(lines.get(), max(0.0, within_s))


def _raise_for(code: int | None, said: list[str]) -> None:
    last = said[-1] if said else "the drive gave up"
    if code == UnavailableError.exit_code:
        raise UnavailableError(last)
    if code == TargetGone.exit_code:
        raise TargetGone(last)
    how = f"ended with {code}" if code is not None else "closed its output and goes on"
    raise DriveError("\n".join([f"the drive {how}; its last lines:", *said]))


async def _answer(drive: Child, ask: Ask, handlers: Mapping[str, Handler]) -> None:
    handler = handlers.get(ask.ask)
    if handler is None:
        raise DriveError(f"the drive asked for {ask.ask}, which nobody knows")
    try:
        told = Told(number=ask.number, value=await handler(ask) or {})
    except UnavailableError as error:
        if ask.ask == "prepared":
            raise  # nothing has run yet
        told = Told(number=ask.number, ok=False, error=str(error))
    if ask.number:
        drive.tell(msgspec.json.encode(told).decode())


def _handlers(request: Request, platform: Platform) -> dict[str, Handler]:
    async def progress(ask: Ask) -> None:
        request.progress(ask.text)

    async def prepared(ask: Ask) -> dict[str, Any]:
        record_platform(platform, ask.text)
        request.progress("starting workers")
        with timed(platform, "set-up: workers and exporter"):
            await start_parts(platform, ask.groups)
        return {
            "lacks": platform.lacks,
            "tap": platform.tap.control if platform.tap else "",
            "starter": platform.tap.links[STARTER] if platform.tap else "",
        }

    async def kill(ask: Ask) -> None:
        await platform.kill_worker(ask.group)

    async def stop(ask: Ask) -> None:
        await platform.stop_worker(ask.group)

    async def restart(ask: Ask) -> None:
        await platform.restart_worker(ask.group)

    async def start_sleeping(ask: Ask) -> dict[str, Any]:
        return {"address": await platform.start_sleeping(ask.group)}

    async def kill_exporter(ask: Ask) -> None:
        await platform.kill_exporter()

    async def restart_exporter(ask: Ask) -> None:
        await platform.start_exporter()

    return {
        "progress": progress,
        "prepared": prepared,
        "kill-worker": kill,
        "stop-worker": stop,
        "restart-worker": restart,
        "start-sleeping": start_sleeping,
        "kill-exporter": kill_exporter,
        "restart-exporter": restart_exporter,
    }


async def start_parts(platform: Platform, groups: list[str]) -> None:
    """Start the workers of these groups and the exporter at once; the first failure wins."""
    tapped = [each for each in groups if GROUPS[each].tapped and platform.target.may("rpc-faults")]
    results = await asyncio.gather(
        *(platform.start_worker(group) for group in groups if group not in tapped),
        _start_tapped(platform, tapped),
        platform.start_exporter(),
        return_exceptions=True,
    )
    for result in results:
        if isinstance(result, BaseException):
            raise result


async def _start_tapped(platform: Platform, groups: list[str]) -> None:
    if groups:
        await platform.start_tap(groups)
        await asyncio.gather(*(platform.start_worker(group) for group in groups))
