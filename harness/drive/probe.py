"""`python -m harness.drive.probe`: what of a target's engine can be seen from here, as JSON.

Reads an `EnginePlan` and tenants from standard input, changes nothing, and says one line for each
thing looked at: `{"what", "ok", "found", "advice"}`.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from datetime import timedelta

import msgspec
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, DescribeTaskQueueResponse
from temporalio.client import Client
from temporalio.service import RPCError

from harness.drive.connect import describe_namespace, one_client, server_version
from harness.drive.plan import EnginePlan, TenantPlan
from harness.errors import UnavailableError

WITHIN_S = 5.0
CLOCK_BOUND_S = 2.0


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What to look at."""

    engine: EnginePlan
    tenants: list[TenantPlan]


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One thing looked at."""

    what: str
    ok: bool
    found: str
    advice: str = ""


def main() -> None:
    ask = msgspec.json.decode(sys.stdin.buffer.read(), type=Ask)
    for seen in asyncio.run(_look(ask)):
        print(msgspec.json.encode(seen).decode())
    sys.stdout.flush()
    os._exit(0)


async def _look(ask: Ask) -> list[Seen]:
    try:
        client = await one_client(ask.engine, ask.tenants[0].namespace, within_s=WITHIN_S)
    except (UnavailableError, OSError, KeyError) as error:
        return [
            Seen(
                what="engine",
                ok=False,
                found=str(error),
                advice="start it, or correct `engine` in the target file",
            )
        ]
    version = await server_version(client)
    seen = [Seen(what="engine", ok=True, found=f"{ask.engine.address}, version {version}")]
    for tenant in ask.tenants:
        seen += await _tenant(ask, client, tenant)
    return seen


async def _tenant(ask: Ask, client: Client, tenant: TenantPlan) -> list[Seen]:
    try:
        await describe_namespace(client, tenant.namespace, ask.engine.address, attempts=1)
    except UnavailableError as error:
        return [
            Seen(
                what=f"namespace {tenant.namespace}",
                ok=False,
                found=str(error),
                advice="create it, or correct tenants[].namespace in the target file",
            )
        ]
    found = [Seen(what=f"namespace {tenant.namespace}", ok=True, found="there")]
    for queue in sorted(set(tenant.task_queues.values())):
        found += await _queue(client, tenant, queue)
    return found


async def _queue(client: Client, tenant: TenantPlan, queue: str) -> list[Seen]:
    what = f"worker on {tenant.namespace}/{queue}"
    try:
        answer = await client.workflow_service.describe_task_queue(
            DescribeTaskQueueRequest(
                namespace=tenant.namespace,
                task_queue=TaskQueue(name=queue),
                task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
            ),
            timeout=timedelta(seconds=WITHIN_S),
        )
    except RPCError as error:
        return [
            Seen(
                what=what,
                ok=False,
                found=f"{error.status.name}: {error.message}",
                advice="the credentials must allow DescribeTaskQueue",
            )
        ]
    if not answer.pollers:
        return [
            Seen(
                what=what,
                ok=False,
                found="nobody has polled for five minutes",
                advice="start the worker, or correct tenants[].task_queue",
            )
        ]
    return [Seen(what=what, ok=True, found=f"{len(answer.pollers)} pollers"), _clock(answer)]


def _clock(answer: DescribeTaskQueueResponse) -> Seen:
    """The engine's clock can be seen in when a poller was last there: never in our future."""
    last = max(each.last_access_time.ToNanoseconds() for each in answer.pollers)
    ahead_s = (last - time.time_ns()) / 1e9
    return Seen(
        what="clock",
        ok=ahead_s <= CLOCK_BOUND_S,
        found=f"the engine's is at most {max(0.0, ahead_s):.1f} s ahead, as far as seen",
        advice="synchronise the clocks: event times are compared with ours",
    )


if __name__ == "__main__":
    main()
