"""Whatever happens to the harness, nothing of it is left, and what was recorded can be judged."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.real.commands import Place, clean_place, ended, kill, lives, manifest

pytestmark = pytest.mark.real
GONE_WITHIN_S = 3.0
DRIVING = "driving"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with clean_place(tmp_path) as made:
        yield made


def test_sigkill_of_the_harness_leaves_no_process_and_the_next_run_is_clean(place: Place) -> None:
    trial = place.folder / "trial"
    with place.started("verify", "INV-DET-1", "--out", str(trial)) as supervisor:
        supervisor.await_line(DRIVING)
        children, temporary = supervisor.state.children, Path(supervisor.state.folder)
        roles = {child.role for child in children}
        assert {"engine", "doubles", "drive", "exporter"} <= roles
        assert any(role.startswith("worker-crash") for role in roles)
        groups = {os.getpgid(child.pid) for child in children}
        assert groups == {child.pid for child in children}, "each leads a group of its own"
        supervisor.popen.kill()
        assert [c.role for c in children if not ended(c.pid, GONE_WITHIN_S) and lives(c)] == []
    assert place.await_nothing_left(GONE_WITHIN_S) == []
    assert temporary.exists()

    again = place.run("verify", "INV-ISO-6", "--no-show", "--out", str(place.folder / "again"))
    assert again.returncode == 0, again.stderr
    assert "left by a run that was killed" not in again.stderr  # there was nothing to end
    assert not temporary.exists()
    assert list((place.cache / "running").iterdir()) == []

    refused = place.run("recheck", str(trial))
    assert refused.returncode == 64
    assert "--salvage" in refused.stderr
    salvaged = place.run("recheck", "--salvage", str(trial), "--format", "json")
    told = json.loads(salvaged.stdout)
    assert told["exit_code"] == salvaged.returncode != 0
    assert (told["ended"], [each["id"] for each in told["verdicts"]]) == ("salvaged", ["INV-DET-1"])


def test_what_outlives_even_its_guard_is_ended_by_the_next_run(place: Place) -> None:
    """The harness and all guards are killed at once: the registry knows what they had started."""
    with place.started("up", "--without-worker") as supervisor:
        assert supervisor.popen.stdout is not None
        assert supervisor.popen.stdout.readline().startswith("# the reference platform is up")
        children = supervisor.state.children
        supervisor.popen.send_signal(signal.SIGSTOP)
        for child in children:
            kill(psutil.Process(child.pid).ppid())
        supervisor.popen.kill()
        supervisor.popen.wait()
    assert [child.role for child in children if not lives(child)] == []
    with place.started("up", "--without-worker") as supervisor:
        supervisor.await_line("left by a run that was killed")
        assert supervisor.popen.stdout is not None
        assert supervisor.popen.stdout.readline().startswith("# the reference platform is up")
        assert [child.role for child in children if lives(child)] == []
        code, _, _ = supervisor.end(signal.SIGINT)
    assert code == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name)
def test_an_interrupted_run_is_sealed_judged_and_reported(
    place: Place, number: signal.Signals
) -> None:
    """Exit 2, inconclusive, unless what was recorded shows a failure (1); never 0."""
    trial = place.folder / "trial"
    with place.started("verify", "INV-DET-1", "INV-ISO-6", "--out", str(trial)) as supervisor:
        supervisor.await_line(DRIVING)
        second = place.run("verify", "INV-ISO-6", "--out", str(trial))
        assert second.returncode == 64
        assert "another run is writing there" in second.stderr
        code, out, err = supervisor.end(number)
    assert code == 2, err
    assert "INTERRUPTED" in out
    assert manifest(trial)["ended"] == "interrupted"
    assert (trial / "report.html").exists()
    assert (trial / "junit.xml").exists()
    assert place.left() == []
    assert place.run("recheck", str(trial)).returncode == 2


def test_ctrl_c_while_the_platform_is_being_set_up_is_no_different(place: Place) -> None:
    trial = place.folder / "trial"
    with place.started("verify", "INV-ISO-6", "--out", str(trial)) as supervisor:
        supervisor.await_line("starting the engine")
        code, out, err = supervisor.end(signal.SIGINT)
    assert code == 2, err
    assert "INTERRUPTED" in out
    assert "Traceback" not in err
    assert (trial / "report.html").exists()
    assert place.left() == []


def test_a_second_ctrl_c_waits_for_nobody(place: Place) -> None:
    with place.started("verify", "INV-DET-1", "--out", str(place.folder / "trial")) as supervisor:
        supervisor.await_line("starting workers")
        supervisor.popen.send_signal(signal.SIGINT)
        code, _, _ = supervisor.end(signal.SIGINT)
    assert code in (-signal.SIGINT, 2)  # both may have arrived as one
    assert place.await_nothing_left(GONE_WITHIN_S) == []


def test_an_engine_that_goes_away_during_the_run_is_an_observation(place: Place) -> None:
    """Fail or inconclusive with a report, not an error of the harness."""
    trial = place.folder / "trial"
    with place.started("verify", "INV-ISO-8", "--out", str(trial)) as supervisor:
        supervisor.await_line(DRIVING)
        (engine,) = [child for child in supervisor.state.children if child.role == "engine"]
        os.kill(engine.pid, signal.SIGKILL)
        code, out, err = supervisor.end()
    assert code in (1, 2), err
    assert "INV-ISO-8" in out
    assert (trial / "report.html").exists()
