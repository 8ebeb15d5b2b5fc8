"""`harness compare --interleave` on real parts: platforms by turns, and an end in the middle."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.commands import Place, clean_place, manifest

pytestmark = [pytest.mark.real, pytest.mark.long]
ONE_PAIR = ("compare", "--interleave", "1", "--rate", "3", "--duration", "3")
GONE_WITHIN_S = 5


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with clean_place(tmp_path, gone_within_s=GONE_WITHIN_S) as made:
        yield made


def test_a_pair_of_runs_shows_the_slower_one_and_never_fails_the_gate(place: Place) -> None:
    trials = place.folder / "trials"
    done = place.run(
        *ONE_PAIR, "--mutant-b", "every-service-slow", "--out", str(trials), "--format", "json"
    )
    assert done.returncode == 2, done.stderr
    told = json.loads(done.stdout)
    for side in ("a", "b"):
        counted = [*told[side]["trials"], *told[side]["left_out"]]
        assert counted == [str(trials / f"{side}-1")]
        assert manifest(trials / f"{side}-1")["ended"] == "complete"
    figures = {each["figure"]: each for each in told["figures"]}
    if figures:  # no generator was late on a busy machine
        assert figures["completion_p95_ms"]["change"] == "too few runs"
        assert figures["completion_p95_ms"]["shift"] > 2


def test_ctrl_c_in_the_second_run_compares_what_there_is(place: Place) -> None:
    trials = place.folder / "trials"
    with place.started(*ONE_PAIR, "--out", str(trials)) as supervisor:
        supervisor.await_line("run 1 of 1 of B")
        supervisor.await_line("arrivals per second")
        code, out, err = supervisor.end(signal.SIGINT)
    assert code == 2, err
    assert "Traceback" not in err
    assert f"left out of B: {trials / 'b-1'}: it was interrupted" in out
    assert manifest(trials / "a-1")["ended"] == "complete"
    assert manifest(trials / "b-1")["ended"] == "interrupted"
