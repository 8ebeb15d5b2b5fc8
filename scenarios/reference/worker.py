"""The worker process: `python -m scenarios.reference.worker`.

A mutant is the same process with one part replaced:

    if __name__ == "__main__":
        main(Parts(authorize=believes_anything))

`Parts` lists what can be replaced; the signatures are `Authorize`, `CallService`,
`IdempotencyKey`, `Perform` and `Noop`, and `ReferenceSaga` says how its subclasses look.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, NoReturn

import aiohttp
import temporalio.service
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import (
    PollerBehaviorSimpleMaximum,
    Worker,
    WorkerDeploymentConfig,
    WorkflowRunner,
)
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from scenarios.reference import activities
from scenarios.reference.activities import Noop, Outside, Perform
from scenarios.reference.answer import new_session
from scenarios.reference.call import IdempotencyKey, idempotency_key
from scenarios.reference.eager import EagerWhereAsked
from scenarios.reference.noop import ReferenceNoop
from scenarios.reference.pdp import Authorize, authorize
from scenarios.reference.process import run, say_ready, unless_stopped
from scenarios.reference.services import CallService, call_service
from scenarios.reference.settings import Engine, Environment, Tenant
from scenarios.reference.versioned import ReferenceVersioned
from scenarios.reference.workflow import ReferenceSaga

CONTRACT_VERSION: Final = "1.1"
GRACE: Final = timedelta(seconds=5)
POLLED_EVERY_S: Final = 0.02
NEW_RUNS: Final = 0.5  # of the polls for workflow tasks; one in five is too few for many starts


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the worker is told (contract §1); the last three are the reference worker's own."""

    engine: Engine
    tenants: tuple[Tenant, ...]
    pdp_url: str
    pdp_deadline_ms: int = 1000
    services_url: str
    service_deadline_ms: int = 2000
    deployment: str = ""
    build_id: str = ""
    slots: int = 100
    pollers: int = 5
    cached_workflows: int = 1000

    @classmethod
    def from_environment(cls, variables: Mapping[str, str]) -> Settings:
        """Raises `BadEnvironment` with all problems."""
        env = Environment(variables)
        deployment, build_id = env.text("HARNESS_DEPLOYMENT", ""), env.text("HARNESS_BUILD_ID", "")
        if bool(deployment) != bool(build_id):
            env.wrong("HARNESS_DEPLOYMENT and HARNESS_BUILD_ID: both or neither")
        settings = cls(
            engine=env.engine(),
            tenants=env.tenants(),
            pdp_url=env.text("HARNESS_PDP_URL"),
            pdp_deadline_ms=env.integer("HARNESS_PDP_DEADLINE_MS", 1000),
            services_url=env.text("HARNESS_SERVICES_URL"),
            service_deadline_ms=env.integer("HARNESS_SERVICE_DEADLINE_MS", 2000),
            deployment=deployment,
            build_id=build_id,
            slots=env.integer("REFERENCE_SLOTS", 100),
            pollers=env.integer("REFERENCE_POLLERS", 5),
            cached_workflows=env.integer("REFERENCE_CACHED_WORKFLOWS", 1000),
        )
        env.check()
        return settings


def pinned(deployment: str, build_id: str) -> WorkerDeploymentConfig | None:
    """The version that the worker is told (contract §1.1); its runs stay with it."""
    if not deployment:
        return None
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(deployment_name=deployment, build_id=build_id),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.PINNED,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The replaceable parts of the worker; the defaults are the reference worker."""

    workflow: type = ReferenceSaga
    authorize: Authorize = authorize
    call_service: CallService = call_service
    idempotency_key: IdempotencyKey = idempotency_key
    perform: Perform = activities.perform
    noop: Noop = activities.nothing
    activities: Callable[[Outside, Perform], Sequence[Callable[..., Any]]] = activities.build
    runner: Callable[[], WorkflowRunner] = field(default=SandboxedWorkflowRunner)
    deployment: Callable[[str, str], WorkerDeploymentConfig | None] = pinned
    lacks: tuple[str, ...] = ()


DEFAULT: Final = Parts()


async def serve(settings: Settings, parts: Parts, stop: asyncio.Event) -> None:
    """Serve all tenants until `stop` is set; says when it polls."""
    identity = f"reference-{os.getpid()}-{secrets.token_hex(4)}"
    connecting = settings.engine.connect_all(settings.tenants, identity)
    clients = await unless_stopped(stop, connecting)
    if clients is None:
        return
    async with new_session() as http:
        implementations = [
            *parts.activities(_outside(settings, parts, http), parts.perform),
            activities.build_noop(parts.noop),
        ]
        workers = [
            _worker(settings, parts, tenant, client, implementations)
            for tenant, client in zip(settings.tenants, clients, strict=True)
        ]
        running = [asyncio.create_task(worker.run()) for worker in workers]
        beside: list[asyncio.Task[Any]] = [
            asyncio.create_task(stop.wait()),
            asyncio.create_task(_ready(workers, parts, stop)),
            asyncio.create_task(settings.engine.keep_token(clients)),
        ]
        await asyncio.wait([*running, *beside], return_when=asyncio.FIRST_COMPLETED)
        await asyncio.gather(*(worker.shutdown() for worker in workers), return_exceptions=True)
        for task in beside:
            task.cancel()
        await asyncio.gather(*running)


def _outside(settings: Settings, parts: Parts, http: aiohttp.ClientSession) -> Outside:
    return Outside(
        http=http,
        pdp_url=settings.pdp_url,
        pdp_deadline_s=settings.pdp_deadline_ms / 1000,
        services_url=settings.services_url,
        service_deadline_s=settings.service_deadline_ms / 1000,
        authorize=parts.authorize,
        call_service=parts.call_service,
        idempotency_key=parts.idempotency_key,
    )


def _worker(
    settings: Settings,
    parts: Parts,
    tenant: Tenant,
    client: Client,
    implementations: Sequence[Callable[..., Any]],
) -> Worker:
    return Worker(
        client,
        task_queue=tenant.task_queue,
        workflows=[parts.workflow, ReferenceVersioned, ReferenceNoop],
        activities=implementations,
        workflow_runner=parts.runner(),
        max_cached_workflows=settings.cached_workflows,
        max_concurrent_workflow_tasks=settings.slots,
        max_concurrent_activities=settings.slots,
        workflow_task_poller_behavior=PollerBehaviorSimpleMaximum(settings.pollers),
        activity_task_poller_behavior=PollerBehaviorSimpleMaximum(settings.pollers),
        nonsticky_to_sticky_poll_ratio=NEW_RUNS,
        # each activity goes through the task queue, as the platform's load figures assume
        disable_eager_activity_execution=True,
        interceptors=[EagerWhereAsked()],
        # the SDK would otherwise hold beats back for 0.8 of the timeout
        max_heartbeat_throttle_interval=timedelta(milliseconds=250),
        # what a run waits after its worker was killed; the SDK's default is 10 s
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=5),
        graceful_shutdown_timeout=GRACE,
        deployment_config=parts.deployment(settings.deployment, settings.build_id),
    )


async def _ready(workers: Sequence[Worker], parts: Parts, stop: asyncio.Event) -> None:
    """Print the line of the contract once the engine has seen every queue being polled."""
    await asyncio.gather(*(_polled(worker) for worker in workers))
    say_ready(
        contract=CONTRACT_VERSION,
        language="python",
        sdk=f"temporalio {temporalio.service.__version__}",
        lacks=list(parts.lacks),
    )
    await stop.wait()


async def _polled(worker: Worker) -> None:
    """Until this process is among the pollers of the worker's queue, for both kinds of task."""
    kinds = [TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY]
    while kinds:
        request = DescribeTaskQueueRequest(
            namespace=worker.client.namespace,
            task_queue=TaskQueue(name=worker.task_queue),
            task_queue_type=kinds[0],
        )
        try:
            answer = await worker.client.workflow_service.describe_task_queue(request)
        except RPCError as error:
            if error.status in (RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNIMPLEMENTED):
                return  # may poll but not look: this is all that can be known
            await asyncio.sleep(POLLED_EVERY_S * 10)
            continue
        if any(poller.identity == worker.client.identity for poller in answer.pollers):
            kinds.pop(0)
        else:
            await asyncio.sleep(POLLED_EVERY_S)


def main(parts: Parts = DEFAULT) -> NoReturn:
    """Run the worker until SIGTERM."""
    # the SDK warns of every failed attempt with a traceback; most are part of the programme
    logging.getLogger("temporalio.activity").setLevel(logging.ERROR)
    run(lambda stop: serve(Settings.from_environment(os.environ), parts, stop))


if __name__ == "__main__":
    main()
