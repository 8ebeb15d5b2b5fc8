"""What the load process leaves in its trial: a segment with gauges and `LoadRun`, and the samples.

Everything goes to disk as it comes, so memory does not grow with the run, but for eight bytes an
arrival: its lateness, of which `LoadRun` states percentiles.
"""

from __future__ import annotations

import hashlib
import time
from array import array
from collections.abc import Iterable, Sequence
from typing import Final

from harness.journal.manifest import JOURNAL, SAMPLES
from harness.journal.records import Gauge, LoadRun, now
from harness.journal.write import SegmentWriter
from harness.load.engine import WHOLE, Part, Sample
from harness.load.health import Collections, Cpu, Stalls
from harness.load.samples import Encoder, Origin
from harness.load.settings import Settings
from harness.statistics import percentile

WRITER: Final = "load"
OPEN: Final = "load.open"  # arrivals sent and not ended: the backlog
SENT_PER_S: Final = "load.sent_per_s"
ENDED_PER_S: Final = "load.ended_per_s"
LATENESS_MAX_MS: Final = "load.lateness_max_ms"
STALL_MAX_MS: Final = "load.stall_max_ms"  # of the event loop
CPU_SHARE: Final = "load.cpu_share"  # of one core
_GAUGE_EVERY_NS: Final = 1_000_000_000
_BATCH: Final = 10_000


class Recorder:
    """Records one run. Raises `OSError` when the disk is full or not writable.

    A second run of the same process writes `load-2.jsonl` and `load-2.bin`, and so on; one part of
    a run in several processes `load-part-1.jsonl`.
    """

    def __init__(self, settings: Settings, run: int, origin: Origin, part: Part = WHOLE) -> None:
        assert settings.trial is not None
        self._settings = settings
        self._origin = origin
        self._run = run
        self._part = part
        name = WRITER if run == 1 else f"{WRITER}-{run}"
        if part.of != 1:
            name += f"-part-{part.number + 1}"
        self._path = f"{SAMPLES}/{name}.bin"
        for folder in (JOURNAL, SAMPLES):
            (settings.trial / folder).mkdir(parents=True, exist_ok=True)
        self._segment = SegmentWriter(settings.trial / JOURNAL, name, settings.trial_id)
        self._file = (settings.trial / self._path).open("xb")
        self._digest = hashlib.sha256()
        self._encoder = Encoder()
        self._lateness_ns = array("q")
        self._sent = self._not_sent = 0
        self._window = _Window()
        self._cpu = Cpu()
        self._stalls = Stalls()
        self._collections = Collections()
        self._append(self._encoder.begin(origin))

    def write(self, ended: Sequence[Sample]) -> None:
        """Append the rows of samples that have ended."""
        for sample in ended:
            if sample.sent_ns:
                lateness_ns = sample.sent_ns - sample.intended_ns
                self._lateness_ns.append(lateness_ns)
                self._window.lateness_ns = max(self._window.lateness_ns, lateness_ns)
                self._sent += 1
            else:
                self._not_sent += 1
        self._window.ended += len(ended)
        self._append(self._encoder.block(ended))

    def write_all(self, leftover: Iterable[Sample]) -> None:
        """Append rows of any number of samples, a batch at a time."""
        batch: list[Sample] = []
        for sample in leftover:
            batch.append(sample)
            if len(batch) == _BATCH:
                self.write(batch)
                batch = []
        self.write(batch)

    def stalled(self, stalls_ns: Iterable[int]) -> None:
        """Take how much later than asked the loop woke up."""
        self._stalls.add(stalls_ns)

    def gauge(self, unfinished: int, sent: int) -> None:
        """Record the gauges, if a second has gone by since the last time."""
        window = self._window
        passed_ns = time.monotonic_ns() - window.since_ns
        if passed_ns < _GAUGE_EVERY_NS:
            return
        passed_s = passed_ns / 1e9
        values = {
            OPEN: float(unfinished),
            SENT_PER_S: (sent - window.sent) / passed_s,
            ENDED_PER_S: window.ended / passed_s,
            LATENESS_MAX_MS: window.lateness_ns / 1e6,
            STALL_MAX_MS: self._stalls.worst_ns() / 1e6,
            CPU_SHARE: self._cpu.share(),
        }
        for name, value in values.items():
            self._segment.write(Gauge(**now(), name=name, value=round(value, 3)))
        self._segment.flush()
        self._window = _Window(sent=sent)

    def close(self, planned: int | None) -> LoadRun:
        """Finish both files; `planned` None means that there was no plan, only what came."""
        self._append(self._encoder.end())
        self._file.close()
        self._collections.close()
        lateness = sorted(self._lateness_ns)
        settings = self._settings
        run = LoadRun(
            **now(),
            workload=self._origin.workload,
            mode=settings.mode,
            rate_per_s=settings.rate_per_s,
            shape=settings.shape,
            duration_s=settings.duration_s,
            warmup_s=settings.cut_s,
            seed=settings.seed,
            session=self._run,
            part=self._part.number,
            parts=self._part.of,
            planned=self._encoder.rows if planned is None else planned,
            sent=self._sent,
            not_sent=self._not_sent,
            lateness_p99_ns=percentile(lateness, 0.99) if lateness else 0,
            lateness_max_ns=lateness[-1] if lateness else 0,
            stall_p99_ns=self._stalls.p99_ns,
            stall_max_ns=self._stalls.max_ns,
            gc_pause_max_ns=self._collections.max_ns,
            gc_pause_total_ns=self._collections.total_ns,
            cpu_share=round(self._cpu.share(whole=True), 4),
            samples=self._path,
            rows=self._encoder.rows,
            sha256=self._digest.hexdigest(),
        )
        self._segment.write(run)
        self._segment.close()
        return run

    def _append(self, raw: bytes) -> None:
        self._file.write(raw)
        self._file.flush()
        self._digest.update(raw)


class _Window:
    """What happened since the gauges were last recorded."""

    def __init__(self, sent: int = 0) -> None:
        self.since_ns = time.monotonic_ns()
        self.sent = sent
        self.ended = 0
        self.lateness_ns = 0
