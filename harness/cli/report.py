"""`harness report`."""

from __future__ import annotations

import argparse
import importlib
import json

from harness.cli.finish import known_mutants
from harness.errors import UnavailableError
from harness.journal.read import read_trial
from harness.judging import UNFINISHED, judge_journal
from harness.outcome import EXIT_FAIL, Outcome, exit_code


def run(options: argparse.Namespace) -> int:
    """Render one page of one or several trials; the exit code is of all together."""
    reports = importlib.import_module("reports")
    trials = []
    for folder in options.trials:
        journal = read_trial(folder)
        judgement = judge_journal(journal)
        trials.append(
            reports.Trial(journal, judgement.verdicts, folder, tuple(judgement.waiver_problems))
        )
    name = "report.html" if len(trials) == 1 else "merged.html"
    page = options.out or options.trials[-1] / name
    try:
        reports.write_report(page, trials, mutants=known_mutants())
    except OSError as error:
        raise UnavailableError(
            f"{page}: {error.strerror}; give --out a file that can be written"
        ) from None
    summary = reports.summary_json(trials)
    print(json.dumps(summary, indent=1) if options.format == "json" else page)
    if any(trial.problems for trial in trials):
        return EXIT_FAIL
    whole = [("M", Outcome(summary["verdict"]))]
    return exit_code(
        whole if all(trial.journal.complete for trial in trials) else [*whole, UNFINISHED]
    )
