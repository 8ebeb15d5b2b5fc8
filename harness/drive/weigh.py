"""`python -m harness.drive.weigh`: what the engine keeps of the workflows that a load started.

Reads an `Ask` from the file named as its argument, and the load's samples in the trial; takes
evenly drawn workflows that were acknowledged, and writes one `Stored` record for each of their runs
(what carries a workflow on, and its children, included) into a segment of its own, after a gauge
that says how many workflows were drawn.

What a history says of when each activity was scheduled, started and closed is recorded beside it
(`executed.py`). Of each operation of the load the same share of the workflows is drawn.

Two figures of each run are recorded. `DescribeWorkflowExecution` tells the engine's own count of
the bytes that it stores, which also decides when the engine ends a run; it takes one small call.
The history itself is read too: its encoded size must be near that count, and it tells how many
activities there were. Neither includes what the store adds: indices, visibility, copies.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, WorkflowExecutionStatus
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    GetWorkflowExecutionHistoryRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError

from harness.drive.connect import one_client
from harness.drive.executed import activities
from harness.drive.plan import EnginePlan, TenantPlan
from harness.errors import EvidenceError, HarnessError
from harness.journal.manifest import JOURNAL
from harness.journal.records import DRAWN, Executed, Gauge, LoadRun, Stored, now
from harness.journal.write import SegmentWriter
from harness.load.samples import Samples
from harness.load.whole import sessions, whole_run

SEGMENT: Final = "weigh"
STARTING: Final = ("RUN", "START")
AT_ONCE: Final = 8
CALL_WITHIN: Final = timedelta(seconds=10)
MOST_RUNS: Final = 1000  # of one workflow, so that one that carries on for ever ends this
_STATUS: Final = "WORKFLOW_EXECUTION_STATUS_"


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What to weigh: at most `most` workflows of the trial's load."""

    engine: EnginePlan
    tenants: list[TenantPlan]
    trial: str
    trial_id: str
    most: int
    within_s: float


class Root(NamedTuple):
    """A workflow that the load started, by the operation of this name."""

    tenant: str
    workflow_id: str
    operation: str = ""


class Run(NamedTuple):
    """One run; an empty run id is the latest."""

    namespace: str
    workflow_id: str
    run_id: str = ""


def main() -> None:
    ask = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Ask)
    code = 0
    try:
        asyncio.run(_weigh(ask))
    except (HarnessError, RPCError, TimeoutError, OSError) as error:
        print(f"weigh: {error!r}")
        code = 1
    sys.stdout.flush()
    os._exit(code)  # the SDK may crash at the interpreter's exit


async def _weigh(ask: Ask) -> None:
    chosen = list(drawn(_started(Path(ask.trial)), ask.most))
    with SegmentWriter(Path(ask.trial) / JOURNAL, SEGMENT, ask.trial_id) as segment:
        segment.write(Gauge(**now(), name=DRAWN, value=len(chosen)))
        if not chosen:
            return
        namespaces = {tenant.name: tenant.namespace for tenant in ask.tenants}
        gate = asyncio.Semaphore(AT_ONCE)
        async with asyncio.timeout(ask.within_s):
            client = await one_client(ask.engine, ask.tenants[0].namespace, within_s=5.0)

            async def weigh(root: Root) -> None:
                async with gate:
                    # all runs of a workflow, or none: half of it would be too light
                    with contextlib.suppress(RPCError):
                        for record in [each async for each in _runs(client, root, namespaces)]:
                            segment.write(record)

            await asyncio.gather(*(weigh(root) for root in chosen))


def _started(trial: Path) -> list[Root]:
    """The workflows of all load runs whose start was acknowledged, in the order of their starts."""
    runs = [
        msgspec.json.decode(line, type=LoadRun)
        for path in sorted((trial / JOURNAL).glob("load*.jsonl"))
        for line in path.read_bytes().splitlines()
        if line.startswith(b'{"kind":"load"')
    ]
    found: list[Root] = []
    for parts in sessions(runs):
        with contextlib.suppress(EvidenceError):
            whole = whole_run(parts, lambda part: (trial / part.samples).read_bytes())
            found += _acknowledged(whole.samples.of(STARTING))
    return found


def _acknowledged(samples: Samples) -> Iterator[Root]:
    rows = sorted(range(len(samples)), key=lambda row: samples.intended_ns[row])
    for row in rows:
        if samples.answered_ns[row]:
            yield Root(
                samples.origin.tenants[samples.tenant[row]],
                samples.origin.workflow_id(samples.index[row]),
                samples.origin.operations[samples.operation[row]],
            )


def drawn(roots: Sequence[Root], most: int) -> Iterator[Root]:
    """At most `most` of them, and of each operation the same share, evenly from first to last.

    Operations take turns, so an even step through all of them might meet one of them only.
    """
    for name in sorted({root.operation for root in roots}):
        alike = [root for root in roots if root.operation == name]
        count = min(len(alike), most * len(alike) // len(roots))
        yield from (alike[number * len(alike) // count] for number in range(count))


async def _runs(
    client: Client, root: Root, namespaces: dict[str, str]
) -> AsyncIterator[Stored | Executed]:
    """What is kept of a workflow: its first run, what carries it on, and children of any."""
    tenants = {namespace: tenant for tenant, namespace in namespaces.items()}
    latest = Run(namespaces[root.tenant], root.workflow_id)
    todo = [latest._replace(run_id=await _first_run(client, latest))]
    seen: set[Run] = set()
    while todo and len(seen) < MOST_RUNS:
        run = todo.pop()
        if run in seen:
            continue
        seen.add(run)
        events = await _events(client, run)
        todo += followers(run, events)
        tenant = tenants.get(run.namespace, root.tenant)
        yield await _stored(client, root, tenant, run, events)
        for activity in activities(events):
            yield Executed(
                **now(),
                tenant=tenant,
                root=root.workflow_id,
                operation=root.operation,
                workflow_id=run.workflow_id,
                run_id=run.run_id,
                **activity._asdict(),
            )


async def _first_run(client: Client, latest: Run) -> str:
    request = GetWorkflowExecutionHistoryRequest(
        namespace=latest.namespace,
        execution=WorkflowExecution(workflow_id=latest.workflow_id),
        maximum_page_size=1,
    )
    answer = await _service(client).get_workflow_execution_history(
        request, retry=True, timeout=CALL_WITHIN
    )
    started = answer.history.events[0].workflow_execution_started_event_attributes
    return str(started.first_execution_run_id)


async def _events(client: Client, run: Run) -> list[HistoryEvent]:
    found: list[HistoryEvent] = []
    token = b""
    while True:
        request = GetWorkflowExecutionHistoryRequest(
            namespace=run.namespace,
            execution=WorkflowExecution(workflow_id=run.workflow_id, run_id=run.run_id),
            next_page_token=token,
        )
        answer = await _service(client).get_workflow_execution_history(
            request, retry=True, timeout=CALL_WITHIN
        )
        found += answer.history.events
        token = answer.next_page_token
        if not token:
            return found


def followers(run: Run, events: Sequence[HistoryEvent]) -> Iterator[Run]:
    """The runs that a history leads to: what carries it on, and children."""
    for event in events:
        attributes = getattr(event, event.WhichOneof("attributes") or "", None)
        if following := getattr(attributes, "new_execution_run_id", ""):
            yield run._replace(run_id=following)
        if event.event_type == EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED:
            child = event.child_workflow_execution_started_event_attributes
            execution = child.workflow_execution
            yield Run(child.namespace or run.namespace, execution.workflow_id, execution.run_id)


async def _stored(
    client: Client, root: Root, tenant: str, run: Run, events: Sequence[HistoryEvent]
) -> Stored:
    request = DescribeWorkflowExecutionRequest(
        namespace=run.namespace,
        execution=WorkflowExecution(workflow_id=run.workflow_id, run_id=run.run_id),
    )
    answer = await _service(client).describe_workflow_execution(
        request, retry=True, timeout=CALL_WITHIN
    )
    told = answer.workflow_execution_info
    scheduled = EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
    return Stored(
        **now(),
        tenant=tenant,
        root=root.workflow_id,
        workflow_id=run.workflow_id,
        run_id=run.run_id,
        workflow_type=told.type.name,
        status=WorkflowExecutionStatus.Name(told.status).removeprefix(_STATUS),
        history_bytes=told.history_size_bytes,
        told_events=told.history_length,
        events=len(events),
        read_bytes=sum(event.ByteSize() for event in events),
        activities=sum(event.event_type == scheduled for event in events),
    )


def _service(client: Client) -> Any:
    return client.workflow_service


if __name__ == "__main__":
    main()
