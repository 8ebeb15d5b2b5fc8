"""`harness replay`: a new build against recorded histories, before it is rolled out."""

from __future__ import annotations

import argparse
import json
import shlex
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import msgspec

from harness.cli.settle import progress
from harness.errors import UsageError
from harness.outcome import Outcome
from harness.replay.corpus import find
from harness.replay.verdicts import HistoryVerdict, exit_code_of, of_one, worst_of
from harness.run.replay import MODES, Asked
from harness.run.replay_wire import replay_worker

LISTED: Final = 20  # histories that passed are listed one by one up to so many
DIFFERENCES: Final = 3  # shown of one history


def run(options: argparse.Namespace) -> int:
    """Replay, show; 0, 1 or 2 as the histories agree, differ or cannot be judged."""
    asked = _asked(options)
    began = time.monotonic()
    if asked.workflows:
        from harness.cli.replay_python import code_of, shown
        from harness.run.replay_python import replay_workflows

        judged = replay_workflows(asked)
        print(shown(judged, options.format, time.monotonic() - began))
        return code_of(judged)
    verdicts = replay_worker(asked)
    seconds = time.monotonic() - began
    if options.format == "json":
        print(json.dumps(as_json(verdicts, seconds), indent=1))
    else:
        print(as_text(verdicts, seconds))
    return exit_code_of(verdicts)


def _asked(options: argparse.Namespace) -> Asked:
    if bool(options.worker) == bool(options.workflows):
        raise UsageError('give one of --worker "COMMAND" and --workflows MODULE')
    if options.format == "sarif" and not options.workflows:
        raise UsageError("--format sarif: findings with file and line come with --workflows alone")
    return Asked(
        histories=options.histories,
        entries=tuple(
            replace(entry, namespace=entry.namespace or options.namespace)
            for entry in find(options.histories)
        ),
        command=_command(options.worker),
        workflows=options.workflows,
        namespace=options.namespace or "default",
        cwd=_folder(options.cwd),
        modes=MODES if options.mode == "both" else (options.mode,),
        at_once=int(_above_zero("--at-once", options.at_once)),
        ready_within_s=_above_zero("--ready-within", options.ready_within),
        task_within_s=_above_zero("--task-within", options.task_within),
        logs=options.logs,
        setup=options.setup,
        replayer=options.replayer,
        passthrough=tuple(options.passthrough),
        reviewed=tuple(options.reviewed),
        perturbed=_at_least_zero("--perturbed", options.perturbed),
        progress=progress(),
    )


def _command(given: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(given))
    except ValueError as error:
        raise UsageError(f"--worker {given!r}: {error}") from None


def _folder(given: Path) -> Path:
    if not given.is_dir():
        raise UsageError(f"--cwd {given}: no such folder")
    return given


def _above_zero(option: str, given: float) -> float:
    if not given > 0:
        raise UsageError(f"{option} {given:g}: give a number above 0")
    return given


def _at_least_zero(option: str, given: int) -> int:
    if given < 0:
        raise UsageError(f"{option} {given}: give a number, or 0 for all")
    return given


# --- what is printed


def as_json(verdicts: Sequence[HistoryVerdict], seconds: float) -> dict[str, Any]:
    """The summary and every verdict."""
    return {
        "verdict": str(worst_of(verdicts)),
        "exit_code": exit_code_of(verdicts),
        "histories": len({each.file for each in verdicts}),
        "counts": _counts(verdicts),
        "seconds": round(seconds, 3),
        "verdicts": msgspec.to_builtins(verdicts),
    }


def as_text(verdicts: Sequence[HistoryVerdict], seconds: float) -> str:
    """Every history that did not pass with its first differences, then the sum."""
    by_file = _by_file(verdicts)
    quiet = {
        outcome: count
        for outcome, count in Counter(of_one(each) for each in by_file.values()).items()
        if outcome in (Outcome.PASS, Outcome.NOT_APPLICABLE) and count > LISTED
    }
    lines: list[str] = []
    for file, of_it in by_file.items():
        if of_one(of_it) not in quiet:
            lines += _history(file, of_it)
    lines += [f"  {outcome:14}  {count} histories" for outcome, count in sorted(quiet.items())]
    return "\n".join([*lines, "", _sum(by_file, seconds)])


def _by_file(verdicts: Iterable[HistoryVerdict]) -> Mapping[str, list[HistoryVerdict]]:
    found: dict[str, list[HistoryVerdict]] = defaultdict(list)
    for each in verdicts:
        found[each.file].append(each)
    return dict(sorted(found.items()))


def _history(file: str, verdicts: Sequence[HistoryVerdict]) -> list[str]:
    outcome = of_one(verdicts)
    about = " ".join(filter(None, (verdicts[0].workflow_type, verdicts[0].workflow_id)))
    lines = [f"  {outcome:14}  {file}" + (f"  ({about})" if about else "")]
    told: set[str] = set()
    for each in sorted(verdicts, key=lambda each: each.outcome is not outcome):
        for text in _told(each):
            if text not in told:
                lines.append(f"      {each.mode}: {text}")
            told.add(text)
    return lines


def _told(verdict: HistoryVerdict) -> Iterable[str]:
    ordered = sorted(verdict.differences, key=lambda each: each.severity)
    if verdict.message and not verdict.errors:
        yield verdict.message
    for each in ordered[:DIFFERENCES]:
        legal = " (legal evolution)" if each.severity != "error" else ""
        yield (
            f"event {each.event_id}, {each.attribute}: recorded {each.recorded}, "
            f"answered {each.replayed}{legal}"
        )
    if len(ordered) > DIFFERENCES:
        yield f"... and {len(ordered) - DIFFERENCES} more, see --format json"
    yield from verdict.notes


def _counts(verdicts: Iterable[HistoryVerdict]) -> dict[str, int]:
    """Histories by their worst outcome."""
    return dict(Counter(str(of_one(each)) for each in _by_file(verdicts).values()))


def _sum(by_file: Mapping[str, list[HistoryVerdict]], seconds: float) -> str:
    every = [each for of_it in by_file.values() for each in of_it]
    counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(_counts(every).items()))
    modes = " and ".join(dict.fromkeys(each.mode for each in every if each.mode)) or "nothing"
    return (
        f"{worst_of(every)}: {counts or 'no history'}; {len(by_file)} histories ({modes}), "
        f"{sum(each.compared for each in every)} commands compared in {seconds:.1f} s"
    )
