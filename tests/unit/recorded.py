"""Histories built by hand, event by event, as an engine would have recorded them."""

from __future__ import annotations

import base64
import json
from typing import Any

Events = list[dict[str, Any]]
RUN_ID = "01a2069a-fc4b-7883-a955-1051a869d2ff"
FLAGS = {"coreUsedFlags": [1, 2, 3, 4], "sdkName": "temporal-python", "sdkVersion": "1.35.0"}
DEFAULT_RETRY = {"initialInterval": "1s", "backoffCoefficient": 2.0, "maximumInterval": "100s"}


def encoded(value: Any) -> dict[str, Any]:
    encoding, text = ("binary/null", "") if value is None else ("json/plain", json.dumps(value))
    return {
        "metadata": {"encoding": base64.b64encode(encoding.encode()).decode()},
        "data": base64.b64encode(text.encode()).decode(),
    }


def payloads(*given: Any) -> dict[str, Any]:
    return {"payloads": [encoded(each) for each in given]}


class Recorded:
    """A run's history, event by event, as the engine would have recorded it."""

    def __init__(self, run_id: str = RUN_ID) -> None:
        self.events: Events = []
        self.run_id = run_id
        self.add(
            "WORKFLOW_EXECUTION_STARTED",
            workflowType={"name": "Saga"},
            taskQueue={"name": "sagas"},
            input=payloads({"a": 1}),
            workflowTaskTimeout="10s",
            originalExecutionRunId=run_id,
            firstExecutionRunId=run_id,
            attempt=1,
        )
        self.task()

    def add(self, kind: str, **attributes: Any) -> int:
        name = "".join(word.title() for word in kind.split("_"))
        number = len(self.events) + 1
        self.events.append(
            {
                "eventId": str(number),
                "eventTime": "2026-01-02T03:04:05Z",
                "eventType": f"EVENT_TYPE_{kind}",
                f"{name[0].lower()}{name[1:]}EventAttributes": attributes,
            }
        )
        return number

    def task(self) -> int:
        scheduled = self.add("WORKFLOW_TASK_SCHEDULED", taskQueue={"name": "sagas"}, attempt=1)
        started = self.add("WORKFLOW_TASK_STARTED", scheduledEventId=scheduled, identity="w")
        return self.add(
            "WORKFLOW_TASK_COMPLETED",
            scheduledEventId=scheduled,
            startedEventId=started,
            identity="w",
            sdkMetadata=FLAGS,
        )

    def command(self, kind: str, **attributes: Any) -> int:
        return self.add(kind, workflowTaskCompletedEventId=str(self.last_task), **attributes)

    @property
    def last_task(self) -> int:
        return max(
            n for n, e in enumerate(self.events, 1) if e["eventType"].endswith("TASK_COMPLETED")
            and "WORKFLOW" in e["eventType"]
        )  # fmt: skip

    def activity(self, name: str = "rms.reserve", number: str = "1") -> Recorded:
        scheduled = self.command(
            "ACTIVITY_TASK_SCHEDULED",
            activityId=number,
            activityType={"name": name},
            taskQueue={"name": "sagas"},
            input=payloads({"resource": "item", "amount": 1, "urgent": True}),
            startToCloseTimeout="10s",
            retryPolicy=DEFAULT_RETRY,
        )
        started = self.add("ACTIVITY_TASK_STARTED", scheduledEventId=scheduled, attempt=1)
        self.add(
            "ACTIVITY_TASK_COMPLETED",
            scheduledEventId=scheduled,
            startedEventId=started,
            result=payloads({"ok": 1}),
        )
        self.task()
        return self

    def timer(self, number: str = "1") -> Recorded:
        started = self.command("TIMER_STARTED", timerId=number, startToFireTimeout="10s")
        self.add("TIMER_FIRED", timerId=number, startedEventId=started)
        self.task()
        return self

    def completed(self, result: Any = None) -> Recorded:
        self.command("WORKFLOW_EXECUTION_COMPLETED", result=payloads(result))
        return self
