"""Histories for the replay benchmark, as the engine would have recorded them."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

from tests.unit.recorded import Recorded


def many_histories(folder: Path, count: int, activities: int) -> Path:
    """So many files with a run each."""
    folder.mkdir()
    for number in range(count):
        recorded = Recorded(str(uuid.uuid5(uuid.NAMESPACE_URL, str(number))))
        for activity in range(1, activities + 1):
            recorded.activity(number=str(activity))
        recorded.completed({"done": True})
        (folder / f"saga-{number:03}.json").write_text(json.dumps({"events": recorded.events}))
    return folder


def multiplied(trial: Path, folder: Path, count: int, activities: int) -> Path:
    """A completed run of a trial with so many activities, under so many run ids."""
    folder.mkdir()
    raw, run_id = next(
        (raw, path.stem.rpartition(".")[2])
        for path in sorted((trial / "histories").rglob("*.json"))
        for raw in [path.read_text()]
        if raw.count("_ACTIVITY_TASK_COMPLETED") == activities
        and "_WORKFLOW_EXECUTION_COMPLETED" in raw
    )
    for number in range(count):
        another = str(uuid.uuid5(uuid.NAMESPACE_URL, str(number)))
        (folder / f"saga-{number:03}.json").write_text(raw.replace(run_id, another))
    return folder
