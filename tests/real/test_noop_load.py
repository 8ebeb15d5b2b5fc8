"""No-op activities under load: real engine, worker, Locust, and the histories read afterwards."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from harness.journal.read import read_trial
from harness.journal.records import DRAWN, Executed, Gauge
from tests.real.commands import ROOT, Place, clean_place

pytestmark = [pytest.mark.real, pytest.mark.long]
LACKING = "from scenarios.reference.worker import Parts, main; main(Parts(lacks=('noop',)))"
TARGET = f"""\
engine: {{embedded: true}}
tenants:
  - {{name: alpha, namespace: alpha, task_queue: alpha-sagas}}
  - {{name: beta, namespace: beta, task_queue: beta-sagas}}
worker: {{command: [{sys.executable}, -c, "{LACKING}"], cwd: {ROOT}}}
exporter: {{command: [{sys.executable}, -m, scenarios.reference.exporter], cwd: {ROOT}}}
allow: {{load: {{max_rate_per_s: 100}}}}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with clean_place(tmp_path_factory.mktemp("noops")) as made:
        yield made


def test_each_kind_is_timed(place: Place) -> None:
    trial = place.folder / "noops"
    options = ["--workload", "noop", "--rate", "6", "--duration", "5", "--idle", "0"]
    place.run("load", *options, "--no-show", "--out", str(trial))
    journal = read_trial(trial)
    [drawn] = [each.value for each in journal.of(Gauge) if each.name == DRAWN]
    assert drawn == 30
    found = journal.of(Executed)
    assert len(found) == 30 * 5
    assert {(each.operation, each.local, each.ended) for each in found} == {
        ("noop", False, "completed"),
        ("noop-eager", False, "completed"),
        ("noop-local", True, "completed"),
    }


def test_a_worker_that_lacks_them_is_not_asked(place: Place) -> None:
    options = ["--workload", "noop", "--rate", "5", "--duration", "5", "--idle", "0"]
    done = place.run("load", "--target", place.target(TARGET), *options, "--no-show")
    assert done.returncode == 64, done.stderr
    assert "lacks the capability noop" in done.stderr
