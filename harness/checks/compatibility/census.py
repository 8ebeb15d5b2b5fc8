"""INV-VER-3: the life of each patch, from the code and from the markers in histories."""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from harness.checks.check import Evidence, Finding
from harness.checks.determinism.code import other_language
from harness.checks.histories.clauses import Broken, conclude
from harness.journal.read import HistoryEvent, decode_events
from harness.journal.records import History, PatchCall, Precedent, SourceScan
from harness.outcome import Outcome

TWO_MEANINGS: Final = "a patch id stands for two things"
TOO_EARLY: Final = "removed while an open run holds its marker"
LEFT_OUT: Final = "removed without having been deprecated"
CLAUSES: Final = (TWO_MEANINGS, TOO_EARLY, LEFT_OUT)
_MARKER: Final = "core_patch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A patch marker in a history."""

    id: str
    workflow_type: str
    deprecated: bool
    open: bool
    where: str
    path: str


def patches_live_as_they_should(evidence: Evidence) -> Finding:
    """ADR, Invariants: "Workflow definitions must be versioned; use Temporal's workflow versioning
    API for backward compatibility".

    A patch id stands for one change of one workflow; it is patched, then deprecated, then removed,
    and removed only when no open run holds its marker. Code without patches whose histories have no
    markers has nothing to show.
    """
    return other_language(evidence) or _census(evidence)


def _census(evidence: Evidence) -> Finding:
    scans = evidence.of(SourceScan)
    calls = [each for scan in scans for each in scan.patches]
    types = {each for scan in scans for each in scan.types}
    marks = [each for each in _marks(evidence) if each.workflow_type in types or "" in types]
    if scans and not calls and not marks:
        return Finding(
            outcome=Outcome.NOT_APPLICABLE,
            reason="the workflow code asks for no patch, and no history holds the marker of one",
        )
    stages = _stages(calls)
    broken = [*_two_meanings(stages), *_removed(stages, marks)]
    figures: dict[str, Any] = {
        "patched": sorted(i for i, by in stages.items() if "patched" in by),
        "deprecated": sorted(i for i, by in stages.items() if set(by) == {"deprecate_patch"}),
        "removed": sorted({each.id for each in marks} - set(stages)),
        "markers": len(marks),
        "of_open_runs": sum(each.open for each in marks),
    }
    kept = (
        f"{len(figures['patched'])} patched, {len(figures['deprecated'])} deprecated, "
        f"{len(figures['removed'])} removed; {len(marks)} markers in histories, "
        f"{figures['of_open_runs']} of open runs"
    )
    return conclude(CLAUSES, broken, _lacks(evidence, calls, marks), kept, figures)


Stages = Mapping[str, Mapping[str, list[PatchCall]]]


def _stages(calls: Iterable[PatchCall]) -> Stages:
    """By id and kind of call: the places."""
    found: dict[str, dict[str, list[PatchCall]]] = defaultdict(lambda: defaultdict(list))
    for each in calls:
        if each.id:
            found[each.id][each.call].append(each)
    return found


def _two_meanings(stages: Stages) -> Iterator[Broken]:
    for patch_id, by in stages.items():
        places = [each for calls in by.values() for each in calls]
        workflows = sorted({each.workflow for each in places})
        where = ", ".join(f"{each.file}:{each.line}" for each in places)
        if len(by) > 1:
            yield Broken(TWO_MEANINGS, f"{patch_id!r} is patched and deprecated at once: {where}")
        elif len(workflows) > 1 and len({(each.file, each.line) for each in places}) > 1:
            yield Broken(TWO_MEANINGS, f"{patch_id!r} is of {' and of '.join(workflows)}: {where}")


def _removed(stages: Stages, marks: Iterable[Mark]) -> Iterator[Broken]:
    by_id: dict[str, list[Mark]] = defaultdict(list)
    for each in marks:
        by_id[each.id].append(each)
    for patch_id, found in sorted(by_id.items()):
        if patch_id in stages:
            continue
        for each in found:
            if each.open and not each.deprecated:
                yield Broken(TOO_EARLY, f"{patch_id!r} is held by {each.where}", each.path)
        if not any(each.deprecated for each in found):
            text = f"{patch_id!r}: its {len(found)} markers are all of code that was not deprecated"
            yield Broken(LEFT_OUT, text, found[0].path)


def _marks(evidence: Evidence) -> Iterator[Mark]:
    """Of this trial's histories, of those that were open in it, and of the kept ones."""
    for history in evidence.of(History):
        about = f"{history.tenant}/{history.workflow_id}"
        still_open = history.status == "RUNNING"
        events = evidence.events(history)
        yield from _of(events, still_open, about, history.path, history.workflow_type)
    for each in evidence.of(Precedent):
        if each.workflow_type:
            events = decode_events(evidence.raw(each.path, each.sha256))
            about = " ".join(filter(None, (each.build, each.workflow_id)))
            yield from _of(events, not each.closed, about, each.path, each.workflow_type)


def _of(
    events: Iterable[HistoryEvent], still_open: bool, where: str, path: str, workflow_type: str
) -> Iterator[Mark]:
    for event in events:
        attributes = event.attributes
        if event.type == "MARKER_RECORDED" and attributes.get("markerName") == _MARKER:
            data = _patch_data(attributes)
            yield Mark(
                id=str(data.get("id", "")),
                workflow_type=workflow_type,
                deprecated=bool(data.get("deprecated")),
                open=still_open,
                where=where,
                path=path,
            )


def _patch_data(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the SDK writes into a patch's marker; empty if it is something else."""
    try:
        payload = attributes["details"]["patch-data"]["payloads"][0]
        found = json.loads(base64.b64decode(payload["data"]))
    except (LookupError, TypeError, ValueError):
        return {}
    return found if isinstance(found, Mapping) else {}


def _lacks(evidence: Evidence, calls: Iterable[PatchCall], marks: Iterable[Mark]) -> Iterator[str]:
    if not evidence.of(SourceScan):
        yield "the target names no module of workflows (worker.workflows)"
    for each in calls:
        if not each.id:
            yield f"{each.file}:{each.line}: the id of the patch is computed"
    if any(not each.id for each in marks):
        yield "a history holds a patch marker that names no id"
    if not any(not each.closed for each in evidence.of(Precedent)):
        yield "no history of an open run was looked at (worker.histories, or a drive of INV-VER-2)"
