"""Nothing is left over: after an interrupt, after a kill, after a failure to begin."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from tests.real.runs import gone, harness, recorded_children, started, wait_for_role

pytestmark = pytest.mark.real


def test_a_killed_supervisor_leaves_no_process_and_the_next_run_is_clean(tmp_path: Path) -> None:
    """SIGKILL in the middle: the guards end every group, the next start sweeps the record."""
    cache, out = tmp_path / "cache", tmp_path / "trial"
    with started("verify", "INV-DET-4", "--out", out, cache=cache) as process:
        children = wait_for_role(cache, "worker-crash")
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert not gone(children, within_s=5)
    assert {"engine", "doubles", "drive"} <= set(children)

    refused = harness("recheck", out, cache=cache)
    assert refused.code == 64
    assert "--salvage" in refused.err

    again = harness("verify", "INV-ISO-7", "--out", tmp_path / "again", cache=cache)
    assert again.code == 0, again.err
    assert not recorded_children(cache)


def test_what_is_salvaged_from_a_killed_run_is_inconclusive_at_best(tmp_path: Path) -> None:
    cache, out = tmp_path / "cache", tmp_path / "trial"
    with started("verify", "INV-ISO-6", "--out", out, cache=cache) as process:
        wait_for_role(cache, "worker-calm")
        os.kill(process.pid, signal.SIGKILL)
        process.wait()

    salvaged = harness("recheck", "--salvage", "--format", "json", out, cache=cache)

    assert salvaged.code in (1, 2), salvaged.err
    assert "pass" not in json.loads(salvaged.out)["counts"]


@pytest.mark.parametrize("role", ["engine", "worker-calm"])
def test_an_interrupt_seals_the_trial_and_leaves_nothing(tmp_path: Path, role: str) -> None:
    """Ctrl-C at set-up and in the drive: a report of what there is, never a pass, nothing left."""
    cache, out = tmp_path / "cache", tmp_path / "trial"
    with started("verify", "INV-DET-1", "INV-ISO-8", "--out", out, cache=cache) as process:
        children = wait_for_role(cache, role)
        os.kill(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode in (1, 2), err
    assert "Traceback" not in err
    assert not gone(children, within_s=3)
    assert json.loads((out / "manifest.json").read_text())["ended"] == "interrupted"
    assert (out / "report.html").exists()


def test_sigterm_ends_a_platform_that_is_up(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with started("up", cache=cache) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3)]
        children = recorded_children(cache)
        os.kill(process.pid, signal.SIGTERM)
        process.communicate(timeout=60)
    assert any("export HARNESS_" in line for line in lines), lines
    assert {"engine", "doubles"} <= set(children)
    assert process.returncode == 0
    assert not gone(children, within_s=3)
