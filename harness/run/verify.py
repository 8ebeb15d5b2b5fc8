"""The conformance arm: one drive over all the suites that the asked IDs need, then the replays."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec

from harness.drive.plan import ASK, Ask, DrivePlan, EnginePlan, TenantPlan, Told
from harness.errors import DriveError, HarnessError, UnavailableError
from harness.journal.records import Part, Subject, now
from harness.platform.child import Child, Children
from harness.platform.platform import Platform
from harness.run.conduct import Ended, conduct, timed
from harness.run.request import Request
from harness.trial import Trial

DRIVE_DEADLINE_S = 300.0
REPLAYED = frozenset({"INV-DET-1", "INV-DET-2"})


def verify(request: Request) -> Ended:
    """One conformance trial, sealed."""

    async def arm(platform: Platform, trial: Trial, children: Children) -> dict[str, str]:
        with timed(platform, "set-up: engine and doubles"):
            await asyncio.gather(platform.start_engine(), platform.start_doubles())
        drive = await start_drive(request, platform, trial, children)
        with timed(platform, "drive: all of it"):
            await _serve(request, platform, drive)
        with timed(platform, "stopping the platform"):
            await platform.stop()
        return await _replay(request, platform, trial, children)

    return conduct(request, arm)


async def start_drive(request: Request, platform: Platform, trial: Trial,
                      children: Children) -> Child:
    """Start the drive's process with its plan."""
    assert platform.doubles is not None
    engine = request.target.engine
    tls = engine.tls
    plan = DrivePlan(
        trial_id=trial.id, trial=str(trial.folder.resolve()),
        engine=EnginePlan(
            address=platform.address, register_namespaces=engine.embedded,
            tls={} if tls is None else {
                name: value for name, value in msgspec.structs.asdict(tls).items() if value
            },
            token_file=engine.token_file or "", token_env=engine.token_env or "",
        ),
        tenants=[
            TenantPlan(name=t.name, namespace=t.namespace, task_queues={
                group: platform.queue(t.task_queue, group) for group in ("calm", "crash")
            })
            for t in request.target.tenants
        ],
        control=platform.doubles.control, suites=list(request.suites), asked=list(request.asked),
        lacks=platform.lacks, killable=not request.target.worker.external,
        horizon_s=float(request.parameters["horizon_s"]),
        event_lag_ms=int(request.parameters["event_lag_ms"]),
        defects=list(request.breakage.drive),
    )
    path = platform.folder / "drive.json"
    path.write_bytes(msgspec.json.encode(plan))
    return await children.start("drive", [sys.executable, "-m", "harness.drive", str(path)],
                                stdin=True)


async def _serve(request: Request, platform: Platform, drive: Child) -> None:
    """Answer what the drive asks until it ends."""
    requests = drive.requests()
    deadline = asyncio.get_running_loop().time() + DRIVE_DEADLINE_S
    said: list[str] = []
    try:
        while True:
            left_s = deadline - asyncio.get_running_loop().time()
            line = await asyncio.wait_for(requests.get(), max(0.0, left_s))
            if not line:
                break
            if not line.startswith(ASK):
                said.append(line)
                continue
            ask = msgspec.json.decode(line.removeprefix(ASK), type=Ask)
            await _answer(request, platform, drive, ask)
    except TimeoutError:
        raise DriveError(f"the drive did not end within {DRIVE_DEADLINE_S:g} s; see {drive.log}"
                         ) from None
    except asyncio.CancelledError:
        await drive.stop(5)  # it writes its footer
        raise
    code = await drive.wait(5)
    if code:
        _raise_for(code, "\n".join(said[-30:]))


def _raise_for(code: int, said: str) -> None:
    if code == UnavailableError.exit_code:
        raise UnavailableError(said.strip().splitlines()[-1] if said else "the drive gave up")
    raise DriveError(f"the drive ended with {code}; its last lines:\n{said}")


async def _answer(request: Request, platform: Platform, drive: Child, ask: Ask) -> None:
    if ask.ask == "progress":
        request.progress(ask.text)
        return
    try:
        await _act(request, platform, ask)
        told = Told(number=ask.number, value={"lacks": platform.lacks})
    except UnavailableError as error:
        if ask.ask == "prepared":
            await drive.stop(5)
            raise
        told = Told(number=ask.number, ok=False, error=str(error))
    drive.tell(msgspec.json.encode(told).decode())


async def _act(request: Request, platform: Platform, ask: Ask) -> None:
    match ask.ask:
        case "prepared":
            platform.record(Part(**now(), subject=Subject.ENGINE, ours=request.ours,
                                 name="temporal", version=ask.text))
            platform.record(Part(**now(), subject=Subject.DEPLOYMENT, ours=request.ours,
                                 name="reference" if request.ours else "target"))
            request.progress("starting workers")
            with timed(platform, "set-up: workers and exporter"):
                await _start_workers(platform, ask.groups)
        case "kill-worker":
            await platform.kill_worker(ask.group)
        case "restart-worker":
            await platform.restart_worker(ask.group)
        case _:
            raise UnavailableError(f"the drive asked for {ask.ask}, which nobody knows")


async def _start_workers(platform: Platform, groups: list[str]) -> None:
    results = await asyncio.gather(
        *(platform.start_worker(group) for group in groups), platform.start_exporter(),
        return_exceptions=True,
    )
    for result in results:
        if isinstance(result, BaseException):
            raise result


async def _replay(request: Request, platform: Platform, trial: Trial,
                  children: Children) -> dict[str, str]:
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
        child = await children.start("replay", [
            sys.executable, "-m", "harness.replay", "--trial", str(trial.folder), "--trial-id",
            trial.id, "--workflows", module,
        ], cwd=Path(request.target.worker.cwd) if request.target.worker.cwd else None)
        code = await child.wait(DRIVE_DEADLINE_S)
    if code:
        raise _replay_error(child, code)
    return {}


def _replay_error(child: Child, code: int) -> HarnessError:
    if code == UnavailableError.exit_code:
        return UnavailableError(f"replay: {child.lines[-1] if child.lines else 'gave up'}")
    return DriveError(f"the replay ended with {code}{child.tail()}")
