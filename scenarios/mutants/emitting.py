"""Workers that emit audit events themselves: from workflow code, and from each attempt."""

from __future__ import annotations

import json
import os
import urllib.request
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from temporalio import activity, workflow
from temporalio.common import RawValue

from scenarios.reference.activities import Outside, perform
from scenarios.reference.call import Call
from scenarios.reference.workflow import NOTHING, ReferenceSaga


@workflow.defn(name="ReferenceSaga")
class EmitsItself(ReferenceSaga):
    """Reports its start from workflow code, so again in every replay."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        """As the reference does."""
        info = workflow.info()
        program = json.loads(raw.payload.data)
        _emit(
            "workflow.started",
            tenant=program["tenant"],
            namespace=info.namespace,
            workflow_id=info.workflow_id,
            run_id=info.run_id,
            workflow_type=info.workflow_type,
            event_id=1,
            transition="WorkflowExecutionStarted",
            outcome="started",
        )
        return await super().run(raw)


async def reporting_each_attempt(outside: Outside, call: Call) -> dict[str, Any]:
    """An attempt that fails reports it, though it is retried."""
    try:
        return await perform(outside, call)
    except Exception:
        _emit(
            "activity.failed",
            tenant=call.tenant,
            namespace=activity.info().workflow_namespace,
            workflow_id=call.workflow_id,
            run_id=call.run_id,
            event_id=0,
            transition="ActivityTaskFailed",
            outcome="failed",
        )
        raise


def _emit(name: str, **data: Any) -> None:
    event: Mapping[str, Any] = {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": f"urn:worker:{data['namespace']}",
        "type": name,
        "time": datetime.now(UTC).isoformat(),
        "datacontenttype": "application/json",
        "tenantid": data["tenant"],
        "data": data,
    }
    request = urllib.request.Request(
        os.environ["HARNESS_AUDIT_URL"],
        data=json.dumps(event).encode(),
        headers={"Content-Type": "application/cloudevents+json"},
    )
    with urllib.request.urlopen(request, timeout=5):
        pass
