"""Lists, counts and page tokens of one tenant, asked for another's runs (INV-ISO-10).

Each tenant has a few open runs of its own, not as many as the others, whose ids and memos carry its
canaries. An operation `visibility` is one question of a tenant (`args.way`); `most` is the largest
number that may be the answer to a count. `of` is the tenant whose runs it is after: its own are the
control.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio.api.workflowservice.v1 import (
    CountWorkflowExecutionsRequest,
    ListArchivedWorkflowExecutionsRequest,
    ListOpenWorkflowExecutionsRequest,
    ListWorkflowExecutionsRequest,
    ScanWorkflowExecutionsRequest,
)
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from harness.contract.canaries import canary
from harness.drive.plan import TenantPlan
from harness.drive.session import Drive
from scenarios.conformance.acts.defects import Defect
from scenarios.conformance.acts.raw import PROBE_TYPE

VISIBLE_WITHIN_S = 20.0
LOOKS_EVERY_S = 0.2
PAGE = 200
TRIES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The open runs that a tenant has for this."""

    tenant: TenantPlan
    client: Client
    handles: list[WorkflowHandle[Any, Any]]
    prefix: str

    @property
    def query(self) -> str:
        """What finds these runs, in whatever namespace it is asked."""
        return f"WorkflowId STARTS_WITH '{self.prefix}'"


async def look_across(drive: Drive) -> None:
    """Each of the first two tenants looks for its own runs and for the other's."""
    shown = [await _show(drive, n, tenant) for n, tenant in enumerate(drive.tenants[:2])]
    await asyncio.gather(*(_until_visible(each) for each in shown))
    await asyncio.gather(*(_questions(drive, asker, owner) for asker in shown for owner in shown))
    await asyncio.gather(*(handle.terminate("seen") for s in shown for handle in s.handles))


async def _show(drive: Drive, number: int, tenant: TenantPlan) -> Shown:
    client = drive.clients[tenant.name]
    prefix = drive.workflow_id("visible", "")
    word = canary(drive.plan.trial_id, tenant.name, "workflow-id")
    handles = []
    for n in range(2 + number):
        handle = await client.start_workflow(
            PROBE_TYPE,
            id=f"{prefix}{word}-{n}",
            task_queue=f"{prefix}queue",
            memo={"note": canary(drive.plan.trial_id, tenant.name, "memo")},
            execution_timeout=timedelta(minutes=5),
        )
        drive.track(tenant.name, handle.id, handle.first_execution_run_id or "")
        handles.append(handle)
    return Shown(tenant=tenant, client=client, handles=handles, prefix=prefix)


async def _until_visible(shown: Shown) -> None:
    """Visibility is late: wait until the tenant sees its own runs, but not for ever."""
    wanted = {handle.id for handle in shown.handles}
    deadline = asyncio.get_running_loop().time() + VISIBLE_WITHIN_S
    while asyncio.get_running_loop().time() < deadline:
        page = await _patiently(
            lambda: _list(shown.client, shown.tenant.namespace, shown.query, b"")
        )
        if wanted <= {each.execution.workflow_id for each in page.executions}:
            return
        await asyncio.sleep(LOOKS_EVERY_S)


async def _questions(drive: Drive, asker: Shown, owner: Shown) -> None:
    namespace = asker.tenant.namespace
    if Defect.LISTS_WITHOUT_TENANT in drive.plan.defects:
        namespace = drive.tenants[0].namespace
    own = asker is owner
    number = len(asker.handles)
    first = owner.handles[0]

    async def ask(way: str, query: str, most: int = -1, token: bytes = b"") -> Any:
        return await drive.call(
            "visibility",
            _patiently(lambda: _WAYS[way](asker.client, namespace, query, token)),
            suite="isolation",
            tenant=asker.tenant.name,
            args={"way": way, "of": owner.tenant.name, "query": query, "most": most},
            show=lambda answer: _said(answer),
        )

    for way in ("list", "scan", "open", "archived"):
        await ask(way, f"WorkflowId = '{first.id}'")
    await ask("list", owner.query)
    await ask("count", owner.query, number)
    await ask("count", f"WorkflowId = '{first.id}'", 1 if own else 0)
    await ask("grouped count", f"{owner.query} GROUP BY ExecutionStatus", number)
    if not own:
        for query in _outbreaks(owner):
            await ask("list", query)
    token = await _token(owner)
    if token:
        await ask("page token", owner.query, token=token)


def _outbreaks(owner: Shown) -> list[str]:
    """Queries that try to get out of the asker's namespace, or at what does not exist."""
    wanted = f"WorkflowId = '{owner.handles[0].id}'"
    namespace = owner.tenant.namespace
    return [
        "",
        f"RunId = '{owner.handles[0].first_execution_run_id}'",
        "WorkflowId = 'x' OR 1=1",
        f"WorkflowId = 'x' OR {wanted}",
        "WorkflowId != 'x'",
        f"WorkflowId = 'x'' OR ''1''=''1' OR {wanted}",
        f"WorkflowId = 'x') OR ({wanted}",
        f"{wanted}; --",
        f"{wanted} UNION SELECT * FROM executions_visibility",
        f"NamespaceId = '{namespace}' OR {wanted}",
        f"Namespace = '{namespace}' AND {wanted}",
        f"TemporalNamespaceDivision = '{namespace}' OR {wanted}",
        f"NoSuchAttribute = 'x' OR {wanted}",
    ]


async def _token(owner: Shown) -> bytes:
    """A page token that was made for the owner."""
    page = await owner.client.workflow_service.list_workflow_executions(
        ListWorkflowExecutionsRequest(
            namespace=owner.tenant.namespace, query=owner.query, page_size=1
        ),
    )
    return page.next_page_token


async def _patiently(ask: Callable[[], Awaitable[Any]]) -> Any:
    """Ask again while the engine's own limit on such questions says no, and on nothing else."""
    for _ in range(TRIES):
        try:
            return await ask()
        except RPCError as error:
            if error.status is not RPCStatusCode.RESOURCE_EXHAUSTED:
                raise
            await asyncio.sleep(LOOKS_EVERY_S)
    return await ask()


# --- ways to ask ----------------------------------------------------------------------------------


async def _list(client: Client, namespace: str, query: str, token: bytes) -> Any:
    return await client.workflow_service.list_workflow_executions(
        ListWorkflowExecutionsRequest(
            namespace=namespace, query=query, page_size=PAGE, next_page_token=token
        ),
    )


async def _scan(client: Client, namespace: str, query: str, _: bytes) -> Any:
    return await client.workflow_service.scan_workflow_executions(
        ScanWorkflowExecutionsRequest(namespace=namespace, query=query, page_size=PAGE),
    )


async def _archived(client: Client, namespace: str, query: str, _: bytes) -> Any:
    return await client.workflow_service.list_archived_workflow_executions(
        ListArchivedWorkflowExecutionsRequest(namespace=namespace, query=query, page_size=PAGE),
    )


async def _open(client: Client, namespace: str, query: str, _: bytes) -> Any:
    request = ListOpenWorkflowExecutionsRequest(namespace=namespace, maximum_page_size=PAGE)
    request.start_time_filter.earliest_time.FromSeconds(0)
    request.start_time_filter.latest_time.GetCurrentTime()
    request.execution_filter.workflow_id = query.partition("'")[2].rstrip("'")
    return await client.workflow_service.list_open_workflow_executions(request)


async def _count(client: Client, namespace: str, query: str, _: bytes) -> Any:
    return await client.workflow_service.count_workflow_executions(
        CountWorkflowExecutionsRequest(namespace=namespace, query=query)
    )


_WAYS: dict[str, Callable[[Client, str, str, bytes], Awaitable[Any]]] = {
    "list": _list,
    "page token": _list,
    "scan": _scan,
    "archived": _archived,
    "open": _open,
    "count": _count,
    "grouped count": _count,
}


def _said(answer: Any) -> dict[str, Any]:
    """A list's runs (workflow id, run id, memo) or a count's numbers."""
    if hasattr(answer, "executions"):
        return {
            "runs": [
                [
                    each.execution.workflow_id,
                    each.execution.run_id,
                    {name: value.data.decode() for name, value in each.memo.fields.items()},
                ]
                for each in answer.executions
            ]
        }
    return {"count": answer.count, "groups": [each.count for each in answer.groups]}
