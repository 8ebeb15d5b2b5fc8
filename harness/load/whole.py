"""A load run as a whole: of the records and samples of its processes."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from harness.errors import TamperedJournal
from harness.journal.records import LoadRun
from harness.load.samples import COLUMNS, MOST_CAUSES, OTHER, SampleOutcome, Samples, read_samples

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Column = NDArray[Any]

PROCESS_LOST: Final = "process_lost"  # the process that was to send it has left no record
TIMES: Final = (
    "intended_ns",
    "sent_ns",
    "first_attempt_ns",
    "answered_ns",
    "first_task_ns",
    "completed_ns",
)


class WholeRun(NamedTuple):
    """All parts of a run: what was planned and sent in all, and the samples of all arrivals.

    `lost` are the parts of which nothing is recorded; their arrivals are rows that were not sent.
    """

    run: LoadRun
    samples: Samples
    lost: tuple[int, ...] = ()


def sessions(runs: Iterable[LoadRun]) -> list[list[LoadRun]]:
    """The records of each run, its parts in their order."""
    found: dict[int, list[LoadRun]] = {}
    for run in sorted(runs, key=lambda run: (run.session, run.part)):
        found.setdefault(run.session, []).append(run)
    return list(found.values())


def whole_run(parts: Sequence[LoadRun], raw: Callable[[LoadRun], bytes]) -> WholeRun:
    """One run of its parts' records; `raw` gives the bytes of their samples.

    Raises what `read_samples` does, and `TamperedJournal` for parts that do not belong together.
    """
    first = parts[0]
    if len(parts) == 1 and first.parts <= 1:
        return WholeRun(first, read_samples(raw(first)))
    numbers = [part.part for part in parts]
    alike = {
        (part.parts, part.planned if part.parts else 0, part.workload, part.shape, part.seed)
        for part in parts
    }
    if len(alike) > 1 or len({*numbers}) < len(numbers):
        raise TamperedJournal(f"{first.samples}: its parts are not of one run")
    lost = tuple(number for number in range(first.parts) if number not in numbers)
    merged = _merged([read_samples(raw(part)) for part in parts])
    if lost and first.mode == "planned":
        merged = _with_lost(merged, lost, first.parts, first.planned)
    return WholeRun(_summed(parts), merged, lost)


def _summed(parts: Sequence[LoadRun]) -> LoadRun:
    """What all processes did; the worst of what each says of itself."""
    first = parts[0]
    sent = sum(part.sent for part in parts)
    planned = first.planned if first.mode == "planned" else sum(part.planned for part in parts)
    return msgspec.structs.replace(
        first,
        planned=planned,
        sent=sent,
        not_sent=planned - sent,
        rows=sum(part.rows for part in parts),
        lateness_p99_ns=max(part.lateness_p99_ns for part in parts),
        lateness_max_ns=max(part.lateness_max_ns for part in parts),
        stall_p99_ns=max(part.stall_p99_ns for part in parts),
        stall_max_ns=max(part.stall_max_ns for part in parts),
        gc_pause_max_ns=max(part.gc_pause_max_ns for part in parts),
        gc_pause_total_ns=max(part.gc_pause_total_ns for part in parts),
        cpu_share=max(part.cpu_share for part in parts),
    )


def _merged(parts: Sequence[Samples]) -> Samples:
    """The rows of all parts, times counted as the first part's clock does, causes by one table."""
    import numpy

    first = parts[0]
    causes = list(first.causes)
    pieces: dict[str, list[Column]] = {name: [] for name, _ in COLUMNS}
    for part in parts:
        ahead_ns = first.origin.begin_ns - part.origin.begin_ns
        numbers = numpy.array([_number(causes, name) for name in part.causes], dtype=numpy.uint8)
        for name, code in COLUMNS:
            values = numpy.frombuffer(getattr(part, name), dtype=numpy.dtype(code))
            if name in TIMES:
                values = numpy.where(values > 0, values + ahead_ns, values)
            pieces[name].append(numbers[values] if name == "cause" else values)
    return _samples(first, causes, {name: numpy.concatenate(each) for name, each in pieces.items()})


def _number(causes: list[str], name: str) -> int:
    if name not in causes:
        if len(causes) >= MOST_CAUSES:
            name = OTHER if OTHER in causes else causes[-1]
        else:
            causes.append(name)
    return causes.index(name)


def _with_lost(samples: Samples, lost: Sequence[int], of: int, planned: int) -> Samples:
    """The samples with a row for each arrival of the lost parts; when it was meant for is reckoned
    from its neighbours'."""
    import numpy

    missing = numpy.concatenate([numpy.arange(number, planned, of) for number in lost])
    index = numpy.frombuffer(samples.index, dtype=numpy.uint32)
    intended = numpy.frombuffer(samples.intended_ns, dtype=numpy.int64)
    order = numpy.argsort(index)
    rows: dict[str, Column] = {name: numpy.zeros(len(missing)) for name, _ in COLUMNS}
    rows["index"] = missing
    rows["intended_ns"] = numpy.interp(missing, index[order], intended[order])
    rows["outcome"] = numpy.full(len(missing), SampleOutcome.NOT_SENT)
    causes = list(samples.causes)
    rows["cause"] = numpy.full(len(missing), _number(causes, PROCESS_LOST))
    columns = {
        name: numpy.concatenate(
            [
                numpy.frombuffer(getattr(samples, name), dtype=numpy.dtype(code)),
                rows[name].astype(numpy.dtype(code)),
            ]
        )
        for name, code in COLUMNS
    }
    return _samples(samples, causes, columns)


def _samples(like: Samples, causes: Sequence[str], columns: dict[str, Column]) -> Samples:
    packed = {
        name: array(code, columns[name].astype(code, copy=False).tobytes())
        for name, code in COLUMNS
    }
    return Samples(origin=like.origin, causes=tuple(causes), **packed)
