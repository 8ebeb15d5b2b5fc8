"""Task tokens and activity ids of one tenant, used from another (INV-ISO-6).

Each method has a task of its own in each direction; the foreign calls are made on it one after the
other, and at last the owner's own. A call by token that names no namespace is the owner's in the
engine's eyes: without credentials nobody can say who calls, so it is not made here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    RecordActivityTaskHeartbeatByIdRequest,
    RecordActivityTaskHeartbeatRequest,
    RespondActivityTaskCanceledByIdRequest,
    RespondActivityTaskCanceledRequest,
    RespondActivityTaskCompletedByIdRequest,
    RespondActivityTaskCompletedRequest,
    RespondActivityTaskFailedByIdRequest,
    RespondActivityTaskFailedRequest,
    RespondWorkflowTaskCompletedRequest,
    RespondWorkflowTaskFailedRequest,
)

from harness.drive.plan import TenantPlan
from harness.drive.session import Drive
from harness.journal.records import Ending
from scenarios.conformance.acts.raw import (
    IDENTITY,
    Probe,
    end_probe,
    history_types,
    poll_workflow_task,
    request_cancel,
    scheduled_activity,
    start_probe,
)

ACTIVITY_ID = "probe-activity"
PROBES_AT_ONCE = 8
OF_WORKFLOW_TASK: dict[str, Any] = {
    "respond_workflow_task_completed": RespondWorkflowTaskCompletedRequest,
    "respond_workflow_task_failed": RespondWorkflowTaskFailedRequest,
}
OF_ACTIVITY: dict[str, Any] = {
    "record_activity_task_heartbeat": RecordActivityTaskHeartbeatRequest,
    "respond_activity_task_completed": RespondActivityTaskCompletedRequest,
    "respond_activity_task_failed": RespondActivityTaskFailedRequest,
    "respond_activity_task_canceled": RespondActivityTaskCanceledRequest,
}
BY_TOKEN = {**OF_WORKFLOW_TASK, **OF_ACTIVITY}
BY_ID: dict[str, Any] = {
    "record_activity_task_heartbeat_by_id": RecordActivityTaskHeartbeatByIdRequest,
    "respond_activity_task_completed_by_id": RespondActivityTaskCompletedByIdRequest,
    "respond_activity_task_failed_by_id": RespondActivityTaskFailedByIdRequest,
    "respond_activity_task_canceled_by_id": RespondActivityTaskCanceledByIdRequest,
}


async def replay_tokens(drive: Drive) -> None:
    """Every method, both ways."""
    gate = asyncio.Semaphore(PROBES_AT_ONCE)  # a task that waits too long for us times out
    first, second = drive.tenants[0], drive.tenants[1]
    ids = {each.name: await _namespace_id(drive, each) for each in (first, second)}
    await asyncio.gather(
        *(
            _one(drive, owner, other, method, ids, gate)
            for owner, other in ((first, second), (second, first))
            for method in (*BY_TOKEN, *BY_ID)
        )
    )


async def _namespace_id(drive: Drive, tenant: TenantPlan) -> str:
    answer = await drive.clients[tenant.name].workflow_service.describe_namespace(
        DescribeNamespaceRequest(namespace=tenant.namespace)
    )
    return answer.namespace_info.id


async def _one(
    drive: Drive,
    owner: TenantPlan,
    other: TenantPlan,
    method: str,
    ids: dict[str, str],
    gate: asyncio.Semaphore,
) -> None:
    async with gate:
        probe = await start_probe(drive, owner, f"token-{owner.name}-{method}")
        token = await _task(probe, method)
        args = {"method": method, "owner": owner.name, "caller": other.name}
        for variant, request in _foreign(probe, method, token, other, ids):
            before = len(await history_types(probe))
            told = await _call(drive, probe, other.name, {**args, "variant": variant}, request)
            await _state(drive, probe, {**args, "variant": variant}, before)
            if told is Ending.OK:
                break  # the task is used up
        own = {**args, "variant": "owner", "caller": owner.name}
        await _call(drive, probe, owner.name, own, _own(probe, method, token))
        await end_probe(probe)


async def _task(probe: Probe, method: str) -> bytes:
    """The token of a task that the method can be about."""
    if method in OF_WORKFLOW_TASK:
        return (await poll_workflow_task(probe)).task_token
    token = await scheduled_activity(probe, ACTIVITY_ID)
    if "canceled" in method:
        await request_cancel(probe)
    return token


def _foreign(
    probe: Probe, method: str, token: bytes, other: TenantPlan, ids: dict[str, str]
) -> Iterator[tuple[str, Any]]:
    """(variant, request) of the calls that must be refused."""
    if method in BY_ID:
        yield "other namespace", _by_id(probe, method, other.namespace)
        yield "no namespace", _by_id(probe, method, "")
        return
    home = probe.tenant.namespace
    moved = _with(token, ids[probe.tenant.name], ids[other.name])
    yield "other namespace", _by_token(method, token, other.namespace)
    yield "moved to the other namespace", _by_token(method, moved, other.namespace)
    yield "forged run", _by_token(method, _flipped(token, probe.run_id), home)
    yield "forged workflow", _by_token(method, _flipped(token, probe.workflow_id), home)


def _own(probe: Probe, method: str, token: bytes) -> Any:
    """The control: the owner's call, with the true token or ids."""
    home = probe.tenant.namespace
    return _by_id(probe, method, home) if method in BY_ID else _by_token(method, token, home)


def _by_id(probe: Probe, method: str, namespace: str) -> Any:
    return BY_ID[method](
        namespace=namespace,
        workflow_id=probe.workflow_id,
        run_id=probe.run_id,
        activity_id=ACTIVITY_ID,
        identity=IDENTITY,
    )


def _by_token(method: str, token: bytes, namespace: str) -> Any:
    return BY_TOKEN[method](namespace=namespace, task_token=token, identity=IDENTITY)


def _flipped(token: bytes, inside: str) -> bytes:
    """The token with one bit of an id inside it flipped, so that it names another."""
    whole = inside.encode()
    return _with(token, inside, (whole[:-1] + bytes([whole[-1] ^ 0x01])).decode())


def _with(token: bytes, inside: str, instead: str) -> bytes:
    """The token with an id inside it replaced by one of the same length."""
    assert inside.encode() in token, "the token does not carry its ids in clear any more"
    assert len(inside) == len(instead)
    return token.replace(inside.encode(), instead.encode())


async def _call(
    drive: Drive, probe: Probe, caller: str, args: dict[str, Any], request: Any
) -> Ending:
    """Make the call; says how it ended, as far as the next one must know."""
    called = await drive.call(
        "task-token",
        getattr(drive.clients[caller].workflow_service, args["method"])(request),
        suite="isolation",
        tenant=probe.tenant.name,
        workflow_id=probe.workflow_id,
        run_id=probe.run_id,
        args=args,
    )
    return Ending.FAIL if isinstance(called, BaseException) else Ending.OK


async def _state(drive: Drive, probe: Probe, args: dict[str, Any], before: int) -> None:
    """Record whether the call changed the history."""
    await drive.call(
        "task-token-state",
        history_types(probe),
        suite="isolation",
        tenant=probe.tenant.name,
        workflow_id=probe.workflow_id,
        run_id=probe.run_id,
        args=args,
        show=lambda types: {"before": before, "after": len(types), "new": types[before:]},
    )
