"""Which history events the audit trail must show, and under which type: CONTRACT.md §7."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

AUDITED: Final = {
    "WORKFLOW_EXECUTION_STARTED": "workflow.started",
    "WORKFLOW_EXECUTION_COMPLETED": "workflow.completed",
    "WORKFLOW_EXECUTION_FAILED": "workflow.failed",
    "WORKFLOW_EXECUTION_CANCELED": "workflow.canceled",
    "WORKFLOW_EXECUTION_TIMED_OUT": "workflow.timed_out",
    "WORKFLOW_EXECUTION_TERMINATED": "workflow.terminated",
    "WORKFLOW_EXECUTION_CONTINUED_AS_NEW": "workflow.continued_as_new",
    "ACTIVITY_TASK_COMPLETED": "activity.completed",
    "ACTIVITY_TASK_FAILED": "activity.failed",
}
"""State transitions: those of runs, and the ends of activities."""

RESET: Final = "WORKFLOW_RESET"
"""Our name for the `WorkflowTaskFailed` with which a reset marks the run that it makes."""

MATERIAL: Final[dict[str, dict[str, str]]] = {
    "signal": {"WORKFLOW_EXECUTION_SIGNALED": "workflow.signaled"},
    "update": {
        "WORKFLOW_EXECUTION_UPDATE_ACCEPTED": "workflow.update_accepted",
        "WORKFLOW_EXECUTION_UPDATE_COMPLETED": "workflow.update_completed",
    },
    "cancel_requested": {"WORKFLOW_EXECUTION_CANCEL_REQUESTED": "workflow.cancel_requested"},
    "reset": {RESET: "workflow.reset"},
    "search_attributes": {
        "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES": "workflow.search_attributes_changed"
    },
    "options": {"WORKFLOW_EXECUTION_OPTIONS_UPDATED": "workflow.options_changed"},
    "pause": {
        "WORKFLOW_EXECUTION_PAUSED": "workflow.paused",
        "WORKFLOW_EXECUTION_UNPAUSED": "workflow.unpaused",
    },
}
"""Material changes: the word by which a target declares one, and what histories show of it."""

CHANGES: Final = {event: name for events in MATERIAL.values() for event, name in events.items()}

SECOND_FAMILY: Final = {
    "WORKFLOW_EXECUTION_STARTED": "workflow.execution.started",
    "WORKFLOW_EXECUTION_COMPLETED": "workflow.execution.completed",
    "WORKFLOW_EXECUTION_FAILED": "workflow.execution.failed",
}
"""The audit family: a second event for the same transition, where it is declared."""

TYPES: Final = (*AUDITED.values(), *CHANGES.values(), *SECOND_FAMILY.values())

_DECLARED: Final = {
    "WORKFLOW_EXECUTION_TIMED_OUT": "timed_out_event",
    "WORKFLOW_EXECUTION_TERMINATED": "terminated_event",
    "WORKFLOW_EXECUTION_CONTINUED_AS_NEW": "continued_as_new_event",
}


def state_types(parameters: Mapping[str, Any]) -> dict[str, str]:
    """The declared event type of each state transition, without prefix; none for `none`."""
    types = {
        event: parameters.get(_DECLARED.get(event, ""), name) for event, name in AUDITED.items()
    }
    return {event: name for event, name in types.items() if name != "none"}


def second_types(parameters: Mapping[str, Any]) -> dict[str, str]:
    """The type of the second event of a transition, where that family is declared."""
    return SECOND_FAMILY if parameters.get("audit_family", "none") == "required" else {}


def second_of(run_id: str) -> str:
    """As what the sink counts the events of the second family of a run."""
    return f"{run_id}:execution"


def change_types(parameters: Mapping[str, Any]) -> dict[str, str]:
    """The event type of each material change that is declared."""
    words = parameters.get("material_state_changes", ())
    return {event: name for word in words for event, name in MATERIAL.get(word, {}).items()}


def kind_of(event_type: str, attributes: Mapping[str, Any]) -> str:
    """The kind of a history event: its type, but `RESET` for the mark of a reset."""
    if (
        event_type == "WORKFLOW_TASK_FAILED"
        and attributes.get("cause") == "WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW"
    ):
        return RESET
    return event_type
