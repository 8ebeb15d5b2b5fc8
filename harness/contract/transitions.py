"""Which history events are transitions that the audit trail must show: CONTRACT.md §7."""

from __future__ import annotations

from typing import Final

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
