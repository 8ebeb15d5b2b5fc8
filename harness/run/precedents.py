"""The histories that earlier builds left, taken into the trial as evidence."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any, Final

from harness.errors import UsageError
from harness.journal.records import Precedent, now
from harness.platform.platform import Platform
from harness.replay.corpus import Entry, find
from harness.run.request import Request
from harness.trial import Trial

KEPT: Final = "kept"
NEEDING: Final = frozenset({"INV-VER-2", "INV-VER-3"})
_CLOSING: Final = (
    "COMPLETED", "FAILED", "CANCELED", "TERMINATED", "TIMED_OUT", "CONTINUED_AS_NEW",
)  # fmt: skip


def record_kept(request: Request, platform: Platform, trial: Trial) -> None:
    """Copy the kept histories into the trial and record each, if an ID asks for them.

    One that cannot be read is recorded without a type, so that it is not forgotten.
    """
    folder = request.target.worker.histories
    if folder is None or not NEEDING & set(request.asked):
        return
    try:
        entries = find(Path(folder))
    except UsageError:
        return  # none: the check says that none were replayed
    for entry in entries:
        platform.record(_kept(entry, trial))


def _kept(entry: Entry, trial: Trial) -> Precedent:
    path = trial.folder / "precedents" / entry.name
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(entry.path, path)
    raw = path.read_bytes()
    about = _about(raw)
    return Precedent(
        **now(),
        origin=KEPT,
        build=Path(entry.name).parent.as_posix(),
        namespace=entry.namespace,
        workflow_id=entry.workflow_id or about.get("workflowId") or Path(entry.name).stem,
        run_id=entry.run_id or about.get("originalExecutionRunId", ""),
        workflow_type=about.get("workflowType", {}).get("name", ""),
        closed=about.get("closed", False),
        path=f"precedents/{entry.name}",
        sha256=hashlib.sha256(raw).hexdigest(),
    )


def _about(raw: bytes) -> dict[str, Any]:
    """The attributes of a history's start, and whether it is closed; empty if it is none."""
    try:
        events = json.loads(raw)["events"]
        closed = str(events[-1]["eventType"]).removeprefix("EVENT_TYPE_WORKFLOW_EXECUTION_")
        return {
            **events[0]["workflowExecutionStartedEventAttributes"], "closed": closed in _CLOSING
        }  # fmt: skip
    except (ValueError, LookupError, TypeError):
        return {}
