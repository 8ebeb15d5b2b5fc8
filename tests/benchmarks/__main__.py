"""`python -m tests.benchmarks`: how fast the harness itself is, beside a peer in the same run.

Absolute figures are of this machine at this moment; the ratio to the peer travels better. Ends with
1 if a limit is exceeded.
"""

from __future__ import annotations

import json
import math
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.benchmarks import served
from tests.benchmarks.histories import many_histories, multiplied
from tests.benchmarks.journals import large_trial

ROOT = Path(__file__).parents[2]
RECORDS = 1_000_000
HISTORIES = 5_000
STARTS = 11
REPLAYED = 100  # histories of 16 activities, a hundred events
ACTIVITIES = 16
SERVED = 200  # histories of three activities
RUST = "scenarios/reference/rust.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A figure, its limit, and what the same machine needs for something plain."""

    what: str
    measured: float
    limit: float
    unit: str
    peer: str = ""
    peer_measured: float = 0.0
    remark: str = ""

    def beside(self, peer: str, measured: float) -> Row:
        """The same with what a peer took."""
        return replace(self, peer=peer, peer_measured=measured)

    @property
    def over(self) -> bool:
        return self.measured > self.limit

    @property
    def text(self) -> str:
        ratio = f"{self.measured / self.peer_measured:5.1f}" if self.peer_measured else "     "
        peer = f"{self.peer} {self.peer_measured:.2f} {self.unit}" if self.peer else ""
        return (
            f"{self.what:34} {self.measured:9.2f} {self.unit:3} {self.limit:8g}  "
            f"{'OVER' if self.over else 'ok':4}  {ratio}  {peer}"
        )


def main() -> int:
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} cores, load {load:.1f} before; limits are for two quiet cores\n")
    print(f"{'':34} {'measured':>9}     {'limit':>8}        ratio  peer")
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="harness-bench-") as folder:
        for benchmark in (
            starts, judging, replays, over_wire, counting, generating, core_drive,
        ):  # fmt: skip
            for row in benchmark(Path(folder)):
                print(row.text, *([f"\n    {row.remark}"] if row.remark else []), flush=True)
                rows.append(row)
    return int(any(row.over for row in rows))


def starts(_: Path) -> Iterator[Row]:
    """The start of the command line."""
    ours = median_s(lambda: run("-m", "harness", "--help"))
    plain = median_s(lambda: run("-c", "pass"))
    yield Row(
        what="harness --help",
        measured=ours,
        limit=0.3,
        unit="s",
        peer="python -c pass",
        peer_measured=plain,
    )


def judging(folder: Path) -> Iterator[Row]:
    """A million records, in the shares of a drive of the core profile, by all checks."""
    trial = large_trial(folder / "large", RECORDS, HISTORIES).folder
    ours = told("tests.benchmarks.judge", str(trial))
    plain = told("tests.benchmarks.judge", str(trial), "decode")
    size = sum(path.stat().st_size for path in (trial / "journal").iterdir()) >> 20
    slow = ", ".join(f"{name} {took:.1f}" for name, took in ours["slow"].items())
    yield Row(
        what=f"{ours['records']:,} records judged",
        measured=ours["seconds"],
        limit=10.0,
        unit="s",
        peer="plain msgspec decode",
        peer_measured=plain["seconds"],
        remark=f"{size} MiB of journal, {HISTORIES} histories; CPU {ours['cpu_s']:.1f} s: {slow}",
    )
    yield Row(
        what="... peak memory",
        measured=ours["peak_mib"],
        limit=1024.0,
        unit="MiB",
        peer="plain msgspec decode",
        peer_measured=plain["peak_mib"],
    )


def replays(folder: Path) -> Iterator[Row]:
    """A hundred histories of a hundred events: read, stock, strict, in two surroundings."""
    histories = many_histories(folder / "histories", REPLAYED, ACTIVITIES)
    ours, done = taken_s(
        "-m", "harness", "replay", "--workflows", "tests.benchmarks.replayed", "--histories",
        str(histories), "--format", "json",
    )  # fmt: skip
    plain, stock = taken_s("-m", "tests.benchmarks.stock", str(histories))
    yield Row(
        what=f"harness replay, {REPLAYED} histories",
        measured=ours,
        limit=5.0,
        unit="s",
        peer="stock Replayer, one pass",
        peer_measured=plain,
        remark=f"exit codes {done.returncode} and {stock.returncode}; {counts(done.stdout)}",
    )


def over_wire(folder: Path) -> Iterator[Row]:
    """Histories of three activities before the replay frontend: Python, and Rust if it is built."""
    python = many_histories(folder / "three", SERVED, served.ACTIVITIES)
    plain, _ = taken_s("-m", "tests.benchmarks.stock", str(python), "tests.benchmarks.served")
    yield served_row("Python", f"{sys.executable} -m tests.benchmarks.served", python, 50.0).beside(
        "stock Replayer", plain / SERVED * 1000
    )
    trial = folder / "rust"
    if (
        run(
            "-m",
            "harness",
            "verify",
            "INV-DET-9",
            "--target",
            RUST,
            "--no-show",
            "--out",
            str(trial),
        ).returncode
        == 0
    ):
        many = multiplied(trial, folder / "three-rust", SERVED, served.ACTIVITIES)
        yield served_row("Rust", "scenarios/reference/rust/start", many, 10.0)


def served_row(language: str, command: str, histories: Path, limit_ms: float) -> Row:
    """Milliseconds for each history once the worker polls, warm."""
    done = run(
        "-m", "harness", "replay", "--worker", command, "--histories", str(histories),
        "--mode", "warm", "--format", "json",
    )  # fmt: skip
    found = re.search(r"(\d+) histories in ([\d.]+) s once", done.stderr)
    each_ms = float(found[2]) / int(found[1]) * 1000 if found else math.inf
    return Row(
        what=f"replay frontend, {language}, a history",
        measured=each_ms,
        limit=limit_ms,
        unit="ms",
        remark=f"exit code {done.returncode}; {1000 / each_ms:.0f} histories a second",
    )


def counting(_: Path) -> Iterator[Row]:
    """What the counting proxy adds to a round trip of 2,000 bytes, and how much goes through it."""
    found = told("tests.benchmarks.counted")
    for share, limit in (("p50", 0.3), ("p99", 1.0)):
        direct = found[f"direct_{share}_ms"]
        yield Row(
            what=f"counting proxy, added at {share}",
            measured=found[f"counted_{share}_ms"] - direct,
            limit=limit,
            unit="ms",
            peer="round trip without it",
            peer_measured=direct,
        )
    yield Row(
        what="counting proxy, a MB each way",
        measured=1000 / found["counted_mb_per_s"],
        limit=10.0,
        unit="ms",
        peer="without it",
        peer_measured=1000 / found["direct_mb_per_s"],
        remark=f"{found['counted_mb_per_s']:.0f} MB/s in each direction at once",
    )


def generating(_: Path) -> Iterator[Row]:
    """What the load generator costs and adds, and what it says of a server that stalls."""
    found = told("tests.benchmarks.generating")
    yield Row(
        what="generator, CPU for 1,000 starts",
        measured=found["ours_cpu_s_per_1000"],
        limit=1.3 * found["bare_cpu_s_per_1000"],
        unit="s",
        peer="bare loop, same client",
        peer_measured=found["bare_cpu_s_per_1000"],
    )
    yield Row(
        what="generator, added at p99",
        measured=found["ours_p99_ms"] - found["bare_p99_ms"],
        limit=1.0,
        unit="ms",
        peer="bare loop, same client",
        peer_measured=found["bare_p99_ms"],
    )
    for name, share in (("p99_9", "p99.9"), ("p95", "p95")):
        truth, seen = found[f"truth_{name}_ms"], found[f"seen_{name}_ms"]
        yield Row(
            what=f"a stall of 1 s, {share} off the truth",
            measured=100 * abs(seen - truth) / truth,
            limit=2.0,
            unit="%",
            remark=f"the server knows {truth:.1f} ms, we say {seen:.1f} ms, "
            f"a stock Locust file {found[f'locust_{name}_ms']:.1f} ms",
        )


def taken_s(*argv: str) -> tuple[float, subprocess.CompletedProcess[str]]:
    began = time.perf_counter()
    done = run(*argv)
    return time.perf_counter() - began, done


def core_drive(folder: Path) -> Iterator[Row]:
    """The core profile on the reference platform: start, drive, verdicts, report."""
    began = time.perf_counter()
    done = run("-m", "harness", "verify", "--format", "json", "--out", str(folder / "core"))
    yield Row(
        what="harness verify (core)",
        measured=time.perf_counter() - began,
        limit=60.0,
        unit="s",
        remark=f"exit code {done.returncode}, {counts(done.stdout)}",
    )


def counts(out: str) -> str:
    """How many verdicts of each outcome, and what is not green by name."""
    try:
        told = json.loads(out)
        found: dict[str, int] = told["counts"]
    except (ValueError, KeyError):
        return "no summary"
    red = [
        f"{each['id']}: {each['reason']}"
        for each in told.get("verdicts", ())
        if each["outcome"] in ("fail", "inconclusive")
    ]
    return "; ".join([", ".join(f"{count} {outcome}" for outcome, count in found.items()), *red])


def run(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *argv], cwd=ROOT, capture_output=True, text=True, check=False
    )


def told(module: str, *argv: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("-m", module, *argv).stdout)
    return found


def median_s(once: Callable[[], object]) -> float:
    taken = []
    for _ in range(STARTS):
        began = time.perf_counter()
        once()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


if __name__ == "__main__":
    sys.exit(main())
