"""Running into each of the four activity timeouts, with activities that we serve ourselves (DUR-8).

One workflow of ours schedules an activity for each timeout, side by side. Nobody takes the first;
the others are taken and never answered.
"""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from typing import Final

from temporalio.api.command.v1 import Command
from temporalio.api.enums.v1 import CommandType, EventType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    PollActivityTaskQueueRequest,
    RecordActivityTaskHeartbeatRequest,
)

from harness.drive.session import Drive
from scenarios.conformance.acts.defects import Defect
from scenarios.conformance.acts.raw import (
    IDENTITY,
    Probe,
    answer_workflow_task,
    end_probe,
    poll_workflow_task,
    start_probe,
)

# the contract's names of the timeouts, and how long each is, in ms; the others of its activity are
# LONG
TIMEOUTS: Final = {
    "schedule_to_start": 1000,
    "start_to_close": 1000,
    "schedule_to_close": 1200,
    "heartbeat": 2000,
}
LONG: Final = timedelta(seconds=30)
TAKEN_LATER_S: Final = 0.4  # so that schedule-to-close is well before start-to-close
FIRES_WITHIN_S: Final = 15.0
BEAT_EVERY_S: Final = 0.2
DRAGGED: Final = 3
_ENDED: Final = (
    EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT,
    EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED,
)


async def run_into_timeouts(drive: Drive) -> None:
    """Schedule all four, and wait until the engine has ended them."""
    probe = await start_probe(drive, drive.tenants[0], "timeouts")
    longer = DRAGGED if Defect.TIMEOUTS_LONGER in drive.plan.defects else 1
    task = await poll_workflow_task(probe)
    commands = [_scheduled(probe, name, ms * longer) for name, ms in TIMEOUTS.items()]
    await drive.call(
        "timeouts-asked",
        answer_workflow_task(probe, task.task_token, commands),
        tenant=probe.tenant.name,
        workflow_id=probe.workflow_id,
        run_id=probe.run_id,
        args=dict(TIMEOUTS),
    )
    serving = [
        asyncio.create_task(_taken(drive, probe, name))
        for name in TIMEOUTS
        if name != "schedule_to_start"
    ]
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(_all_ended(probe), FIRES_WITHIN_S)
    for each in serving:
        each.cancel()
    await asyncio.gather(*serving, return_exceptions=True)
    await end_probe(probe)


def _scheduled(probe: Probe, name: str, timeout_ms: int) -> Command:
    command = Command(command_type=CommandType.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK)
    attributes = command.schedule_activity_task_command_attributes
    attributes.activity_id = name
    attributes.activity_type.name = "probe"
    attributes.task_queue.name = f"{probe.queue}-{name}"
    attributes.retry_policy.maximum_attempts = 1
    attributes.schedule_to_close_timeout.FromTimedelta(LONG)
    attributes.start_to_close_timeout.FromTimedelta(LONG)
    getattr(attributes, f"{name}_timeout").FromMilliseconds(timeout_ms)
    return command


async def _taken(drive: Drive, probe: Probe, name: str) -> None:
    """Take the activity and never answer."""
    service = probe.client.workflow_service
    if name == "schedule_to_close":
        await asyncio.sleep(TAKEN_LATER_S)
    taken = await service.poll_activity_task_queue(
        PollActivityTaskQueueRequest(
            namespace=probe.tenant.namespace,
            identity=IDENTITY,
            task_queue=TaskQueue(name=f"{probe.queue}-{name}"),
        ),
        timeout=timedelta(seconds=20),
    )
    while name == "heartbeat" and Defect.BEATS_THOUGH_STUCK in drive.plan.defects:
        beat = RecordActivityTaskHeartbeatRequest(
            namespace=probe.tenant.namespace, task_token=taken.task_token, identity=IDENTITY
        )
        await service.record_activity_task_heartbeat(beat)
        await asyncio.sleep(BEAT_EVERY_S)


async def _all_ended(probe: Probe) -> None:
    """Wait: each end of an activity is an event, and the engine tells of new ones."""
    handle = probe.client.get_workflow_handle(probe.workflow_id, run_id=probe.run_id)
    ended = 0
    async for event in handle.fetch_history_events(wait_new_event=True):
        ended += event.event_type in _ENDED
        if ended == len(TIMEOUTS):
            return
