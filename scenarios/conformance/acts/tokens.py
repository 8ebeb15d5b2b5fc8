"""Task tokens of one tenant, used from another (INV-ISO-6)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any

from temporalio.api.workflowservice.v1 import (
    RecordActivityTaskHeartbeatByIdRequest,
    RecordActivityTaskHeartbeatRequest,
    RespondActivityTaskCanceledByIdRequest,
    RespondActivityTaskCanceledRequest,
    RespondActivityTaskCompletedByIdRequest,
    RespondActivityTaskCompletedRequest,
    RespondActivityTaskFailedByIdRequest,
    RespondActivityTaskFailedRequest,
)

from harness.drive.session import Drive
from scenarios.conformance.acts.raw import (
    IDENTITY,
    Probe,
    end_probe,
    history_length,
    request_cancel,
    scheduled_activity,
    start_probe,
)

ACTIVITY_ID = "probe-activity"
BY_TOKEN: dict[str, Any] = {
    "record_activity_task_heartbeat": RecordActivityTaskHeartbeatRequest,
    "respond_activity_task_completed": RespondActivityTaskCompletedRequest,
    "respond_activity_task_failed": RespondActivityTaskFailedRequest,
    "respond_activity_task_canceled": RespondActivityTaskCanceledRequest,
}
BY_ID: dict[str, Any] = {
    "record_activity_task_heartbeat_by_id": RecordActivityTaskHeartbeatByIdRequest,
    "respond_activity_task_completed_by_id": RespondActivityTaskCompletedByIdRequest,
    "respond_activity_task_failed_by_id": RespondActivityTaskFailedByIdRequest,
    "respond_activity_task_canceled_by_id": RespondActivityTaskCanceledByIdRequest,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A call with a token or an id, and who is the rightful caller: `crossing` or `forged`."""

    method: str
    variant: str
    request: Any


async def replay_tokens(drive: Drive) -> None:
    """Each method in each variant against an open activity of its own, both ways."""
    first, second = drive.tenants[0], drive.tenants[1]
    await asyncio.gather(
        *(
            _one(drive, owner, other, method, variant)
            for owner, other in ((first, second), (second, first))
            for method, variant in _variants()
        )
    )


def _variants() -> list[tuple[str, str]]:
    return [
        *(
            (method, variant)
            for method in BY_TOKEN
            for variant in ("other namespace", "bit-flipped token")
        ),
        *((method, "other namespace") for method in BY_ID),
    ]


async def _one(drive: Drive, owner: Any, other: Any, method: str, variant: str) -> None:
    name = f"token-{owner.name}-{method}-{variant.replace(' ', '-')}"
    probe = await start_probe(drive, owner, name)
    token = await scheduled_activity(probe, ACTIVITY_ID)
    if "canceled" in method:
        await request_cancel(probe)
    before = await history_length(probe)
    args = {"method": method, "variant": variant, "owner": owner.name, "caller": other.name}
    await _call(
        drive,
        probe,
        other.name,
        method,
        args,
        _request(probe, method, variant, token, other.namespace),
    )
    after = await history_length(probe)
    await drive.call(
        "task-token-state",
        _value({"before": before, "after": after}),
        suite="isolation",
        case=name,
        tenant=owner.name,
        workflow_id=probe.workflow_id,
        run_id=probe.run_id,
        args=args,
        show=_same,
    )
    # the control: the owner's own call, with the true token, does what it says
    await _call(
        drive,
        probe,
        owner.name,
        method,
        {**args, "variant": "owner", "caller": owner.name},
        _request(probe, method, "owner", token, owner.namespace),
    )
    await end_probe(probe)


async def _value(value: dict[str, int]) -> dict[str, int]:
    return value


def _same(value: Any) -> Any:
    return value


def _request(probe: Probe, method: str, variant: str, token: bytes, namespace: str) -> Any:
    if method in BY_ID:
        return BY_ID[method](
            namespace=namespace,
            workflow_id=probe.workflow_id,
            run_id=probe.run_id,
            activity_id=ACTIVITY_ID,
            identity=IDENTITY,
        )
    if variant == "bit-flipped token":
        namespace = probe.tenant.namespace
        token = _forged(token, probe.run_id)
    return BY_TOKEN[method](namespace=namespace, task_token=token, identity=IDENTITY)


def _forged(token: bytes, run_id: str) -> bytes:
    """The token with one bit of the run id inside it flipped, so that it names another run."""
    whole = run_id.encode()
    assert whole in token, "the token does not carry its run id in clear any more"
    return token.replace(whole, bytes([whole[0] ^ 0x01]) + whole[1:])


async def _call(
    drive: Drive, probe: Probe, caller: str, method: str, args: dict[str, Any], request: Any
) -> None:
    call: Awaitable[Any] = getattr(drive.clients[caller].workflow_service, method)(request)
    await drive.call(
        "task-token",
        call,
        suite="isolation",
        tenant=probe.tenant.name,
        workflow_id=probe.workflow_id,
        run_id=probe.run_id,
        args=args,
    )
