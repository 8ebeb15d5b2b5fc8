"""The load process as the supervisor starts it: real Locust, real Temporal, a worker that returns.

Run as a script (`test_load.py ADDRESS`) this file is that worker.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import Worker

from harness.checks.slo import CHECKS
from harness.checks.verdict import judge
from harness.contract.program import WORKFLOW_TYPE
from harness.journal.manifest import file_entry, write_manifest
from harness.journal.read import Journal, hand_made_manifest, read_trial
from harness.journal.records import Gauge, LoadRun
from harness.load.run import STARTS_WITHIN_S, deadline_s, locust_command
from harness.load.samples import INTERRUPTED, SampleOutcome, Samples, read_samples
from harness.load.settings import Settings, Tenant, to_environment
from harness.load.whole import sessions, whole_run
from harness.outcome import Outcome
from harness.platform.engine import engine_command
from harness.platform.ports import free_ports
from harness.tools.temporal import find_temporal

ROOT = Path(__file__).parents[2]
SAGA = ROOT / "scenarios" / "load" / "saga.py"
NAMESPACES = ("load-a", "load-b")
QUEUE = "sagas"
TENANTS = (
    Tenant(tenant="alpha", namespace=NAMESPACES[0], task_queue=QUEUE),
    Tenant(tenant="beta", namespace=NAMESPACES[1], task_queue=QUEUE, weight=3),
)
READY = "HARNESS-READY "
PARAMETERS = {
    "workflow_start_sli": "user_perceived",
    "start_p95_limit_ms": 100,
    "confidence": 0.95,
    "completion_min": 0.999,
    "business_failure_types": ["BusinessFailure"],
    "horizon_s": 60,
}

pytestmark = pytest.mark.real


@workflow.defn(name=WORKFLOW_TYPE, sandboxed=False)
class AtOnce:
    """A saga that has nothing to do."""

    @workflow.run
    async def run(self, program: dict[str, Any]) -> dict[str, Any]:
        return {"outcome": "completed", "saga_id": program["saga_id"]}


async def work(address: str) -> None:
    """Serve all tenants until killed."""
    for attempt in range(100):
        try:
            clients = [await Client.connect(address, namespace=name) for name in NAMESPACES]
            break
        except RuntimeError:
            assert attempt < 99
            await asyncio.sleep(0.1)
    workers = [Worker(client, task_queue=QUEUE, workflows=[AtOnce]) for client in clients]
    print(READY, flush=True)
    await asyncio.gather(*(worker.run() for worker in workers))


class Processes(ExitStack):
    """Processes of their own groups, which are killed in the end."""

    def start(self, command: list[str], **options: Any) -> subprocess.Popen[str]:
        popen = subprocess.Popen(command, text=True, cwd=ROOT, start_new_session=True, **options)
        self.callback(popen.wait)
        self.callback(kill, popen)
        return popen


def kill(popen: subprocess.Popen[str]) -> None:
    if popen.poll() is None:
        os.killpg(popen.pid, signal.SIGKILL)


@dataclass(frozen=True, kw_only=True)
class Platform:
    address: str
    engine: subprocess.Popen[str]
    worker: subprocess.Popen[str]
    processes: Processes


def start_platform(processes: Processes) -> Platform:
    port, http_port, metrics_port = free_ports(3)
    command = engine_command(find_temporal(), port, http_port, metrics_port, {})
    for name in NAMESPACES:
        command += ["--namespace", name]
    engine = processes.start(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"127.0.0.1:{port}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    worker = processes.start(
        [sys.executable, __file__, address], stdout=subprocess.PIPE, env=environment
    )
    assert worker.stdout is not None
    assert worker.stdout.readline().startswith(READY)
    return Platform(address=address, engine=engine, worker=worker, processes=processes)


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    with Processes() as processes:
        yield start_platform(processes)


@pytest.fixture
def doomed_platform() -> Iterator[Platform]:
    """A platform of the test's own, to be killed."""
    with Processes() as processes:
        yield start_platform(processes)


def asked(platform: Platform, trial: Path, **fields: Any) -> Settings:
    given: dict[str, Any] = {"rate_per_s": 10.0, "duration_s": 5.0, "horizon_s": 20.0}
    return Settings(
        address=platform.address,
        tenants=TENANTS,
        trial=trial,
        trial_id=trial.name,
        **{**given, **fields},
    )


def start_load(platform: Platform, settings: Settings, processes: int = 1) -> subprocess.Popen[str]:
    """The load process, ready."""
    command, environment = locust_command(settings, locust_file=SAGA, processes=processes)
    environment["PYTHONPATH"] = str(ROOT)
    load = platform.processes.start(command, env=environment, stdout=subprocess.PIPE)
    assert load.stdout is not None
    began = time.monotonic()
    assert load.stdout.readline().startswith(READY)
    assert time.monotonic() - began < STARTS_WITHIN_S
    return load


def ended(load: subprocess.Popen[str], within_s: float) -> int:
    load.communicate(timeout=within_s)
    return load.returncode


def sealed(trial: Path) -> Journal:
    """The trial with a manifest, as the supervisor would leave it."""
    found = [*trial.glob("journal/*.jsonl"), *trial.glob("samples/*.bin")]
    files = [file_entry(trial, path, 0) for path in sorted(found)]
    write_manifest(trial, hand_made_manifest(trial_id=trial.name, arm="load", files=files))
    return read_trial(trial)


def recorded(journal: Journal) -> tuple[LoadRun, Samples]:
    (run,) = journal.of(LoadRun)
    return run, read_samples(journal.raw(run.samples, run.sha256))


def test_every_planned_arrival_is_sent_once_and_completes(
    platform: Platform, tmp_path: Path
) -> None:
    settings = asked(platform, tmp_path)
    load = start_load(platform, settings)
    assert ended(load, deadline_s(settings)) == 0
    journal = sealed(tmp_path)
    run, samples = recorded(journal)
    assert (run.mode, run.planned, run.sent, run.not_sent, run.rows) == ("planned", 50, 50, 0, 50)
    assert sorted(samples.index) == list(range(50))
    assert set(samples.outcome) == {SampleOutcome.OK}
    assert list(samples.tenant).count(1) in (37, 38)  # three of four arrivals
    for earlier, later in (("intended", "sent"), ("sent", "answered"), ("answered", "completed")):
        pairs = zip(getattr(samples, f"{earlier}_ns"), getattr(samples, f"{later}_ns"), strict=True)
        assert all(0 < before <= after for before, after in pairs)
    backlog = [gauge for gauge in journal.of(Gauge) if gauge.name == "load.open"]
    assert len(backlog) >= 4
    verdicts = judge(journal, CHECKS, {check.id: "N" for check in CHECKS}, PARAMETERS)
    completion = verdicts[1]
    assert completion.outcome is Outcome.INCONCLUSIVE  # 50 sagas prove no 99.9 %
    assert "crashed" not in verdicts[0].reason + completion.reason


def test_arrivals_come_when_their_shape_has_them(platform: Platform, tmp_path: Path) -> None:
    settings = asked(platform, tmp_path, shape="ramp:0-20", duration_s=4.0, warmup_s=1.0)
    load = start_load(platform, settings)
    assert ended(load, deadline_s(settings)) == 0
    run, samples = recorded(sealed(tmp_path))
    assert (run.shape, run.planned, run.not_sent) == ("ramp:0-20", 40, 0)
    begin_ns = samples.origin.begin_ns
    offsets = {i: at - begin_ns for i, at in zip(samples.index, samples.intended_ns, strict=True)}
    assert offsets == dict(enumerate(settings.plan().offsets_ns))
    assert sum(offset < 2e9 for offset in offsets.values()) == 10  # a quarter in the first half
    sent = zip(samples.sent_ns, samples.intended_ns, strict=True)
    assert all(late - intended >= 0 for late, intended in sent)


def test_two_processes_send_one_plan(platform: Platform, tmp_path: Path) -> None:
    settings = asked(platform, tmp_path)
    load = start_load(platform, settings, processes=2)
    assert ended(load, deadline_s(settings) + 10) == 0
    journal = sealed(tmp_path)
    (parts,) = sessions(journal.of(LoadRun))
    assert [(run.part, run.parts, run.sent) for run in parts] == [(0, 2, 25), (1, 2, 25)]
    whole = whole_run(parts, lambda run: journal.raw(run.samples, run.sha256))
    assert sorted(whole.samples.index) == list(range(50))
    assert set(whole.samples.outcome) == {SampleOutcome.OK}
    by_time = sorted(whole.samples.intended_ns)
    gaps_ms = [(later - earlier) / 1e6 for earlier, later in itertools.pairwise(by_time)]
    assert max(abs(gap - 100) for gap in gaps_ms) < 50  # they began at the same moment


@pytest.mark.long
def test_several_processes_end_with_their_master(platform: Platform, tmp_path: Path) -> None:
    settings = asked(platform, tmp_path, duration_s=60.0)
    load = start_load(platform, settings, processes=2)
    time.sleep(6)  # they begin three seconds after the master says so
    load.send_signal(signal.SIGTERM)
    assert ended(load, 20) == 0
    journal = sealed(tmp_path)
    (parts,) = sessions(journal.of(LoadRun))
    whole = whole_run(parts, lambda run: journal.raw(run.samples, run.sha256))
    assert sorted(whole.samples.index) == list(range(600))
    assert whole.run.sent > 0
    assert whole.run.not_sent > 0


def test_sigterm_keeps_what_was_measured(platform: Platform, tmp_path: Path) -> None:
    settings = asked(platform, tmp_path, duration_s=60.0, spacing="poisson", seed=3)
    load = start_load(platform, settings)
    time.sleep(2)  # some arrivals; how many does not matter
    load.send_signal(signal.SIGTERM)
    assert ended(load, 15) == 0
    run, samples = recorded(sealed(tmp_path))
    assert sorted(samples.index) == list(range(run.planned))
    assert run.sent + run.not_sent == run.planned
    assert SampleOutcome.OK in samples.outcome
    left = [samples.causes[cause] for cause in samples.cause if samples.causes[cause]]
    assert set(left) == {INTERRUPTED}
    assert run.not_sent > 400


def test_an_engine_that_disappears_ends_the_run_within_its_deadline(
    doomed_platform: Platform, tmp_path: Path
) -> None:
    settings = asked(doomed_platform, tmp_path, horizon_s=3.0)
    load = start_load(doomed_platform, settings)
    time.sleep(2)  # some arrivals; how many does not matter
    kill(doomed_platform.engine)
    killed_ns = time.monotonic_ns()
    assert ended(load, deadline_s(settings)) == 0
    run, samples = recorded(sealed(tmp_path))
    assert run.rows == run.planned == 50
    outcomes = set(samples.outcome)
    assert SampleOutcome.OK in outcomes
    assert outcomes & {SampleOutcome.INFO, SampleOutcome.FAIL}
    for intended_ns, outcome in zip(samples.intended_ns, samples.outcome, strict=True):
        if intended_ns > killed_ns:
            assert outcome in (SampleOutcome.INFO, SampleOutcome.FAIL)


def test_a_locust_user_is_worth_some_arrivals_a_second(platform: Platform, tmp_path: Path) -> None:
    """The same file without a plan, as an SRE runs it: figures, no verdict."""
    settings = asked(platform, tmp_path, rate_per_s=0.0, duration_s=0.0, per_user_per_s=5.0)
    environment = {**os.environ, **to_environment(settings), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "locust", "-f", str(SAGA), "--headless", "--users", "2",
               "--spawn-rate", "2", "--run-time", "3", "--json"]  # fmt: skip
    load = platform.processes.start(command, env=environment, stdout=subprocess.PIPE)
    output, _ = load.communicate(timeout=30)
    assert load.returncode == 0
    statistics = msgspec.json.decode(output[output.index("[") :])
    counted = {entry["name"]: entry["num_requests"] for entry in statistics}
    journal = sealed(tmp_path)
    run, samples = recorded(journal)
    assert run.mode == "interactive"
    assert run.planned == len(samples) == counted["start"] == counted["saga"] > 10
    assert sorted(samples.index) == list(range(len(samples)))
    verdicts = judge(journal, CHECKS, {check.id: "N" for check in CHECKS}, PARAMETERS)
    assert {verdict.outcome for verdict in verdicts} == {Outcome.INCONCLUSIVE}


@pytest.mark.long
def test_locust_workers_share_the_users_and_confuse_nothing(
    platform: Platform, tmp_path: Path
) -> None:
    """A master and two workers without a plan: each starts workflows of its own ids."""
    settings = asked(platform, tmp_path, rate_per_s=0.0, duration_s=0.0, per_user_per_s=5.0)
    environment = {**os.environ, **to_environment(settings), "PYTHONPATH": str(ROOT)}
    port = str(free_ports(1)[0])
    locust = [sys.executable, "-m", "locust", "-f", str(SAGA)]
    shape = ["--headless", "--expect-workers", "2", "--users", "4", "--run-time", "3s"]
    master = platform.processes.start(
        [*locust, "--master", "--master-bind-port", port, *shape], env=environment
    )
    for _ in range(2):
        platform.processes.start([*locust, "--worker", "--master-port", port], env=environment)
    assert ended(master, 60) == 0
    for _ in range(100):
        if len(list(tmp_path.glob("samples/*.bin"))) == 2 and _footers(tmp_path) == 2:
            break
        time.sleep(0.1)  # the workers end after their master
    journal = sealed(tmp_path)
    (parts,) = sessions(journal.of(LoadRun))
    assert [run.part for run in parts] == [0, 1]
    each = [read_samples(journal.raw(run.samples, run.sha256)) for run in parts]
    assert len({samples.origin.workflow_id_prefix for samples in each}) == 2
    whole = whole_run(parts, lambda run: journal.raw(run.samples, run.sha256))
    assert len(whole.samples) == sum(map(len, each)) > 10
    assert SampleOutcome.OK in whole.samples.outcome


def _footers(trial: Path) -> int:
    return sum(b'"kind":"footer"' in path.read_bytes() for path in trial.glob("journal/*.jsonl"))


def test_without_configuration_it_says_what_to_set() -> None:
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("HARNESS_", "TEMPORAL_"))
    }
    ended = subprocess.run(
        [sys.executable, "-m", "locust", "-f", str(SAGA), "--headless"],
        env={**environment, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 64
    assert ended.stderr.count("\n") == 1
    assert "set TEMPORAL_ADDRESS" in ended.stderr


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1]))
