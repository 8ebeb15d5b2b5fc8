"""The end of every run: judge, show the verdicts by pytest, render, print one screen."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from harness.checks.verdict import Verdict
from harness.errors import DriveError
from harness.journal.manifest import WHY_ENDED
from harness.journal.read import Journal
from harness.judging import Judgement, judge_trial
from harness.outcome import EXIT_FAIL, EXIT_INCONCLUSIVE, EXIT_PASS, Outcome

SHOWN_BY = {
    "verify": "scenarios/conformance",
    "load": "scenarios/load",
    "capacity": "scenarios/load",
    "chaos": "scenarios/chaos",
}
WORD = {EXIT_PASS: "PASS", EXIT_FAIL: "FAIL", EXIT_INCONCLUSIVE: "INCONCLUSIVE"}
ROOT = Path(__file__).parents[2]


def finish(folder: Path, form: str, *, salvage: bool = False, show: bool = True) -> int:
    """Judge a sealed trial, write everything beside it, print the summary; the exit code."""
    journal, judgement = judge_trial(folder, salvage=salvage)
    if show:
        show_by_pytest(folder, journal.manifest.arm)
        write_reports(folder, journal, judgement)
    if form == "json":
        print(json.dumps(as_json(folder, journal, judgement), indent=1))
    else:
        print(summary(folder, journal, judgement))
    return judgement.exit_code


def show_by_pytest(folder: Path, arm: str) -> None:
    """Run pytest over the verdicts: it writes JUnit, and its listing goes into the trial."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            str(ROOT / SHOWN_BY[arm]),
            *_plugin(),
            "--trial",
            str(folder.resolve()),
            f"--junitxml={folder.resolve() / 'junit.xml'}",
            "-q",
            "-p",
            "no:cacheprovider",
            "--rootdir",
            str(ROOT),
            "-c",
            str(ROOT / "pyproject.toml"),
            "-o",
            "junit_family=xunit1",
        ],
        capture_output=True,
        text=True,
        check=False,
        env={name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"},
    )
    (folder / "pytest.txt").write_text(done.stdout + done.stderr)
    if done.returncode not in (0, 1, 5):
        raise DriveError(
            f"pytest could not show the verdicts ({done.returncode}); see {folder / 'pytest.txt'}"
        )


def _plugin() -> list[str]:
    """Our plugin where pytest does not find it itself: in a checkout that is not installed."""
    found = importlib.metadata.entry_points(group="pytest11", name="harness")
    return [] if found else ["-p", "harness.pytest_plugin"]


def write_reports(folder: Path, journal: Journal, judgement: Judgement) -> None:
    """`report.html` and `report.json` in the trial's folder."""
    reports = importlib.import_module("reports")
    trial = reports.Trial(journal, judgement.verdicts, folder, tuple(judgement.waiver_problems))
    reports.write_report(folder / "report.html", [trial], mutants=known_mutants())
    (folder / "report.json").write_text(json.dumps(reports.summary_json([trial]), indent=1) + "\n")


def known_mutants() -> dict[str, list[tuple[str, str]]]:
    """Mutants by the catalogue ID that they prove: (name, defect)."""
    table = importlib.import_module("scenarios.mutants.table")
    found: dict[str, list[tuple[str, str]]] = {}
    for mutant in table.MUTANTS:
        for each in mutant.expected:
            found.setdefault(each, []).append((mutant.name, mutant.defect))
    return found


def summary(folder: Path, journal: Journal, judgement: Judgement) -> str:
    """One screen: verdict, counts, what failed and why, where the report is."""
    counts = Counter(v.outcome for v in judgement.verdicts)
    manifest = journal.manifest
    seconds = (manifest.ended_wall_ns - manifest.started_wall_ns) / 1e9
    lines = [
        "",
        f"{WORD[judgement.exit_code]}  {manifest.arm} {manifest.profile}, trial "
        f"{manifest.trial_id}, {seconds:.0f} s, seed {manifest.seed}"
        + ("" if journal.complete else f", {manifest.ended.upper()}"),
        "  "
        + ", ".join(f"{counts[outcome]} {outcome.value}" for outcome in Outcome if counts[outcome]),
    ]
    if WHY_ENDED in manifest.environment:
        lines.append(f"  {manifest.environment[WHY_ENDED]}")
    lines += [
        _line(v)
        for v in judgement.verdicts
        if v.outcome in (Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.WAIVED)
    ]
    lines += [f"  waiver: {problem}" for problem in judgement.waiver_problems]
    report = folder / "report.html"
    lines.append(f"  report: {report}" if report.exists() else f"  trial: {folder}")
    return "\n".join(lines)


def _line(verdict: Verdict) -> str:
    reason = " ".join(verdict.reason.split())
    if len(reason) > 160:
        reason = reason[:157] + "..."
    return f"  {verdict.outcome.value:12} {verdict.id:12} {reason}"


def as_json(folder: Path, journal: Journal, judgement: Judgement) -> dict[str, Any]:
    """The summary for programs."""
    manifest = journal.manifest
    return {
        "verdict": WORD[judgement.exit_code].lower(),
        "exit_code": judgement.exit_code,
        "trial": manifest.trial_id,
        "arm": manifest.arm,
        "profile": manifest.profile,
        "ended": manifest.ended,
        "seed": manifest.seed,
        "folder": str(folder),
        "report": str(folder / "report.html"),
        "counts": dict(Counter(v.outcome.value for v in judgement.verdicts)),
        "waiver_problems": judgement.waiver_problems,
        "verdicts": [
            {
                "id": v.id,
                "subject": v.subject,
                "level": v.level,
                "outcome": v.outcome.value,
                "reason": v.reason,
            }
            for v in judgement.verdicts
        ],
    }
