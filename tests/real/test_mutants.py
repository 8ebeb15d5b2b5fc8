"""`harness mutants` through the real thing: engine, worker, exporter, drive, checks."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

pytestmark = pytest.mark.real
ROOT = Path(__file__).parents[2]
HARNESS = (sys.executable, "-m", "harness")
CHOSEN = {"step-left-out": "DUR-5", "canceled-misspelt": "EVT-4", "input-changed": "INV-DET-2"}
WITHIN_S = 120


def harness(*options: str) -> subprocess.CompletedProcess[str]:
    """A command of the harness, from its checkout."""
    return subprocess.run(
        [*HARNESS, *options], cwd=ROOT, capture_output=True, text=True, check=False,
        timeout=WITHIN_S,
    )  # fmt: skip


def ids_in(folder: Path) -> dict[str, str]:
    """The ids of the mutants' trials in a folder."""
    return {
        path.parent.name: json.loads(path.read_bytes())["trial_id"]
        for path in folder.glob("*/manifest.json")
    }


def test_mutants_are_killed_by_their_checks_alone(tmp_path: Path) -> None:
    done = harness("mutants", *CHOSEN, "--format", "json", "--out", str(tmp_path))
    matrix: dict[str, Any] = json.loads(done.stdout)
    rows = {row["mutant"]: row for row in matrix["mutants"]}
    assert {name: row["fate"] for name, row in rows.items()} == dict.fromkeys(CHOSEN, "killed")
    assert [
        alarm for row in rows.values() for alarm in row["also_red"] if not alarm["declared"]
    ] == []
    assert done.returncode == 0, done.stdout + done.stderr
    driven = ids_in(tmp_path)
    resumed = harness("mutants", *CHOSEN, "--format", "json", "--out", str(tmp_path), "--resume")
    assert {row["mutant"]: row["fate"] for row in json.loads(resumed.stdout)["mutants"]} == {
        name: row["fate"] for name, row in rows.items()
    }
    assert ids_in(tmp_path) == driven
    assert driven.keys() == {*CHOSEN, "shared-drive"}


def test_the_reference_platform_passes_where_they_fail(tmp_path: Path) -> None:
    done = harness(
        "verify",
        *CHOSEN.values(),
        "--no-show",
        "--format",
        "json",
        "--out",
        str(tmp_path / "trial"),
    )
    outcomes = {v["id"]: v["outcome"] for v in json.loads(done.stdout)["verdicts"]}
    assert outcomes == dict.fromkeys(CHOSEN.values(), "pass")
    assert done.returncode == 0


def test_an_interrupt_ends_every_platform(tmp_path: Path) -> None:
    command = [*HARNESS, "mutants", "INV-DET-4", "--jobs", "2", "--out", str(tmp_path)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL
    ) as running:
        left: list[psutil.Process] = []
        try:
            until = time.monotonic() + WITHIN_S
            while len(list(tmp_path.glob("*/logs/worker-*.log"))) < 2:
                assert running.poll() is None
                assert time.monotonic() < until
                time.sleep(0.1)  # nothing tells from outside that the workers have been started
            left = psutil.Process(running.pid).children(recursive=True)
            assert len(left) > 10
            running.send_signal(signal.SIGINT)
            said, _ = running.communicate(timeout=WITHIN_S)
            assert "INTERRUPTED" in said
            assert running.returncode == 1
            _, alive = psutil.wait_procs(left, timeout=5)
            assert alive == []
        finally:
            running.kill()
            for each in left:
                if each.is_running():
                    each.kill()
