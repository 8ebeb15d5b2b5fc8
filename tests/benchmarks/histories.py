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
