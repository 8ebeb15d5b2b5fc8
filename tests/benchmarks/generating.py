"""`python -m tests.benchmarks.generating`: what the load generator costs, and whether it tells the
truth. Prints JSON.

- CPU for a thousand starts and latency at p99, beside a bare loop on the same client, in turns;
- p95 and p99.9 of a run in which the server stalls for a second, beside the truth that the server
  knows, and beside a stock Locust file.
"""

from __future__ import annotations

import contextlib
import json
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from harness.journal.records import Footer, Header, LoadRun
from harness.load.run import locust_command
from harness.load.samples import Samples, read_samples
from harness.load.settings import Settings, Tenant
from harness.statistics import percentile

ROOT = Path(__file__).parents[2]
START = ROOT / "scenarios" / "load" / "start.py"
TENANT = Tenant(tenant="alpha", namespace="default", task_queue="q")
RATE_PER_S, DURATION_S, TURNS = 200.0, 10.0, 3
STALLED_RATE_PER_S, STALLED_S = 100.0, 20.0
USERS = 20  # at five a second each: the same rate
SHARES = {"p95": 0.95, "p99_9": 0.999}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps({**_cost(Path(folder)), **_stall(Path(folder))}))


def _cost(folder: Path) -> dict[str, float]:
    ours: list[dict[str, float]] = []
    bare: list[dict[str, float]] = []
    for turn in range(TURNS):
        with stub(folder / f"cost-{turn}.json") as ports:
            run, samples = generated(folder / f"cost-{turn}", ports["grpc"], RATE_PER_S, DURATION_S)
            latencies = sorted(
                b - a for a, b in zip(samples.intended_ns, samples.answered_ns, strict=True) if b
            )
            ours.append(
                {
                    "cpu_s_per_1000": 1000 * run["cpu_s"] / run["sent"],
                    "p99_ms": percentile(latencies, 0.99) / 1e6,
                }
            )
        with stub(folder / f"bare-{turn}.json") as ports:
            address = f"127.0.0.1:{ports['grpc']}"
            told = json.loads(python("tests.benchmarks.bare", address, RATE_PER_S, DURATION_S))
            bare.append(
                {
                    "cpu_s_per_1000": 1000 * told["cpu_s"] / told["starts"],
                    "p99_ms": told["p99_ms"],
                }
            )
    return {
        f"{name}_{figure}": statistics.median(each[figure] for each in some)
        for name, some in (("ours", ours), ("bare", bare))
        for figure in some[0]
    }


def _stall(folder: Path) -> dict[str, float]:
    truth_file = folder / "truth.json"
    with stub(truth_file, stall_after_s=STALLED_S / 2, stall_s=1.0) as ports:
        _, samples = generated(folder / "stalled", ports["grpc"], STALLED_RATE_PER_S, STALLED_S)
    answered = json.loads(truth_file.read_text())
    truth = sorted(
        answered[samples.origin.workflow_id(index)] - intended_ns
        for index, intended_ns in zip(samples.index, samples.intended_ns, strict=True)
    )
    seen = sorted(b - a for a, b in zip(samples.intended_ns, samples.answered_ns, strict=True))
    with stub(folder / "closed.json", stall_after_s=STALLED_S / 2, stall_s=1.0) as ports:
        closed = closed_loop(ports["http"])
    return {
        **{f"truth_{name}_ms": percentile(truth, share) / 1e6 for name, share in SHARES.items()},
        **{f"seen_{name}_ms": percentile(seen, share) / 1e6 for name, share in SHARES.items()},
        **{f"locust_{name}_ms": percentile(closed, share) for name, share in SHARES.items()},
    }


@contextlib.contextmanager
def stub(out: Path, stall_after_s: float = 1e9, stall_s: float = 0.0) -> Iterator[dict[str, int]]:
    """The ports of a stub, which ends with the block and then has written what it knows."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.benchmarks.stub", str(out)),
            *(str(stall_after_s), str(stall_s)),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def generated(
    trial: Path, port: int, rate_per_s: float, duration_s: float
) -> tuple[dict[str, Any], Samples]:
    """A planned run of our generator: starts sent, CPU seconds while it ran, and its samples."""
    settings = Settings(
        address=f"127.0.0.1:{port}",
        tenants=(TENANT,),
        rate_per_s=rate_per_s,
        duration_s=duration_s,
        trial=trial,
        trial_id=trial.name,
    )
    command, environment = locust_command(settings, locust_file=START)
    subprocess.run(
        command, env=environment, cwd=ROOT, check=True, capture_output=True, start_new_session=True
    )
    lines = (trial / "journal" / "load.jsonl").read_bytes().splitlines()
    header = msgspec.json.decode(lines[0], type=Header)
    run = msgspec.json.decode(lines[-2], type=LoadRun)
    msgspec.json.decode(lines[-1], type=Footer)
    passed_s = (run.at_ns - header.at_ns) / 1e9
    samples = read_samples((trial / run.samples).read_bytes())
    return {"sent": run.sent, "cpu_s": run.cpu_share * passed_s}, samples


def closed_loop(port: int) -> list[int]:
    """The response times in ms, as a stock Locust file keeps them."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "locust", "-f", "tests/benchmarks/closed_loop.py"),
            *("--headless", "--host", f"http://127.0.0.1:{port}", "--users", str(USERS)),
            *("--spawn-rate", str(USERS), "--run-time", f"{STALLED_S:g}s", "--json"),
            *("--loglevel", "CRITICAL"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )
    (stats,) = json.loads(done.stdout)
    counts = {int(float(ms)): count for ms, count in stats["response_times"].items()}
    return sorted(ms for ms, count in counts.items() for _ in range(count))


def python(module: str, *argv: object) -> str:
    """What a module of this folder prints."""
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, argv)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        start_new_session=True,
    )
    return done.stdout


if __name__ == "__main__":
    main()
