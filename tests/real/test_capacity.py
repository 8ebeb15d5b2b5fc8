"""The search for the knee on real parts: steps on one platform, each with samples of its own."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest

from harness.checks.capacity.knee import StepOutcome
from harness.journal.manifest import INTERRUPTED
from harness.journal.read import read_trial
from harness.journal.records import CPU_S, MACHINE, Gauge, LoadRun, Search, Step
from tests.real.commands import Place, clean_place

pytestmark = [pytest.mark.real, pytest.mark.long]
STEP_S = 120.0


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with clean_place(tmp_path_factory.mktemp("capacity")) as made:
        yield made


def test_a_search_within_its_budget_says_what_it_could_not_decide(place: Place) -> None:
    trial = place.folder / "one-step"
    options = ("--start", "4", "--max-rate", "4", "--budget", "90", "--no-show")
    done = place.run("capacity", *options, "--out", str(trial), within_s=240)
    assert done.returncode in (0, 1, 2), done.stderr
    journal = read_trial(trial)
    steps, runs = journal.of(Step), journal.of(LoadRun)
    assert [step.session for step in steps] == [run.session for run in runs]
    assert {step.outcome for step in steps} <= {str(each) for each in StepOutcome}
    assert len({run.samples for run in runs}) == len(runs)
    assert {run.warmup_s for run in runs} == {5.0}
    (search,) = journal.of(Search)
    assert search.spent_s <= 90
    roles = {gauge.detail for gauge in journal.of(Gauge) if gauge.name == CPU_S}
    assert {"engine", "worker", "exporter", "doubles", "generator", MACHINE} <= roles
    again = place.run("recheck", str(trial))
    assert again.returncode == done.returncode


def test_ctrl_c_in_the_middle_keeps_what_was_measured(place: Place) -> None:
    trial = place.folder / "interrupted"
    options = ("--start", "20", "--max-rate", "20", "--budget", "300", "--no-show")
    with place.started("capacity", *options, "--out", str(trial)) as running:
        deadline = time.monotonic() + STEP_S
        while not list(trial.glob("samples/load.bin")) and time.monotonic() < deadline:
            time.sleep(0.2)
        time.sleep(3)
        code, _, _ = running.end(signal.SIGINT)
    assert code == 2
    journal = read_trial(trial)
    assert journal.manifest.ended == INTERRUPTED
    assert len(journal.of(LoadRun)) == 1
    assert not journal.of(Step)
    assert not journal.of(Search)
