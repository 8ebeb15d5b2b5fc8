"""The raw samples of a load run, as columns: the only module that knows how they are stored."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from harness.journal.records import LoadRun
from harness.load.samples import INTERRUPTED, SampleOutcome
from harness.load.samples import Samples as Recorded
from harness.load.whole import whole_run

Column = NDArray[Any]

COMPLETED: Final = "run_completed"
# What can be meant by the latency of a start, as declared; and the end of the run beside it.
READINGS: Final[Mapping[str, str]] = {
    "start_rpc_first_attempt": "first_attempt_ns",
    "user_perceived": "answered_ns",
    "first_task_completed": "first_task_ns",
    COMPLETED: "completed_ns",
}
OK: Final = int(SampleOutcome.OK)
OUTCOMES: Final[Mapping[int, str]] = {
    OK: "completed",
    SampleOutcome.FAIL: "failed",
    SampleOutcome.INFO: "unknown",
    SampleOutcome.NOT_SENT: "not sent",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """One row for each planned arrival; monotonic nanoseconds, 0 for what did not happen.

    `ends` holds for each reading the moment that it counts to; `cause` numbers `causes`;
    `told_to_stop` marks what was not sent because the run was ended from outside.
    """

    begin_ns: int
    intended_ns: Column
    sent_ns: Column
    ends: Mapping[str, Column]
    outcome: Column
    cause: Column
    causes: tuple[str, ...]
    told_to_stop: Column

    def __len__(self) -> int:
        return len(self.intended_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """The arrivals of one operation: how many, what became of them, how soon they were answered.

    `answered_ns` ascends, from the intended time, and leaves out what was never answered.
    """

    name: str
    arrivals: int
    failed: int
    answered_ns: Column


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A run as it is drawn: all its processes as one.

    `samples` are of what the run is about: its starts, where it has any, else its reads, else all.
    """

    run: LoadRun
    about: str
    samples: Samples
    operations: tuple[Operation, ...]


STARTS: Final = ("RUN", "START")
READS: Final = ("QUERY", "DESCRIBE", "HISTORY", "LIST", "COUNT")
_ABOUT: Final = {"starts": STARTS, "reads": READS}


def decode(parts: Sequence[LoadRun], raw: Callable[[LoadRun], bytes]) -> Drawn:
    """A run of the records of its processes; raises the matching `EvidenceError`."""
    whole = whole_run(parts, raw)
    kinds = set(whole.samples.origin.kinds)
    about = next((name for name, some in _ABOUT.items() if kinds & {*some}), "calls")
    chosen = whole.samples.of(_ABOUT.get(about, tuple(kinds)))
    return Drawn(
        run=whole.run,
        about=about,
        samples=_columns(chosen),
        operations=tuple(_operation(whole.samples, name) for name in chosen.origin.operations),
    )


def _operation(samples: Recorded, name: str) -> Operation:
    rows = samples.of((name,))
    answered, outcome = _column(rows.answered_ns), _column(rows.outcome)
    took = (answered - _column(rows.intended_ns))[answered > 0]
    return Operation(
        name=name,
        arrivals=len(rows),
        failed=int((outcome != OK).sum()),
        answered_ns=np.sort(took),
    )


def _columns(read: Recorded) -> Samples:
    outcome, cause = _column(read.outcome), _column(read.cause)
    stops = [number for number, name in enumerate(read.causes) if name == INTERRUPTED]
    return Samples(
        begin_ns=read.origin.begin_ns,
        intended_ns=_column(read.intended_ns),
        sent_ns=_column(read.sent_ns),
        ends={reading: _column(getattr(read, name)) for reading, name in READINGS.items()},
        outcome=outcome,
        cause=cause,
        causes=read.causes,
        told_to_stop=(outcome == SampleOutcome.NOT_SENT) & np.isin(cause, stops),
    )


def _column(values: array[int]) -> Column:
    return np.frombuffer(values, dtype=np.dtype(values.typecode)) if values else np.empty(0, int)
