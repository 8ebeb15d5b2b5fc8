"""`harness report`."""

from __future__ import annotations

import argparse
import importlib
import json

from harness.cli.finish import known_mutants
from harness.journal.read import read_trial
from harness.judging import judge_journal


def run(options: argparse.Namespace) -> int:
    """Render one page of one or several trials; the exit code is of all together."""
    reports = importlib.import_module("reports")
    trials = []
    for folder in options.trials:
        journal = read_trial(folder)
        trials.append(reports.Trial(journal, judge_journal(journal).verdicts, folder))
    last = options.trials[-1]
    name = "report.html" if len(trials) == 1 else "merged.html"
    page = options.out or last / name
    reports.write_report(page, trials, mutants=known_mutants())
    if options.format == "json":
        print(json.dumps(reports.summary_json(trials), indent=1))
    else:
        print(page)
    return 0
