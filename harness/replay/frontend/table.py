"""The table: how each kind of command is compared, and what each kind of event is taken for.

A test holds it against Temporal's own descriptors, so that no kind is forgotten. A history with a
kind whose row is `UNKNOWN` is inconclusive, and the kind is named: never a pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from temporalio.api.update.v1 import Acceptance, Rejection, Response

from harness.replay.decoded import mapped, seconds, values
from harness.replay.frontend.attributes import (
    HEADER,
    LABELS,
    NAMESPACE,
    QUEUE,
    RETRY,
    TYPE,
    Attribute,
    failure_of,
    memo,
    payloads,
    same,
    timeout,
)
from harness.replay.verdicts import INFO


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A kind of command: the kind of event that records it, and what of them is compared.

    `label` names one in a message, beside its kind. `which` tells one from another of its kind (it
    reads alike in command and event): with another it is another command, not a changed one.
    """

    event: str
    attributes: tuple[Attribute, ...]
    label: Callable[[Any], str] = lambda _: ""
    which: Callable[[Any], str] = lambda _: ""


_FAILURE: Final = Attribute(
    "failure", lambda c, _: failure_of(c.failure), lambda e, _: failure_of(e.failure)
)
_PRIORITY: Final = Attribute(
    "priority",
    lambda c, _: c.priority.priority_key,
    lambda e, _: e.priority.priority_key,
    INFO,
    only_if_said=True,
)
_NEXUS_HEADER: Final = Attribute(
    "nexus_header", lambda c, _: dict(c.nexus_header), lambda e, _: dict(e.nexus_header), INFO
)

COMMANDS: Final[Mapping[str, Row]] = {
    "SCHEDULE_ACTIVITY_TASK": Row(
        event="ACTIVITY_TASK_SCHEDULED",
        label=lambda a: str(a.activity_type.name),
        which=lambda a: str(a.activity_type.name),
        attributes=(
            Attribute(
                "activity_type",
                lambda c, _: c.activity_type.name,
                lambda e, _: e.activity_type.name,
            ),
            same("activity_id"),
            payloads("input"),
            QUEUE,
            timeout("schedule_to_close_timeout"),
            timeout("schedule_to_start_timeout"),
            timeout("start_to_close_timeout"),
            timeout("heartbeat_timeout"),
            RETRY,
            HEADER,
            _PRIORITY,
        ),
    ),
    "REQUEST_CANCEL_ACTIVITY_TASK": Row(
        event="ACTIVITY_TASK_CANCEL_REQUESTED",
        attributes=(same("scheduled_event_id"),),
    ),
    "START_TIMER": Row(
        event="TIMER_STARTED",
        label=lambda a: f"{seconds(a.start_to_fire_timeout):g} s",
        attributes=(
            same("timer_id"),
            # how long a run waits is what it does, not how patient it is
            Attribute(
                "start_to_fire_timeout",
                lambda c, _: seconds(c.start_to_fire_timeout),
                lambda e, _: seconds(e.start_to_fire_timeout),
            ),
        ),
    ),
    "CANCEL_TIMER": Row(event="TIMER_CANCELED", attributes=(same("timer_id"),)),
    "COMPLETE_WORKFLOW_EXECUTION": Row(
        event="WORKFLOW_EXECUTION_COMPLETED", attributes=(payloads("result"),)
    ),
    "FAIL_WORKFLOW_EXECUTION": Row(
        event="WORKFLOW_EXECUTION_FAILED",
        label=lambda a: str(a.failure.application_failure_info.type),
        attributes=(_FAILURE,),
    ),
    "CANCEL_WORKFLOW_EXECUTION": Row(
        event="WORKFLOW_EXECUTION_CANCELED", attributes=(payloads("details"),)
    ),
    "CONTINUE_AS_NEW_WORKFLOW_EXECUTION": Row(
        event="WORKFLOW_EXECUTION_CONTINUED_AS_NEW",
        attributes=(
            TYPE,
            QUEUE,
            payloads("input"),
            timeout("workflow_run_timeout"),
            timeout("workflow_task_timeout"),
            timeout("backoff_start_interval"),
            memo(only_if_said=True),
            Attribute(
                "search_attributes", LABELS.command, LABELS.event, only_if_said=True
            ),  # both are carried on by themselves
            HEADER,
        ),
    ),
    "START_CHILD_WORKFLOW_EXECUTION": Row(
        event="START_CHILD_WORKFLOW_EXECUTION_INITIATED",
        label=lambda a: f"{a.workflow_type.name} {a.workflow_id}",
        which=lambda a: str(a.workflow_type.name),
        attributes=(
            same("workflow_id"),
            TYPE,
            NAMESPACE,
            payloads("input"),
            QUEUE,
            same("parent_close_policy", only_if_said=True),
            same("workflow_id_reuse_policy", only_if_said=True),
            same("cron_schedule"),
            memo(),
            LABELS,
            timeout("workflow_execution_timeout"),
            timeout("workflow_run_timeout"),
            timeout("workflow_task_timeout"),
            RETRY,
            HEADER,
            _PRIORITY,
        ),
    ),
    "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION": Row(
        event="SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED",
        label=lambda a: str(a.signal_name),
        attributes=(
            NAMESPACE,
            Attribute(
                "workflow_id",
                lambda c, _: c.execution.workflow_id,
                lambda e, _: e.workflow_execution.workflow_id,
            ),
            Attribute(
                "run_id",
                lambda c, _: c.execution.run_id,
                lambda e, _: e.workflow_execution.run_id,
                only_if_said=True,
            ),
            same("signal_name"),
            payloads("input"),
            same("child_workflow_only"),
            HEADER,
        ),
    ),
    "REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION": Row(
        event="REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED",
        attributes=(
            NAMESPACE,
            Attribute(
                "workflow_id",
                lambda c, _: c.workflow_id,
                lambda e, _: e.workflow_execution.workflow_id,
            ),
            Attribute(
                "run_id",
                lambda c, _: c.run_id,
                lambda e, _: e.workflow_execution.run_id,
                only_if_said=True,
            ),
            same("child_workflow_only"),
            same("reason", INFO),
        ),
    ),
    "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES": Row(
        event="UPSERT_WORKFLOW_SEARCH_ATTRIBUTES",
        label=lambda a: ", ".join(sorted(a.search_attributes.indexed_fields)),
        attributes=(LABELS,),
    ),
    "MODIFY_WORKFLOW_PROPERTIES": Row(
        event="WORKFLOW_PROPERTIES_MODIFIED",
        attributes=(
            Attribute(
                "upserted_memo",
                lambda c, _: mapped(c.upserted_memo.fields),
                lambda e, _: mapped(e.upserted_memo.fields),
            ),
        ),
    ),
    "SCHEDULE_NEXUS_OPERATION": Row(
        event="NEXUS_OPERATION_SCHEDULED",
        label=lambda a: f"{a.service} {a.operation}",
        attributes=(
            same("endpoint"),
            same("service"),
            same("operation"),
            Attribute("input", lambda c, _: values([c.input]), lambda e, _: values([e.input])),
            timeout("schedule_to_close_timeout"),
            timeout("schedule_to_start_timeout"),
            timeout("start_to_close_timeout"),
            _NEXUS_HEADER,
        ),
    ),
    "REQUEST_CANCEL_NEXUS_OPERATION": Row(
        event="NEXUS_OPERATION_CANCEL_REQUESTED", attributes=(same("scheduled_event_id"),)
    ),
    # by the marker's name, see `markers`
    "RECORD_MARKER": Row(
        event="MARKER_RECORDED",
        label=lambda a: str(a.marker_name),
        which=lambda a: str(a.marker_name),
        attributes=(same("marker_name"),),
    ),
    # by the message that it carries, see `MESSAGES`
    "PROTOCOL_MESSAGE": Row(event="", attributes=()),
}


def _answered(outcome: Any) -> dict[str, Any]:
    if outcome.HasField("failure"):
        return {"failure": failure_of(outcome.failure)}
    return {"success": values(outcome.success.payloads)}


MESSAGES: Final[Mapping[str, Row]] = {
    Acceptance.DESCRIPTOR.full_name: Row(
        event="WORKFLOW_EXECUTION_UPDATE_ACCEPTED",
        # what is accepted is the request as it was delivered, whatever the worker repeats of it
        attributes=(same("accepted_request_message_id", only_if_said=True),),
    ),
    Response.DESCRIPTOR.full_name: Row(
        event="WORKFLOW_EXECUTION_UPDATE_COMPLETED",
        label=lambda a: str(a.meta.update_id),
        attributes=(
            Attribute("update_id", lambda c, _: c.meta.update_id, lambda e, _: e.meta.update_id),
            Attribute(
                "outcome", lambda c, _: _answered(c.outcome), lambda e, _: _answered(e.outcome)
            ),
        ),
    ),
    # leaves no event: to reject what was accepted is a difference, and was never served otherwise
    Rejection.DESCRIPTOR.full_name: Row(event="WORKFLOW_EXECUTION_UPDATE_REJECTED", attributes=()),
}

# --- events

COMMAND: Final = "the record of a command: compared"
SERVED: Final = "served to the worker, who sees it as the live one did"
TASK: Final = "a workflow task: each one that completed is served again"
NO_TASK: Final = "a workflow task without an answer: its events are served, it is not"
UNKNOWN: Final = "not known: the history is inconclusive"

EVENTS: Final[Mapping[str, str]] = {
    **{row.event: COMMAND for row in (*COMMANDS.values(), *MESSAGES.values()) if row.event},
    "UNSPECIFIED": UNKNOWN,
    "WORKFLOW_EXECUTION_STARTED": SERVED,
    "WORKFLOW_EXECUTION_SIGNALED": SERVED,
    "WORKFLOW_EXECUTION_CANCEL_REQUESTED": SERVED,
    "WORKFLOW_EXECUTION_TERMINATED": SERVED,
    "WORKFLOW_EXECUTION_TIMED_OUT": SERVED,
    "WORKFLOW_EXECUTION_OPTIONS_UPDATED": SERVED,
    "WORKFLOW_EXECUTION_PAUSED": SERVED,
    "WORKFLOW_EXECUTION_UNPAUSED": SERVED,
    "WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED": SERVED,
    # the request of an update that a reset carried over: delivered with the task that accepts it
    "WORKFLOW_EXECUTION_UPDATE_ADMITTED": SERVED,
    # servers write no such event: a rejected update leaves nothing
    "WORKFLOW_EXECUTION_UPDATE_REJECTED": UNKNOWN,
    "WORKFLOW_TASK_SCHEDULED": TASK,
    "WORKFLOW_TASK_STARTED": TASK,
    "WORKFLOW_TASK_COMPLETED": TASK,
    "WORKFLOW_TASK_TIMED_OUT": NO_TASK,
    # also what a reset writes at the place from which it begins anew
    "WORKFLOW_TASK_FAILED": NO_TASK,
    "ACTIVITY_TASK_STARTED": SERVED,
    "ACTIVITY_TASK_COMPLETED": SERVED,
    "ACTIVITY_TASK_FAILED": SERVED,
    "ACTIVITY_TASK_TIMED_OUT": SERVED,
    "ACTIVITY_TASK_CANCELED": SERVED,
    "TIMER_FIRED": SERVED,
    "CHILD_WORKFLOW_EXECUTION_STARTED": SERVED,
    "CHILD_WORKFLOW_EXECUTION_COMPLETED": SERVED,
    "CHILD_WORKFLOW_EXECUTION_FAILED": SERVED,
    "CHILD_WORKFLOW_EXECUTION_CANCELED": SERVED,
    "CHILD_WORKFLOW_EXECUTION_TIMED_OUT": SERVED,
    "CHILD_WORKFLOW_EXECUTION_TERMINATED": SERVED,
    "START_CHILD_WORKFLOW_EXECUTION_FAILED": SERVED,
    "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED": SERVED,
    "EXTERNAL_WORKFLOW_EXECUTION_SIGNALED": SERVED,
    "REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED": SERVED,
    "EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED": SERVED,
    "NEXUS_OPERATION_STARTED": SERVED,
    "NEXUS_OPERATION_COMPLETED": SERVED,
    "NEXUS_OPERATION_FAILED": SERVED,
    "NEXUS_OPERATION_CANCELED": SERVED,
    "NEXUS_OPERATION_TIMED_OUT": SERVED,
    "NEXUS_OPERATION_CANCEL_REQUEST_COMPLETED": SERVED,
    "NEXUS_OPERATION_CANCEL_REQUEST_FAILED": SERVED,
    # no server and no SDK of today writes or handles these two
    "WORKFLOW_PROPERTIES_MODIFIED_EXTERNALLY": UNKNOWN,
    "ACTIVITY_PROPERTIES_MODIFIED_EXTERNALLY": UNKNOWN,
}
