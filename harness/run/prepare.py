"""What an arm without a drive needs done by a process that hosts the SDK: namespaces, version."""

from __future__ import annotations

import sys
from typing import Any

import msgspec

from harness.drive.plan import EnginePlan, TenantPlan
from harness.groups import GROUPS
from harness.journal.records import Part, Subject, now
from harness.platform.child import Child, Children
from harness.platform.platform import Platform
from harness.target.model import Target

PREPARED_WITHIN_S = 40.0


def engine_plan(target: Target, address: str) -> EnginePlan:
    """How a process that hosts the SDK reaches the engine."""
    engine = target.engine
    given = {} if engine.tls is None else msgspec.structs.asdict(engine.tls)
    return EnginePlan(
        address=address,
        register_namespaces=engine.embedded,
        tls={name: value for name, value in given.items() if value},
        token_file=engine.token_file or "",
        token_env=engine.token_env or "",
    )


def tenant_plans(platform: Platform) -> list[TenantPlan]:
    """The tenants with their task queues by group."""
    return [
        TenantPlan(
            name=t.name,
            namespace=t.namespace,
            task_queues={group: platform.queue(t.task_queue, group) for group in GROUPS},
        )
        for t in platform.target.tenants
    ]


def record_platform(platform: Platform, version: str) -> None:
    """Record the engine and the deployment as parts of the platform."""
    platform.record(
        Part(**now(), subject=Subject.ENGINE, ours=platform.ours, name="temporal", version=version)
    )
    platform.record(
        Part(
            **now(),
            subject=Subject.DEPLOYMENT,
            ours=platform.ours,
            name="reference" if platform.ours else "target",
        )
    )
    if platform.target.pdp is not None:
        url = platform.target.pdp.url
        platform.record(Part(**now(), subject=Subject.PDP, ours=False, name=url))


async def start_hosting(platform: Platform, children: Children, what: str, **more: Any) -> Child:
    """Start `harness.drive.WHAT`, which hosts the SDK, with engine, tenants, and `more`."""
    ask = {
        "engine": engine_plan(platform.target, platform.address),
        "tenants": tenant_plans(platform),
        **more,
    }
    path = platform.folder / f"{what}.json"
    path.write_bytes(msgspec.json.encode(ask))
    return await children.start(what, [sys.executable, "-m", f"harness.drive.{what}", str(path)])


async def prepare(platform: Platform, children: Children) -> None:
    """Register namespaces where the engine is embedded; raises `UnavailableError` otherwise."""
    child = await start_hosting(platform, children, "prepare")
    told = await child.ready(PREPARED_WITHIN_S, "the engine cannot be prepared")
    record_platform(platform, msgspec.json.decode(told, type=dict[str, str])["version"])
    await child.wait(5)
