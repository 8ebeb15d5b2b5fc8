"""A rollout, as an operator does it: two builds of the worker side by side on the same task queues.

The old version is current; runs begin on it and wait. The next one is ramped, promoted, rolled
back, promoted again; then the old one finishes its runs, drains and is removed. Recorded are
operations `set-current`, `set-ramp`, `move`, `look` (how the deployment stands) and `remove`, each
with its `phase`; and of every run `start`, whose `args.phase` says when that was, and `result`.
The first tenant's queues alone take part.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, Final

from google.protobuf.field_mask_pb2 import FieldMask
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.deployment.v1 import WorkerDeploymentVersion
from temporalio.api.enums.v1 import EventType, WorkflowExecutionStatus
from temporalio.api.workflow.v1 import (
    VersioningOverride,
    WorkflowExecutionOptions,
)
from temporalio.api.workflowservice.v1 import UpdateWorkflowExecutionOptionsRequest
from temporalio.client import Client, WorkflowHandle
from temporalio.common import PinnedVersioningOverride
from temporalio.common import WorkerDeploymentVersion as SdkVersion

from harness.contract.program import WORKFLOW_TYPE, to_json
from harness.contract.versions import same_major
from harness.drive.case_run import Run
from harness.drive.cases import announce, run_of, shown_result
from harness.drive.plan import TenantPlan, Version, Versions
from harness.drive.session import Drive
from harness.drive.versions import LOOKS_EVERY_S, look, make_current, make_ramping
from harness.groups import CALM, NEW_VERSION, OLD_VERSION
from harness.scenario import Case
from scenarios.conformance.acts.defects import Defect
from scenarios.conformance.test_rollout import GO, NAME, probe, waiting

EARLY: Final = 2  # starts while a change may still be spreading
SETTLED: Final = 5  # starts when it must have spread
RAMPED: Final = 80
AT_ONCE: Final = 12
IN_FLIGHT: Final = 4
TRIES: Final = 2
STUCK_AFTER_S: Final = 2.0
OF_OLD_RUNS: Final = {"CMP-1", "ROL-1", "ROL-7"}
DRAINED: Final = "DRAINED"
Handle = WorkflowHandle[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """The deployment that is rolled out, in the one tenant that takes part."""

    drive: Drive
    tenant: TenantPlan
    client: Client
    old: Version
    new: Version
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def has(self, defect: Defect) -> bool:
        """Whether the operator is broken so."""
        return defect in self.drive.plan.defects

    async def did(
        self, name: str, work: Awaitable[Any], phase: str, show: Any = None, **args: Any
    ) -> Any:
        """Record something that the operator did."""
        return await self.drive.call(
            name,
            work,
            suite=NAME,
            tenant=self.tenant.name,
            args={"phase": phase, **args},
            deadline_s=self.drive.plan.horizon_s,
            show=show,
        )


async def roll_out(drive: Drive) -> None:
    """All of it, as far as the asked IDs need it."""
    versions = drive.plan.versions
    tenant = drive.tenants[0]
    if versions is None or drive.queue(tenant, OLD_VERSION) == drive.queue(tenant, CALM):
        return
    rollout = _rollout(drive, tenant, versions)
    asked = set(drive.plan.asked)
    if not await _current(rollout, "begin", rollout.old):
        return
    old = await _begun(rollout, "old", waiting("old") if asked & OF_OLD_RUNS else [])
    moved = await _begun(rollout, "moved", waiting("moved") if "CMP-2" in asked else [])
    if "ROL-3" in asked:
        await _ramped(rollout)
    if asked - {"ROL-3"}:
        await _promoted(rollout, moved)
    if "ROL-4" in asked:
        await _rolled_back(rollout)
    if "ROL-4" in asked and asked - {"ROL-3", "ROL-4"}:
        await _current(rollout, "settle", rollout.new)
        await _probed(rollout, "settle")
    if rollout.has(Defect.STILL_RAMPING):
        await make_ramping(rollout.client, rollout.old, 90, drive.plan.horizon_s)
        await _probes(rollout, "settle-again", SETTLED)
    if rollout.has(Defect.REMOVED_EARLY):
        await _removed(rollout)
    await _finished(rollout, old)
    if asked & {"CMP-3", "ROL-7"}:
        await _retired(rollout, asked)


def _rollout(drive: Drive, tenant: TenantPlan, versions: Versions) -> Rollout:
    return Rollout(
        drive=drive,
        tenant=tenant,
        client=drive.clients[tenant.name],
        old=versions.old,
        new=versions.new,
    )


async def _promoted(rollout: Rollout, moved: list[tuple[Run, Handle]]) -> None:
    """The next version becomes the current one; some open runs of the old one are moved to it."""
    await _current(rollout, "promote", rollout.new)
    await _probed(rollout, "promote")
    await _look(rollout, "promote")
    await _moved(rollout, moved)


async def _rolled_back(rollout: Rollout) -> None:
    """The old version becomes the current one again; what is in flight on the next one ends."""
    in_flight = await _begun(rollout, "flying", waiting("flying")[:IN_FLIGHT])
    await _current(rollout, "rollback", rollout.old)
    if rollout.has(Defect.STRANDED):
        await rollout.drive.order("stop-worker", NEW_VERSION)
    if rollout.has(Defect.TERMINATED):
        await asyncio.gather(*(handle.terminate("rolled back") for _, handle in in_flight))
    await asyncio.gather(_probed(rollout, "rollback"), _finished(rollout, in_flight))


async def _ramped(rollout: Rollout) -> None:
    """A share of new runs goes to the next version."""
    percent = rollout.drive.plan.ramp_percent
    real = 100.0 if rollout.has(Defect.RAMP_IGNORED) else percent
    await rollout.did(
        "set-ramp",
        make_ramping(rollout.client, rollout.new, real, rollout.drive.plan.horizon_s / 2),
        "ramp",
        build_id=rollout.new.build_id,
        percent=percent,
    )
    await asyncio.sleep(rollout.drive.plan.spread_s)
    await _look(rollout, "ramp")
    await _probes(rollout, "ramp", RAMPED)


async def _moved(rollout: Rollout, moved: list[tuple[Run, Handle]]) -> None:
    """Open runs of the old build go on with the next one, if that claims to be compatible."""
    if not moved:
        return
    if not same_major(rollout.old.build_id, rollout.new.build_id):
        await _finished(rollout, moved)
        return
    await asyncio.gather(
        *(
            rollout.drive.call(
                "move",
                _move(rollout, handle),
                **run.about,
                args={"phase": "move", "build_id": rollout.new.build_id},
            )
            for run, handle in moved
        )
    )
    await _finished(rollout, moved)


async def _move(rollout: Rollout, handle: Handle) -> None:
    override = VersioningOverride(
        pinned=VersioningOverride.PinnedOverride(
            behavior=VersioningOverride.PINNED_OVERRIDE_BEHAVIOR_PINNED,
            version=WorkerDeploymentVersion(
                deployment_name=rollout.new.deployment, build_id=rollout.new.build_id
            ),
        )
    )
    await rollout.client.workflow_service.update_workflow_execution_options(
        UpdateWorkflowExecutionOptionsRequest(
            namespace=rollout.tenant.namespace,
            workflow_execution=WorkflowExecution(workflow_id=handle.id),
            workflow_execution_options=WorkflowExecutionOptions(versioning_override=override),
            update_mask=FieldMask(paths=["versioning_override"]),
        )
    )


async def _retired(rollout: Rollout, asked: set[str]) -> None:
    """The old version drains; somebody pins a run to it all the same; it is removed."""
    drained = await _drained(rollout)
    await _look(rollout, "retired")
    if not drained:
        return
    if "CMP-3" in asked:
        await _pinned(rollout)
        await _drained(rollout)
    if not rollout.has(Defect.REMOVED_EARLY):
        await _removed(rollout)
        await _probes(rollout, "removed", SETTLED)


async def _pinned(rollout: Rollout) -> None:
    """Pin a new run to the drained version, look at that version, and let the run end."""
    case = waiting("pinned")[-1]
    pin = PinnedVersioningOverride(SdkVersion(rollout.old.deployment, rollout.old.build_id))
    started = await _started(rollout, "pinned", [case], pin)
    if not started:
        return
    within_s = rollout.drive.plan.drained_s / 2
    await _until(partial(_has_begun, started[0][1]), within_s)
    await _until(partial(_status_is, rollout, lambda status: status != DRAINED), within_s)
    await _look(rollout, "pinned")
    await _finished(rollout, started)


async def _removed(rollout: Rollout) -> None:
    """The operator takes the old version's workers away."""
    await _look(rollout, "removal")
    await rollout.did(
        "remove",
        rollout.drive.supervisor.ask("stop-worker", group=OLD_VERSION),
        "removal",
        build_id=rollout.old.build_id,
    )


# --- steps ----------------------------------------------------------------------------------------


async def _current(rollout: Rollout, phase: str, version: Version) -> bool:
    """Make a version the current one; False where the engine does not."""
    skipped = {"promote": Defect.NOT_PROMOTED, "rollback": Defect.NOT_ROLLED_BACK}.get(phase)
    skip = skipped is not None and rollout.has(skipped)
    within_s = rollout.drive.plan.horizon_s / 2
    done = await rollout.did(
        "set-current",
        asyncio.sleep(0) if skip else make_current(rollout.client, version, within_s),
        phase,
        build_id=version.build_id,
    )
    return not isinstance(done, BaseException)


async def _look(rollout: Rollout, phase: str) -> None:
    """Record how the deployment stands."""
    await rollout.did(
        "look", look(rollout.client, rollout.old.deployment), phase, show=lambda seen: seen
    )


async def _probed(rollout: Rollout, phase: str) -> None:
    """Start runs while a change spreads, and when it must have."""
    spread_s = rollout.drive.plan.spread_s
    for _ in range(EARLY):
        await _probes(rollout, f"{phase}-early", 1)
        await asyncio.sleep(spread_s / EARLY)
    await _probes(rollout, phase, SETTLED)


async def _probes(rollout: Rollout, phase: str, count: int) -> None:
    """Start that many runs and wait for their ends."""
    drive = rollout.drive
    cases = [probe(f"{phase}-{next(rollout.numbers)}") for _ in range(count)]
    runs = [run_of(drive, NAME, case, rollout.tenant) for case in cases]
    await announce(drive, runs)
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(run: Run) -> None:
        async with gate:
            handle = await _start(rollout, phase, run)
            if handle:
                await _end(rollout, run, handle, told=False)

    await asyncio.gather(*(one(run) for run in runs))


async def _begun(rollout: Rollout, phase: str, cases: list[Case]) -> list[tuple[Run, Handle]]:
    """Start runs and wait until a version has taken each."""
    started = await _started(rollout, phase, cases)
    within_s = rollout.drive.plan.horizon_s / 2
    for _, handle in started:  # one after the other: asking for all at once is a load of its own
        await _until(partial(_has_begun, handle), within_s)
    return started


async def _started(
    rollout: Rollout, phase: str, cases: list[Case], pin: PinnedVersioningOverride | None = None
) -> list[tuple[Run, Handle]]:
    drive = rollout.drive
    runs = [
        run_of(drive, NAME, case, rollout.tenant) for case in cases if not case.needs & drive.lacks
    ]
    await announce(drive, runs)
    handles = await asyncio.gather(*(_start(rollout, phase, run, pin) for run in runs))
    return [(run, handle) for run, handle in zip(runs, handles, strict=True) if handle]


async def _start(
    rollout: Rollout, phase: str, run: Run, pin: PinnedVersioningOverride | None = None
) -> Handle | None:
    drive = rollout.drive
    started = await drive.call(
        "start",
        rollout.client.start_workflow(
            WORKFLOW_TYPE,
            to_json(run.program),
            id=run.workflow_id,
            task_queue=drive.queue(rollout.tenant, OLD_VERSION),
            execution_timeout=timedelta(seconds=4 * drive.plan.horizon_s),
            versioning_override=pin,
        ),
        **run.about,
        args={"phase": phase},
    )
    if isinstance(started, BaseException):
        return None
    drive.track(rollout.tenant.name, run.workflow_id, started.first_execution_run_id or "")
    return started


async def _finished(rollout: Rollout, started: list[tuple[Run, Handle]]) -> None:
    """Tell runs to go on, and wait for their ends."""
    await asyncio.gather(*(_end(rollout, run, handle) for run, handle in started))


async def _end(rollout: Rollout, run: Run, handle: Handle, *, told: bool = True) -> None:
    drive = rollout.drive
    if told:
        payload = {"name": GO, "id": f"{GO}-{run.case.name}"}
        await drive.call("signal", handle.signal("deliver", payload), args=payload, **run.about)
    result = await drive.call(
        "result",
        _result_or_stuck(handle) if told else handle.result(),
        deadline_s=drive.plan.horizon_s,
        run_id=handle.first_execution_run_id or "",
        show=shown_result,
        **run.about,
    )
    if isinstance(result, Stuck | TimeoutError):
        await drive.call("terminate", handle.terminate("conformance"), **run.about)


class Stuck(Exception):
    """A workflow task of the run fails again and again."""


async def _result_or_stuck(handle: Handle) -> Any:
    """The run's result; raises `Stuck` as soon as a workflow task of it has failed again."""
    result = asyncio.create_task(handle.result())
    try:
        while not (await asyncio.wait({result}, timeout=STUCK_AFTER_S))[0]:
            told = (await handle.describe()).raw_description
            if told.pending_workflow_task.attempt > TRIES and await _has_failed(handle):
                raise Stuck(f"workflow task attempt {told.pending_workflow_task.attempt}")
        return await result
    finally:
        result.cancel()
        await asyncio.gather(result, return_exceptions=True)


async def _has_failed(handle: Handle) -> bool:
    """Whether a workflow task of the run failed, and did not merely run out of time."""
    failed = EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
    return any(event.event_type == failed for event in (await handle.fetch_history()).events)


# --- waiting --------------------------------------------------------------------------------------


async def _until(holds: Callable[[], Awaitable[bool]], within_s: float) -> bool:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_s
    while not await holds():
        if loop.time() > deadline:
            return False
        await asyncio.sleep(LOOKS_EVERY_S)
    return True


async def _has_begun(handle: Handle) -> bool:
    """Whether a version has taken the run, or it has ended."""
    told = (await handle.describe()).raw_description.workflow_execution_info
    running = WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING
    return bool(told.worker_deployment_name) or told.status != running


async def _status_is(rollout: Rollout, wanted: Callable[[str], bool]) -> bool:
    seen = await look(rollout.client, rollout.old.deployment)
    return wanted(seen["status"].get(rollout.old.build_id, ""))


async def _drained(rollout: Rollout) -> bool:
    """Wait until the engine says that the old version is drained; False where it does not."""
    drained = partial(_status_is, rollout, lambda status: status == DRAINED)
    return await _until(drained, rollout.drive.plan.drained_s)
