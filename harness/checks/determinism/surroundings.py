"""INV-DET-3: whether the same histories gave the same commands in different surroundings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Any, Final

from harness.checks.check import Evidence, Finding
from harness.checks.determinism.code import other_language
from harness.checks.histories.clauses import Broken, conclude
from harness.journal.records import Ending, History, Replay, Surroundings

LEAST_HISTORIES: Final = 5
DISAGREE: Final = "commands depend on the surroundings"
# what must have been varied; cores cannot be on a machine that has one
REQUIRED: Final = (
    "hash_seed", "time_zone", "locale", "variables", "arguments", "folder", "imports", "order",
)  # fmt: skip
_USUAL: Final = "the usual"


def surroundings_change_nothing(evidence: Evidence) -> Finding:
    """ADR, Invariants: "Workflow code must be deterministic (no random, time-based, or external
    state access in workflow logic)".

    The same histories are replayed in processes with other seeds of hashes, time zones, locales,
    variables, arguments, folders, import orders and numbers of cores. All issue the same commands,
    whether these are the recorded ones or not.
    """
    return other_language(evidence) or _judged(evidence)


def _judged(evidence: Evidence) -> Finding:
    paths = {history.run_id: history.path for history in evidence.of(History)}
    by_run = _by_run(evidence.of(Replay))
    compared = {run: told for run, told in by_run.items() if len(told) > 1}
    broken = [
        Broken(DISAGREE, f"{told[0].tenant}/{told[0].workflow_id}: {why}", paths.get(run, ""))
        for run, told in compared.items()
        if (why := disagreement(told))
    ]
    varied = _varied(evidence.of(Surroundings))
    lacks = [
        _few(len(compared)),
        *(f"{name} was the same everywhere" for name in REQUIRED if len(varied[name]) < 2),
    ]
    figures: dict[str, Any] = {
        "histories_compared": len(compared),
        "histories": len(paths),
        "surroundings": len({each.name for each in evidence.of(Surroundings)}),
        "varied": sorted(name for name, values in varied.items() if len(values) > 1),
        "not_varied": sorted(
            {"clock", *(name for name, values in varied.items() if len(values) < 2)}
        ),
    }
    kept = (
        f"{len(compared)} of {len(paths)} histories issue the same commands in "
        f"{figures['surroundings']} surroundings (varied: {', '.join(figures['varied'])})"
    )
    return conclude((DISAGREE,), broken, lacks, kept, figures)


def _few(compared: int) -> str:
    if compared >= LEAST_HISTORIES:
        return ""
    return (
        f"{compared} histories were replayed in several surroundings, {LEAST_HISTORIES} are the "
        "least that says something"
    )


def _by_run(replays: Iterable[Replay]) -> Mapping[str, list[Replay]]:
    """By run: its strict replay in the usual surroundings, and those in others."""
    found: dict[str, list[Replay]] = defaultdict(list)
    for each in replays:
        given_up = each.ending is Ending.INFO and not each.commands
        if each.mode in ("strict", "perturbed") and not given_up:
            found[each.run_id].append(each)
    return found


def _varied(all_of_them: Iterable[Surroundings]) -> Mapping[str, set[str]]:
    """By what may differ: the different values that processes found."""
    values: dict[str, set[str]] = defaultdict(set)
    for each in all_of_them:
        for name, value in each.seen.items():
            values[name].add(value)
    return values


def disagreement(replays: Sequence[Replay]) -> str:
    """Where replays of one history part; empty if they agree."""
    first = replays[0]
    for other in replays[1:]:
        names = f"in {first.surroundings or _USUAL} and {other.surroundings or _USUAL} surroundings"
        pairs = zip_longest(first.commands, other.commands, fillvalue="nothing")
        for number, (one, two) in enumerate(pairs, 1):
            if one != two:
                return f"command {number} is {_named(one, two)} {names}"
        if (first.ending is Ending.FAIL) != (other.ending is Ending.FAIL):
            failed = first if first.ending is Ending.FAIL else other
            return f"{failed.message[:200]}, and not so {names}"
    return ""


def _named(one: str, two: str) -> str:
    kinds = [each.partition(":")[0] for each in (one, two)]
    return f"{kinds[0]} with other contents" if kinds[0] == kinds[1] else " or ".join(kinds)
