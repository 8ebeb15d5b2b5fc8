"""One tenant works, another floods: engine, two workers, Locust and the flood, all of them real."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.journal.read import read_trial
from harness.journal.records import Block, Executed, Flood, LoadRun, Process
from harness.load.samples import SampleOutcome, read_samples
from tests.real.commands import Place, clean_place, manifest

pytestmark = [pytest.mark.real, pytest.mark.long]
FLOODED = ("load", "--workload", "neighbours", "--pairs", "6", "--rate", "2", "--flood-rate", "20")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with clean_place(tmp_path) as made:
        yield made


def test_every_call_of_the_flood_lies_in_a_noisy_block(place: Place) -> None:
    trial = place.folder / "trial"
    done = place.run(
        *FLOODED, "--flood", "starts,lists,payloads,signals,activities", "--duration", "20",
        "--no-show", "--out", str(trial),
        within_s=120,
    )  # fmt: skip
    assert done.returncode in (1, 2), done.stderr
    journal = read_trial(trial)
    blocks, (flood,), (run,) = journal.of(Block), journal.of(Flood), journal.of(LoadRun)
    assert [block.pair for block in blocks] == [n // 2 for n in range(12)]
    assert sum(block.noisy for block in blocks) == 6
    assert run.sent == run.planned == 40
    calls = read_samples(journal.raw(flood.samples, flood.sha256))
    assert len(calls) == flood.planned == sum(outcome > 0 for outcome in calls.outcome)
    assert calls.origin.tenants == ["beta"]
    assert set(calls.outcome) == {SampleOutcome.OK}
    noisy = [(block.begin_ns, block.end_ns) for block in blocks if block.noisy]
    assert all(any(a <= at < b for a, b in noisy) for at in calls.intended_ns)
    groups = {p.group for p in journal.of(Process) if p.event == "ready" and p.group}
    assert groups == {"victim", "flooding"}
    assert {each.tenant for each in journal.of(Executed)} == {"alpha"}


def test_an_interrupted_flood_keeps_what_was_measured(place: Place) -> None:
    trial = place.folder / "trial"
    with place.started(
        *FLOODED, "--duration", "60", "--no-show", "--out", str(trial)
    ) as supervisor:
        supervisor.await_line("floods with 20")
        segment, patient_until = trial / "journal" / "flood.jsonl", time.monotonic() + 40
        while not (segment.exists() and b'"block"' in segment.read_bytes()):
            assert time.monotonic() < patient_until
            time.sleep(0.2)
        code, _, _ = supervisor.end(signal.SIGINT)
    assert code == 2
    assert manifest(trial)["ended"] == "interrupted"
    journal = read_trial(trial)
    assert journal.of(Block)
    assert len(journal.of(Flood)) == 1


def test_a_target_that_does_not_allow_load_is_refused_in_a_line(place: Place) -> None:
    target = place.target(
        "engine: {address: '127.0.0.1:1'}\n"
        "tenants:\n"
        "  - {name: alpha, namespace: alpha, task_queue: a}\n"
        "  - {name: beta, namespace: beta, task_queue: b}\n"
        "worker: {external: true}\n"
        "doubles: {ports: {pdp: 7801, services: 7802, audit: 7803}}\n"
    )
    done = place.run(*FLOODED, "--target", target)
    assert done.returncode == 64
    assert "allow: {load: {max_rate_per_s: N}}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_target_with_one_tenant_is_refused_in_a_line(place: Place) -> None:
    target = place.target(
        "engine: {embedded: true}\n"
        "tenants: [{name: alpha, namespace: alpha, task_queue: a}]\n"
        "worker: {external: true}\n"
    )
    done = place.run(*FLOODED, "--target", target)
    assert done.returncode == 64
    assert "tenants" in done.stderr
    assert "Traceback" not in done.stderr
