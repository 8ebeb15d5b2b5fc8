"""The page's content for programs: verdict, counts, and every ID with outcome, reason, figures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import msgspec

from harness.catalogue import load_catalogue
from harness.journal.records import Timing
from harness.outcome import COUNTING_LEVELS
from reports.sections.timing import suite_times
from reports.standing import Board, Judged, Row, Statement, board
from reports.trial import Trial

FORMAT = 1


def summary_json(trials: Sequence[Trial]) -> dict[str, Any]:
    """Plain JSON values, the same for the same trials; `statements` names every ID once."""
    return of_board(board(load_catalogue(), trials))


def of_board(merged: Board) -> dict[str, Any]:
    """The summary of verdicts that are merged already."""
    return {
        "format": FORMAT,
        "verdict": merged.outcome.value,
        "counts": {standing.value: count for standing, count in merged.counts.items()},
        "trials": [_trial(trial) for trial in merged.trials],
        "statements": [_statement(statement) for statement in merged.statements],
    }


def _trial(trial: Trial) -> dict[str, Any]:
    manifest = trial.journal.manifest
    return {
        "id": manifest.trial_id,
        "arm": manifest.arm,
        "profile": manifest.profile,
        "ended": manifest.ended,
        "began_wall_ns": trial.began_wall_ns,
        "ended_wall_ns": trial.ended_wall_ns,
        "harness": manifest.harness,
        "manifest_digest": manifest.digest,
        "problems": list(trial.problems),
        "phases_s": _phases(trial),
        "suites": [asdict(each) for each in suite_times(trial)],
    }


def _phases(trial: Trial) -> dict[str, float]:
    total: defaultdict[str, float] = defaultdict(float)
    for timing in trial.journal.of(Timing):
        total[timing.what] += timing.seconds
    return dict(total)


def _statement(statement: Statement) -> dict[str, Any]:
    return {
        "id": statement.id,
        "statement": statement.title,
        "area": statement.assertion.area if statement.assertion else "",
        "outcome": statement.standing.value,
        "reason": _reason(statement),
        "subjects": [_row(row) for row in statement.rows],
    }


def _reason(statement: Statement) -> str:
    deciding = (r for r in statement.rows if r.standing is statement.standing)
    return next((row.decided.verdict.reason for row in deciding), statement.why)


def _row(row: Row) -> dict[str, Any]:
    verdict = row.decided.verdict
    return {
        "subject": verdict.subject,
        "ours": verdict.ours,
        "whose": row.whose,
        "level": verdict.level,
        "counts": verdict.level in COUNTING_LEVELS,
        **_verdict(row.decided),
        "clauses": msgspec.to_builtins(verdict.clauses),
        "waiver": verdict.waiver,
        "others": [_verdict(judged) for judged in row.others],
    }


def _verdict(judged: Judged) -> dict[str, Any]:
    verdict = judged.verdict
    return {
        "outcome": verdict.outcome.value,
        "reason": verdict.reason,
        "figures": msgspec.to_builtins(verdict.figures),
        "trial": verdict.trial,
        "profile": verdict.profile,
    }
