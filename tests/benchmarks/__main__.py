"""Runs every benchmark once and prints each figure beside its bound and a peer of the same run."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.great_journal import write_great_trial

RECORDS = 1_000_000
PLAIN_DECODE = """
import sys, msgspec
from harness.journal.records import AnyRecord, Footer, Header
raw = open(sys.argv[1] + "/journal/doubles.jsonl", "rb").read()
msgspec.json.Decoder(AnyRecord | Header | Footer).decode_lines(raw)
"""
JUDGE = """
import sys
from pathlib import Path
from harness.judging import judge_trial
judge_trial(Path(sys.argv[1]))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure: what, how much, its bound, and the same of a peer."""

    what: str
    value: float
    unit: str
    bound: float
    peer: str = ""
    peer_value: float = 0.0

    @property
    def line(self) -> str:
        mark = "ok  " if self.value <= self.bound else "OVER"
        text = f"{mark} {self.what}: {self.value:.2f} {self.unit} (bound {self.bound:g})"
        if not self.peer:
            return text
        return (
            f"{text}; {self.peer}: {self.peer_value:.2f}, ratio {self.value / self.peer_value:.1f}"
        )


def timed(command: list[str], times: int = 1) -> float:
    """The least wall seconds of so many runs; one that fails ends the benchmark."""
    best = float("inf")
    for _ in range(times):
        began = time.monotonic()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        best = min(best, time.monotonic() - began)
    return best


def start_up() -> list[Figure]:
    """The command line until it has shown its help, beside a bare interpreter."""
    bare = timed([sys.executable, "-c", "pass"], 10)
    ours = timed([sys.executable, "-m", "harness", "--help"], 10)
    return [Figure(what="harness --help", value=ours, unit="s", bound=0.3,
                   peer="python -c pass", peer_value=bare)]  # fmt: skip


def judging() -> list[Figure]:
    """All checks over a great journal, beside decoding the same lines and nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder) / "great"
        count = write_great_trial(trial, RECORDS)
        plain = timed([sys.executable, "-c", PLAIN_DECODE, str(trial)])
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        seconds = timed([sys.executable, "-c", JUDGE, str(trial)])
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    name = f"{count:,} records judged by all checks"
    return [
        Figure(what=name, value=seconds, unit="s", bound=10, peer="decoding alone",
               peer_value=plain),
        Figure(what="the same, peak memory", value=max(peak, before) / 1024, unit="MiB",
               bound=1024),
    ]  # fmt: skip


def core_drive() -> list[Figure]:
    """`harness verify`: server start, drive, replays, verdicts, report."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "harness", "verify", "--format", "json", "--out",
             f"{folder}/trial"],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        seconds = time.monotonic() - began
    counts = json.loads(done.stdout)["counts"]
    return [Figure(what=f"core profile {counts}", value=seconds, unit="s", bound=60)]


BENCHMARKS: tuple[Callable[[], list[Figure]], ...] = (start_up, judging, core_drive)


def main() -> int:
    """Print all figures; 1 if one is over its bound."""
    over = 0
    for benchmark in BENCHMARKS:
        for figure in benchmark():
            print(figure.line, flush=True)
            over += figure.value > figure.bound
    return int(over > 0)


if __name__ == "__main__":
    sys.exit(main())
