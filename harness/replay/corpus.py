"""A folder of recorded histories: what lies in it, found without an SDK.

Histories are JSON files, as `temporal workflow show --output json` or an SDK writes them. In the
folder of a trial (`out/<trial id>`, or its `histories`) the trial's own records say of each file
its tenant, namespace, workflow id and run id, and the harness's own probes are left out; elsewhere
the history itself says what it knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.contract.program import WORKFLOW_TYPE
from harness.errors import EvidenceError, UsageError
from harness.journal.manifest import JOURNAL
from harness.journal.read import read_segments
from harness.journal.records import History

HISTORIES: Final = "histories"  # in the folder of a trial
_HOW: Final = "save them with: temporal workflow show --workflow-id ID --output json > DIR/ID.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file that should hold a history; `name` is as it is shown. Empty strings: not known."""

    path: Path
    name: str
    tenant: str = ""
    namespace: str = ""
    workflow_id: str = ""
    run_id: str = ""


def find(folder: Path) -> list[Entry]:
    """The JSON files below a folder, in the order of their names.

    Raises `UsageError` if there is no such folder, or no such file in it.
    """
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "is not there"
        raise UsageError(f"--histories {folder}: {what}; name a folder of histories")
    trial = _trial_of(folder)
    inside = trial / HISTORIES if trial else folder
    known = _known(trial) if trial else {}
    paths = sorted(path for path in inside.rglob("*.json") if path.is_file())
    found = (_entry(path, inside, known.get(path.resolve())) for path in paths)
    entries = [each for each in found if each is not None]
    if not entries:
        raise UsageError(f"--histories {folder}: no history (*.json) in it; {_HOW}")
    return entries


def _entry(path: Path, inside: Path, about: History | None) -> Entry | None:
    name = path.relative_to(inside).as_posix()
    if about is None:
        return Entry(path=path, name=name)
    if about.workflow_type != WORKFLOW_TYPE:
        return None  # no worker of the platform's took it
    return Entry(
        path=path,
        name=name,
        tenant=about.tenant,
        namespace=about.namespace,
        workflow_id=about.workflow_id,
        run_id=about.run_id,
    )


def _trial_of(folder: Path) -> Path | None:
    """The trial that a folder is, or is the histories of."""
    if (folder / JOURNAL).is_dir():
        return folder
    above = folder.resolve().parent
    return above if folder.resolve().name == HISTORIES and (above / JOURNAL).is_dir() else None


def _known(trial: Path) -> Mapping[Path, History]:
    """What a trial recorded of its histories, by path."""
    try:
        records = read_segments(trial)
    except EvidenceError as error:
        raise UsageError(f"--histories {trial}: its journal cannot be read: {error}") from None
    found = (each for each in records if isinstance(each, History))
    return {(trial / each.path).resolve(): each for each in found}
