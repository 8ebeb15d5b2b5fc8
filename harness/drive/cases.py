"""Driving cases: programs, starts, scripts, results."""

from __future__ import annotations

import asyncio
import contextlib
import fnmatch
import importlib
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError, CancelledError, TerminatedError, TimeoutError

from harness.contract.canaries import with_canaries
from harness.contract.program import (
    COMPENSATION,
    WORKFLOW_TYPE,
    Child,
    Node,
    SagaProgram,
    Step,
    to_json,
)
from harness.drive.case_run import Run
from harness.drive.crash import crash_when_held, rules_in_force
from harness.drive.messages import send_signal, send_update
from harness.drive.plan import TenantPlan
from harness.drive.session import Drive
from harness.groups import CALM, GROUPS, KILLED
from harness.journal.records import Program, now
from harness.program_file import file_of
from harness.scenario import (
    Annotate,
    Cancel,
    Case,
    PdpAway,
    PdpBack,
    Redeliver,
    Revoke,
    Signal,
    Suite,
    Terminate,
    breaks,
)

OPEN_AT_ONCE = 40  # more would only wait for each other, and every measured gap with them
STARTS_AT_ONCE = 16
_LOOK_EVERY_S = 0.1


def runs_of(drive: Drive, suites: list[Suite]) -> list[Run]:
    """The cases that the asked IDs need and the target allows, in each tenant they name."""
    asked = set(drive.plan.asked)
    return [
        run_of(drive, suite.name, case, tenant)
        for suite in suites
        for case in (*suite.cases, *_generated(drive, suite))
        if asked & set(case.feeds) and not case.needs & drive.lacks and _chosen(drive, case)
        if breaks(case) <= set(drive.plan.allowed) and _has_worker(drive, case)
        for tenant in (drive.tenants if case.tenants == "all" else [drive.tenants[case.tenants]])
    ]


def _generated(drive: Drive, suite: Suite) -> tuple[Case, ...]:
    """The cases that a suite draws for this drive's seed: the same ones whenever it is asked."""
    if suite.generated is None or not set(drive.plan.asked) & set(suite.generated.feeds):
        return ()
    module, _, function = suite.generated.call.partition(":")
    drawn: tuple[Case, ...] = getattr(importlib.import_module(module), function)(
        drive.plan.seed, frozenset(drive.plan.allowed), frozenset(drive.lacks)
    )
    return drawn


def _has_worker(drive: Drive, case: Case) -> bool:
    """Whether a worker can be told the group's own address of the PDP: not one that is external."""
    if not GROUPS[case.group].pdp:
        return True
    queues = drive.tenants[0].task_queues
    return queues.get(case.group, queues[CALM]) != queues[CALM]


def _chosen(drive: Drive, case: Case) -> bool:
    patterns = drive.plan.cases
    return not patterns or any(fnmatch.fnmatchcase(case.name, each) for each in patterns)


def run_of(drive: Drive, suite: str, case: Case, tenant: TenantPlan) -> Run:
    """A case in one tenant, its program filled in."""
    workflow_id = drive.workflow_id(suite, case.workflow_id or case.name)
    saga_id = case.saga_id or case.name
    workflow_id = with_canaries(workflow_id, drive.plan.trial_id, tenant.name)
    saga_id = with_canaries(saga_id, drive.plan.trial_id, tenant.name)
    saga_id = f"{drive.plan.trial_id}.{suite}.{saga_id}"
    program = SagaProgram(
        tenant=tenant.name,
        saga_id=saga_id,
        nodes=_filled(case.nodes, drive.plan.trial_id, tenant.name, saga_id),
    )
    return Run(
        suite=suite,
        case=case,
        tenant=tenant,
        program=program,
        workflow_id=workflow_id,
        group=case.group,
    )


def _filled(nodes: Any, trial_id: str, tenant: str, saga_id: str) -> list[Node]:
    """The nodes with tenant and canaries filled in, children named after their saga."""
    filled: list[Node] = []
    for number, node in enumerate(nodes):
        if isinstance(node, Step):
            resource = with_canaries(node.resource, trial_id, tenant)
            amount = with_canaries(node.amount, trial_id, tenant)
            node = msgspec.structs.replace(node, resource=resource, amount=amount)
        elif isinstance(node, Child):
            child_id = f"{saga_id}.{number}"
            node = Child(
                program=SagaProgram(
                    tenant=tenant,
                    saga_id=child_id,
                    nodes=_filled(node.program.nodes, trial_id, tenant, child_id),
                )
            )
        filled.append(node)
    return filled


async def drive_cases(drive: Drive, runs: list[Run]) -> None:
    """Start everything, follow the scripts, wait for every result until the horizon."""
    await announce(drive, runs)
    await rules_in_force(drive, runs)
    # what is held until the crash must all be open at once; it goes first and is not counted
    held = [run for run in runs if run.group in KILLED]
    others = [run for run in runs if run.group not in KILLED]
    crashes = [
        asyncio.create_task(crash_when_held(drive, [run for run in held if run.group == group]))
        for group in {run.group for run in held}
    ]
    starts = asyncio.Semaphore(STARTS_AT_ONCE)
    places = asyncio.Semaphore(OPEN_AT_ONCE)
    await asyncio.gather(
        *(_drive_one(drive, run, starts, None) for run in held),
        *(_drive_one(drive, run, starts, places) for run in others),
    )
    for crash in crashes:
        crash.cancel()
    await asyncio.gather(*crashes, return_exceptions=True)


async def announce(drive: Drive, runs: list[Run]) -> None:
    """Record what will be driven, and tell the doubles how to behave towards it."""
    for run in runs:
        record_program(drive, run)
    await drive.doubles.register((run.tenant.name, run.program) for run in runs)


def record_program(drive: Drive, run: Run) -> None:
    """Record what is driven, as it was given to the workflow."""
    drive.writer.write(
        Program(
            **now(),
            suite=run.suite,
            case=run.case.name,
            tenant=run.tenant.name,
            group=run.group,
            workflow_id=run.workflow_id,
            saga_id=run.program.saga_id,
            task_queue=drive.queue(run.tenant, run.group),
            feeds=list(run.case.feeds),
            program=to_json(run.program),
            script=msgspec.to_builtins(run.case.script),
            rpc=msgspec.to_builtins(run.case.rpc),
            file=_kept(drive, run) if run.case.drawn else "",
        )
    )


def _kept(drive: Drive, run: Run) -> str:
    """Write what was drawn as a program file; its path below the trial's folder."""
    path = f"programs/{run.case.name}.json"
    (drive.trial / path).parent.mkdir(exist_ok=True)
    file = file_of(run.case, trial=drive.plan.trial_id, seed=str(drive.plan.seed))
    (drive.trial / path).write_bytes(file.to_json())
    return path


async def drive_case(drive: Drive, run: Run) -> None:
    """One case that no suite lists, as an act drives it."""
    record_program(drive, run)
    await drive.doubles.register([(run.tenant.name, run.program)])
    await _drive_one(drive, run, asyncio.Semaphore(1), None)


async def _drive_one(
    drive: Drive, run: Run, starts: asyncio.Semaphore, places: asyncio.Semaphore | None
) -> None:
    async with places or contextlib.nullcontext():
        async with starts:
            handle = await _start(drive, run)
        if handle is None:
            return
        beside = []
        for act in run.case.script:
            if act == Redeliver(when="beside"):
                beside.append(asyncio.create_task(_redeliver(drive, run)))
            else:
                await _follow(drive, run, handle, act)
        await _result(drive, run, handle)
        await asyncio.gather(*beside)
        if Redeliver(when="ended") in run.case.script:
            await _redeliver(drive, run)


async def _result(drive: Drive, run: Run, handle: WorkflowHandle[Any, Any]) -> None:
    await drive.call(
        "result",
        handle.result(),
        deadline_s=drive.plan.horizon_s,
        run_id=handle.first_execution_run_id or "",
        show=shown_result,
        **run.about,
    )


async def _redeliver(drive: Drive, run: Run) -> None:
    """Start the same saga under another workflow id, and wait for its result."""
    again = replace(run, workflow_id=f"{run.workflow_id}~again")
    record_program(drive, again)
    handle = await _start(drive, again)
    if handle is not None:
        for act in run.case.script:
            if isinstance(act, Signal):
                await _follow(drive, again, handle, act)
        await _result(drive, again, handle)


async def _start(drive: Drive, run: Run) -> WorkflowHandle[Any, Any] | None:
    client = drive.clients[run.tenant.name]
    started = await drive.call(
        "start",
        client.start_workflow(
            WORKFLOW_TYPE,
            to_json(run.program),
            id=run.workflow_id,
            task_queue=drive.queue(run.tenant, run.group),
            execution_timeout=timedelta(seconds=drive.plan.horizon_s),
        ),
        **run.about,
    )
    if isinstance(started, BaseException):
        return None
    drive.track(run.tenant.name, run.workflow_id, started.first_execution_run_id or "")
    return started


async def _follow(drive: Drive, run: Run, handle: WorkflowHandle[Any, Any], act: object) -> None:
    match act:
        case Signal(when="started"):
            await send_signal(drive, run, handle, act)
        case Annotate(when="started"):
            await send_update(drive, run, handle, act)
        case Revoke(after_step=number):
            await _seen(drive, run, handle, number)
            await _revoke(drive, run, number)
        case PdpAway(after_step=number):
            await _seen(drive, run, handle, number)
            await _link(drive, run, away=True)
        case PdpBack():
            await _tried_in_vain(drive, handle)
            await _link(drive, run, away=False)
        case Cancel(after_step=number):
            await _seen(drive, run, handle, number)
            await drive.call("cancel", handle.cancel(), **run.about)
        case Terminate(after_step=number):
            await _seen(drive, run, handle, number)
            await drive.call("terminate", handle.terminate("conformance"), **run.about)


async def _link(drive: Drive, run: Run, away: bool) -> None:
    link = GROUPS[run.group].pdp
    args = {"link": link, "away": away}
    await drive.call("pdp-link", drive.doubles.link(link, away), args=args, **run.about)


async def _tried_in_vain(drive: Drive, handle: WorkflowHandle[Any, Any]) -> None:
    """Wait until a compensation of the run is being retried, or the run has ended."""
    back = {f"{service}.{name}" for (service, _), name in COMPENSATION.items()}
    deadline = asyncio.get_running_loop().time() + drive.plan.horizon_s
    while asyncio.get_running_loop().time() < deadline:
        told = (await handle.describe()).raw_description
        retried = [p for p in told.pending_activities if p.activity_type.name in back]
        ended = told.workflow_execution_info.HasField("close_time")
        if ended or any(each.attempt > 1 for each in retried):
            return
        await asyncio.sleep(_LOOK_EVERY_S)  # the engine has no event for a failed attempt


async def _revoke(drive: Drive, run: Run, number: int) -> None:
    node = run.program.nodes[number]
    assert isinstance(node, Step)
    question = {"resource": node.resource, "action": f"{node.service}.{node.operation}"}
    policy = drive.doubles.policy(run.tenant.name, decision=False, **question)
    await drive.call("revoke", policy, args=question, **run.about)


async def _seen(drive: Drive, run: Run, handle: WorkflowHandle[Any, Any], number: int) -> None:
    """Wait until the step is applied, or the run has ended without it."""
    effect = asyncio.create_task(
        drive.doubles.await_effect(
            tenant=run.tenant.name,
            saga_id=run.program.saga_id,
            step=number,
            direction="forward",
            timeout_ms=int(drive.plan.horizon_s * 1000),
        )
    )
    end = asyncio.create_task(handle.result())
    try:
        await asyncio.wait({effect, end}, return_when=asyncio.FIRST_COMPLETED)
        if effect.done():
            effect.result()
    finally:
        for task in (effect, end):
            task.cancel()
        await asyncio.gather(effect, end, return_exceptions=True)


def shown_result(result: object) -> dict[str, Any]:
    """A run's end as JSON: `status`, and its `value`, or its failure's `type` and `detail`."""
    if not isinstance(result, WorkflowFailureError):
        return {"status": "COMPLETED", "value": result}
    cause = result.cause
    match cause:
        case ApplicationError():
            return {
                "status": "FAILED",
                "type": cause.type,
                "detail": cause.details[0] if cause.details else None,
            }
        case CancelledError():
            return {"status": "CANCELED"}
        case TerminatedError():
            return {"status": "TERMINATED"}
        case TimeoutError():
            return {"status": "TIMED_OUT"}
    return {"status": "FAILED", "type": type(cause).__name__}
