"""The load arm through the counting proxy: real engine, worker, exporter, Locust."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.catalogue import load_catalogue
from harness.checks.cost import CHECKS
from harness.checks.verdict import Verdict, judge
from harness.journal.read import Journal, read_trial
from harness.journal.records import BYPASSING, UNDER_LOAD, Gauge, Stored, Subject, Traffic
from harness.outcome import Outcome
from tests.real.commands import PATIENCE_S, ROOT, Place, clean_place

pytestmark = [pytest.mark.real, pytest.mark.long]
TARGET = f"""\
engine: {{embedded: true}}
tenants:
  - {{name: alpha, namespace: alpha, task_queue: alpha-sagas}}
  - {{name: beta, namespace: beta, task_queue: beta-sagas}}
worker: {{command: [{sys.executable}, -m, scenarios.reference.worker], cwd: {ROOT}}}
exporter: {{command: [{sys.executable}, -m, scenarios.reference.exporter], cwd: {ROOT}}}
allow: {{load: {{max_rate_per_s: 100}}}}
declared: {{horizon_s: 5, history_storage_gb: 20}}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with clean_place(tmp_path_factory.mktemp("counted")) as made:
        yield made


def judged(journal: Journal) -> dict[str, Verdict]:
    parameters = {**load_catalogue().defaults, **journal.manifest.parameters}
    verdicts = judge(journal, CHECKS, {check.id: "N" for check in CHECKS}, parameters)
    return {verdict.id: verdict for verdict in verdicts}


def test_each_role_is_counted_and_each_workflow_weighed(place: Place) -> None:
    trial = place.folder / "counted"
    options = ["--rate", "5", "--duration", "8", "--idle", "3", "--no-show", "--out", str(trial)]
    assert place.run("load", *options).returncode == 2  # 40 sagas do not prove 99.9 %
    journal = read_trial(trial)
    loaded = [each for each in journal.of(Traffic) if each.stretch == UNDER_LOAD]
    for link in (Subject.GENERATOR, Subject.WORKER, Subject.EXPORTER):
        first, *_, last = (each for each in loaded if each.link is link)
        assert last.to_engine_bytes > first.to_engine_bytes
        assert last.from_engine_bytes > first.from_engine_bytes
        assert (last.connections > 0, last.refused) == (True, 0)
    looks = [each.value for each in journal.of(Gauge) if each.name == BYPASSING]
    assert set(looks) == {0}
    stored = journal.of(Stored)
    assert len(stored) == 40
    assert {(each.events, each.activities, each.status) for each in stored} == {
        (29, 4, "COMPLETED")
    }
    verdicts = judged(journal)
    assert verdicts["CAP-3"].outcome is Outcome.PASS, verdicts["CAP-3"].reason
    assert verdicts["CAP-5"].outcome is Outcome.INCONCLUSIVE
    assert "--idle 75" in verdicts["CAP-5"].reason
    assert verdicts["CAP-5"].figures["judged"] == 40


def test_an_engine_that_dies_ends_the_load_and_the_counts_are_kept(place: Place) -> None:
    trial = place.folder / "engine-gone"
    options = ["--target", place.target(TARGET), "--rate", "5", "--duration", "8"]
    options += ["--idle", "0", "--no-show", "--out", str(trial)]
    with place.started("load", *options) as supervisor:
        supervisor.await_line("saga:")
        wait_for_backlog(trial / "journal" / "load.jsonl")
        (engine,) = (each.pid for each in supervisor.state.children if each.role == "engine")
        os.kill(engine, signal.SIGKILL)
        code, _, said = supervisor.end()
    assert code in (1, 2), said
    journal = read_trial(trial)
    last = next(each for each in reversed(journal.of(Traffic)) if each.link is Subject.WORKER)
    assert last.to_engine_bytes > 0
    assert last.open == 0
    assert {verdict.outcome for verdict in judged(journal).values()} == {Outcome.INCONCLUSIVE}


def wait_for_backlog(segment: Path) -> None:
    """Until the generator has told of its load a few times."""
    deadline = time.monotonic() + PATIENCE_S
    while not segment.exists() or segment.read_bytes().count(b"load.open") < 3:
        assert time.monotonic() < deadline
        time.sleep(0.1)
