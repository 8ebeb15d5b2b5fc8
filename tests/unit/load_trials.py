"""Load runs made by hand: as columns in memory, and as sealed trials on disk."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy
from numpy.random import Generator
from numpy.typing import NDArray

from harness.journal.manifest import COMPLETE, file_entry, write_manifest
from harness.journal.read import hand_made_manifest
from harness.journal.records import LoadRun
from harness.journal.write import SegmentWriter
from harness.load.engine import Sample
from harness.load.samples import COLUMNS, Origin, SampleOutcome, Samples, encode
from harness.load.whole import WholeRun

BEGIN_NS = 1_000_000_000_000
MS = 1_000_000
RATE_PER_S = 10.0
Latencies = NDArray[numpy.float64]


def origin(**fields: Any) -> Origin:
    given: dict[str, Any] = {
        "trial_id": "t",
        "workload": "saga",
        "workflow_id_prefix": "load-t",
        "tenants": ["alpha"],
        "begin_ns": BEGIN_NS,
        "begin_wall_ns": 0,
        "horizon_s": 60.0,
        "settings": {"spacing": "even", "weights": {"alpha": 1}, "seed": 1, "address": "a:1"},
    }
    return Origin(**{**given, **fields})


def load_run(count: int, **fields: Any) -> LoadRun:
    given: dict[str, Any] = {
        "at_ns": 1,
        "wall_ns": 1,
        "workload": "saga",
        "mode": "planned",
        "rate_per_s": RATE_PER_S,
        "duration_s": count / RATE_PER_S,
        "warmup_s": 0.0,
        "seed": 1,
        "planned": count,
        "sent": count,
        "not_sent": 0,
        "lateness_p99_ns": 0,
        "lateness_max_ns": 0,
        "cpu_share": 0.1,
        "samples": "samples/load.bin",
        "rows": count,
        "sha256": "",
    }
    return LoadRun(**{**given, **fields})


def samples(start_ms: Sequence[float], end_ms: Sequence[float], late_ms: float = 0) -> list[Sample]:
    """Arrivals that were acknowledged and ended so long after their intended time; inf: never."""
    found = []
    for index, (start, end) in enumerate(zip(start_ms, end_ms, strict=True)):
        intended = BEGIN_NS + round(index * 1e9 / RATE_PER_S)
        ended = end < numpy.inf
        found.append(
            Sample(
                index=index,
                tenant=0,
                intended_ns=intended,
                sent_ns=intended + round(late_ms * MS),
                answered_ns=intended + round(start * MS) if start < numpy.inf else 0,
                completed_ns=intended + round(end * MS) if ended else 0,
                attempts=1,
                outcome=SampleOutcome.OK if ended else SampleOutcome.FAIL,
                cause="" if ended else "lost",
            )
        )
    return found


def sealed(
    folder: Path,
    rows: Sequence[Sample],
    *,
    arm: str = "load",
    ended: str = COMPLETE,
    started_s: int = 0,
    environment: dict[str, str] | None = None,
    origins: dict[str, Any] | None = None,
    runs: int = 1,
    **fields: Any,
) -> Path:
    """A sealed trial with load runs of these rows; `fields` are of its `LoadRun`."""
    for name in ("journal", "samples"):
        (folder / name).mkdir(parents=True)
    raw = encode(origin(**(origins or {})), rows)
    (folder / "samples" / "load.bin").write_bytes(raw)
    writer = SegmentWriter(folder / "journal", "load", folder.name)
    for number in range(1, runs + 1):
        digest = hashlib.sha256(raw).hexdigest()
        writer.write(load_run(len(rows), sha256=digest, session=number, **fields))
    writer.close()
    segment = file_entry(folder, folder / "journal" / "load.jsonl", runs)
    manifest = hand_made_manifest(
        trial_id=folder.name,
        arm=arm,
        ended=ended,
        started_wall_ns=started_s * 10**9,
        environment=environment or {"system": "Linux", "cores": "2"},
        files=[segment, file_entry(folder, folder / "samples" / "load.bin", 0)],
    )
    write_manifest(folder, manifest)
    return folder


def in_memory(start_ms: Latencies, end_ms: Latencies) -> WholeRun:
    """The same as columns."""
    count = len(start_ms)
    intended = BEGIN_NS + numpy.round(numpy.arange(count) * 1e9 / RATE_PER_S)
    columns = {
        "index": numpy.arange(count),
        "intended_ns": intended,
        "sent_ns": intended,
        "first_attempt_ns": intended + start_ms * MS,
        "answered_ns": intended + start_ms * MS,
        "completed_ns": intended + end_ms * MS,
        "outcome": numpy.full(count, SampleOutcome.OK),
    }
    empty = numpy.zeros(count)
    packed = {
        name: array(code, columns.get(name, empty).astype(code).tobytes()) for name, code in COLUMNS
    }
    return WholeRun(load_run(count), Samples(origin=origin(), causes=("",), **packed))


def drawn(
    random: Generator, slower: float = 1.0, requests: int = 600, spread: float = 0.03
) -> tuple[Latencies, Latencies]:
    """The latencies of starts and completions in a run, ms, as on a shared machine.

    All requests of a run share its speed, which varies by `spread` (standard deviation of the
    logarithm) from run to run. Starts are lognormal around 12 ms (0.5); stalls, two a run on
    average, slow ten starts in a row threefold; completions come 200 ms later (0.15).
    """
    speed = slower * numpy.exp(random.normal(0, spread))
    start = 12 * numpy.exp(random.normal(0, 0.5, requests))
    for first in random.integers(0, requests, random.poisson(2)):
        start[first : first + 10] *= 3
    return start * speed, (start + 200 * numpy.exp(random.normal(0, 0.15, requests))) * speed
