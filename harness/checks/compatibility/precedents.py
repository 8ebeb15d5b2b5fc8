"""INV-VER-2: whether the present code replays what was open, and what earlier builds left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

from harness.checks.check import Evidence, Finding
from harness.checks.determinism.code import other_language
from harness.checks.histories.clauses import Broken, conclude
from harness.journal.records import Ending, Precedent, Replay

CLAUSES: Final = {
    "open": "a run that was open does not replay",
    "kept": "a kept history does not replay",
}
LEAST: Final = {"open": 1, "kept": 1}


def new_code_replays_old_histories(evidence: Evidence) -> Finding:
    """ADR, Invariants: "Workflow definitions must be versioned; use Temporal's workflow versioning
    API for backward compatibility".

    The present code replays the histories of the runs that were open, exported while they were,
    and those that earlier builds left (`worker.histories`): with the same commands, of the same
    contents.
    """
    return other_language(evidence) or _judged(evidence)


def _judged(evidence: Evidence) -> Finding:
    precedents = evidence.of(Precedent)
    replays = [each for each in evidence.of(Replay) if each.mode in CLAUSES]
    paths = {(each.origin, each.run_id): each.path for each in precedents}
    broken = [
        Broken(
            CLAUSES[each.mode],
            f"{each.workflow_id}: {_why(each)}",
            paths.get((each.mode, each.run_id), ""),
        )
        for each in replays
        if each.ending is Ending.FAIL
    ]
    figures: dict[str, Any] = {
        "open_runs": sum(each.mode == "open" for each in replays),
        "kept_histories": sum(each.mode == "kept" for each in replays),
        "builds": sorted({each.build for each in precedents if each.build}),
    }
    kept = (
        f"the present code replays {figures['open_runs']} runs that were open and "
        f"{figures['kept_histories']} kept histories of builds {', '.join(figures['builds'])}"
    )
    return conclude(tuple(CLAUSES.values()), broken, _lacks(precedents, replays), kept, figures)


def _why(replay: Replay) -> str:
    red = [each for each in replay.differences if each.severity == "error"]
    shown = "; ".join(
        f"event {each.event_id} {each.attribute}: recorded {each.recorded}, "
        f"replayed {each.replayed}"
        for each in red[:2]
    )
    return shown or replay.message


def _lacks(precedents: Sequence[Precedent], replays: Sequence[Replay]) -> Iterator[str]:
    for origin, least in LEAST.items():
        count = sum(each.mode == origin for each in replays)
        if count < least:
            yield {
                "open": "no run was open when histories were exported, or none was replayed",
                "kept": "no kept history was replayed: keep some of each build in a folder, and "
                "name it in the target file (worker.histories)",
            }[origin]
    # a run may have been kept twice: while it was open, and when it was closed
    done = Counter((each.mode, each.run_id) for each in replays)
    missing = Counter((each.origin, each.run_id) for each in precedents) - done
    if missing:
        types = sorted(
            {
                each.workflow_type or "(unreadable)"
                for each in precedents
                if (each.origin, each.run_id) in missing
            }
        )
        yield f"{missing.total()} old histories were not replayed, of types {', '.join(types)}"
    unknown = [each for each in replays if each.ending is Ending.INFO]
    if unknown:
        yield f"{len(unknown)} could not be compared: {unknown[0].message}"
