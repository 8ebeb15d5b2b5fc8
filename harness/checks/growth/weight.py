"""What one recorded history weighs, read in one pass over its events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from harness.checks.check import Evidence
from harness.checks.histories import remembered, wall_ns
from harness.contract.program import WORKFLOW_TYPE
from harness.journal.read import HistoryEvent
from harness.journal.records import History
from harness.statistics import percentile

LEAST_HISTORIES: Final = 5
PERCENTILES: Final = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
# what the engine keeps open for a run, by the event that opens it and those that close it
_OPENS: Final = {
    "ACTIVITY_TASK_SCHEDULED": "activities",
    "START_CHILD_WORKFLOW_EXECUTION_INITIATED": "children",
    "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED": "signals",
    "REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED": "cancellations",
}
_CLOSES: Final = {
    **dict.fromkeys(
        (f"ACTIVITY_TASK_{how}" for how in ("COMPLETED", "FAILED", "TIMED_OUT", "CANCELED")),
        "activities",
    ),
    **dict.fromkeys(
        (
            "START_CHILD_WORKFLOW_EXECUTION_FAILED",
            *(
                f"CHILD_WORKFLOW_EXECUTION_{how}"
                for how in ("COMPLETED", "FAILED", "TIMED_OUT", "CANCELED", "TERMINATED")
            ),
        ),
        "children",
    ),
    "EXTERNAL_WORKFLOW_EXECUTION_SIGNALED": "signals",
    "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED": "signals",
    "EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED": "cancellations",
    "REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED": "cancellations",
}


class Blob(msgspec.Struct, frozen=True, gc=False):
    """The payloads of one field of one event: their bytes together, how they are encoded."""

    event_id: int
    field: str
    encoding: str
    size_bytes: int


class Weight(msgspec.Struct, kw_only=True):
    """A history's figures.

    `size_bytes` is what the engine counted at the run's last workflow task, or else the size of the
    exported JSON, which is more. `pending` is the most that was open of one kind at a time. `child`
    says that another run started it.
    `lasted_ms` is 0 for a run that has not ended.
    """

    history: History
    size_bytes: int = 0
    pending: int = 0
    hinted: bool = False
    child: bool = False
    activities: int = 0
    lasted_ms: float = 0.0
    blobs: list[Blob] = []

    @property
    def name(self) -> str:
        """Tenant, workflow id and run id, for a witness."""
        return f"{self.history.tenant} {self.history.workflow_id} run {self.history.run_id}"


@remembered(History)
def weights(evidence: Evidence) -> list[Weight]:
    """Of every run of the worker's workflow type; the harness's own probes weigh nothing."""
    return [
        _weighed(history, evidence.events(history), evidence)
        for history in evidence.of(History)
        if history.workflow_type == WORKFLOW_TYPE
    ]


def table_of(values: Sequence[float]) -> dict[str, float]:
    """Nearest-rank percentiles and the greatest."""
    ordered = sorted(values)
    if not ordered:
        return {}
    found = {name: percentile(ordered, share) for name, share in PERCENTILES}
    return {**found, "most": ordered[-1]}


def _weighed(history: History, events: Sequence[HistoryEvent], evidence: Evidence) -> Weight:
    weight = Weight(history=history)
    weight.child = bool(events and events[0].attributes.get("parentWorkflowExecution"))
    pending: dict[str, int] = {}
    for event in events:
        if kind := _OPENS.get(event.type):
            pending[kind] = pending.get(kind, 0) + 1
            weight.pending = max(weight.pending, pending[kind])
        elif kind := _CLOSES.get(event.type):
            pending[kind] = pending.get(kind, 0) - 1
        elif event.type == "WORKFLOW_TASK_STARTED":
            weight.size_bytes = int(event.attributes.get("historySizeBytes", weight.size_bytes))
            weight.hinted = weight.hinted or bool(event.attributes.get("suggestContinueAsNew"))
        weight.activities += event.type == "ACTIVITY_TASK_SCHEDULED"
        weight.blobs += _blobs(event)
    if not weight.size_bytes:
        weight.size_bytes = len(evidence.raw(history.path, history.sha256))
    if events and history.status != "RUNNING":
        weight.lasted_ms = (wall_ns(events[-1].time) - wall_ns(events[0].time)) / 1e6
    return weight


def _blobs(event: HistoryEvent) -> Iterator[Blob]:
    for field, value in event.attributes.items():
        for encoding, size_bytes in _payloads_in(value):
            yield Blob(event.id, field, encoding, size_bytes)


def _payloads_in(value: Any) -> Iterator[tuple[str, int]]:
    """(encoding, bytes) of each list of payloads, and of each single one, however deep it lies."""
    if not isinstance(value, dict):
        return
    listed = value.get("payloads")
    if isinstance(listed, list):
        sizes = [(_encoding(each), _size(each)) for each in listed if isinstance(each, dict)]
        if sizes:
            yield sizes[0][0], sum(size for _, size in sizes)
    elif "metadata" in value and "encoding" in (value["metadata"] or {}):
        yield _encoding(value), _size(value)
    else:
        for member in value.values():
            yield from _payloads_in(member)


def _encoding(payload: dict[str, Any]) -> str:
    """The encoding as the engine's JSON has it: base64 of a short word."""
    text = str((payload.get("metadata") or {}).get("encoding", ""))
    return _KNOWN_ENCODINGS.get(text, text)


def _size(payload: dict[str, Any]) -> int:
    data = str(payload.get("data", ""))
    return len(data) // 4 * 3 - data.count("=", -2)


_KNOWN_ENCODINGS: Final = {
    "anNvbi9wbGFpbg==": "json/plain",
    "YmluYXJ5L251bGw=": "binary/null",
    "YmluYXJ5L3BsYWlu": "binary/plain",
    "YmluYXJ5L3Byb3RvYnVm": "binary/protobuf",
    "anNvbi9wcm90b2J1Zg==": "json/protobuf",
    "YmluYXJ5L2VuY3J5cHRlZA==": "binary/encrypted",
}
