"""Raw samples: one row for each planned arrival, as binary columns in the order of their ends.

A samples file is (all integers little-endian, times CLOCK_MONOTONIC in nanoseconds, 0 for "did not
happen"):

    magic    8 bytes  b"HSAMPLE\\n"
    version  u16
    header   u32 length, then JSON: `Origin`
    blocks   4 bytes of kind, u32 count, then
        ROWS  `count` rows: the columns of `COLUMNS` one after the other, `count` values each
              (in version 1 without `operation`)
        NAME  `count` bytes of UTF-8: the name of the next cause; the causes are numbered from 1
        DONE  `count` is the number of rows in the file; the last block

Rows are appended as arrivals end, so a file is complete but for its last block at any moment.
"""

from __future__ import annotations

import enum
import struct
import sys
from array import array
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from harness.errors import TamperedJournal, TruncatedJournal, UnknownJournalVersion

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Column = NDArray[Any]

MAGIC: Final = b"HSAMPLE\n"
VERSION: Final = 2
COLUMNS: Final[tuple[tuple[str, str], ...]] = (
    ("index", "I"),  # of the arrival in its plan
    ("intended_ns", "q"),
    ("sent_ns", "q"),
    ("first_attempt_ns", "q"),  # the first attempt of the start was acknowledged
    ("answered_ns", "q"),  # the start was acknowledged, by whichever attempt
    ("first_task_ns", "q"),  # the completion of the first workflow task was seen
    ("completed_ns", "q"),  # the end of the run was seen
    ("tenant", "H"),  # position in `Origin.tenants`
    ("operation", "B"),  # position in `Origin.operations`
    ("attempts", "H"),  # of the start
    ("outcome", "B"),  # `SampleOutcome`
    ("cause", "B"),  # number of a NAME, 0 for none
)
ONE_OPERATION: Final = 1  # the version whose files had one operation only, the saga
MOST_CAUSES: Final = 255

# Causes that the generator itself gives; all others come from the platform's answers.
HORIZON: Final = "horizon"  # not ended when the run's horizon was reached
INTERRUPTED: Final = "interrupted"  # the generator was told to stop: nothing is known of it
GENERATOR: Final = "generator"  # a bug of the generator: nothing is known of it
CAPACITY: Final = "in_flight_cap"  # not sent: too many were in flight
LOST: Final = "lost"  # the start was acknowledged and the engine knows nothing of it
FAILURE: Final = "failure:"  # the run failed; the failure's type follows
OTHER: Final = "other"  # the table of causes is full

_PREFIX = struct.Struct("<8sHI")
_BLOCK = struct.Struct("<4sI")


class SampleOutcome(enum.IntEnum):
    """What became of an arrival; `INFO` may or may not have taken effect or ended well."""

    OK = 1
    FAIL = 2
    INFO = 3
    NOT_SENT = 4


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where samples come from: the header of their file.

    The workflow id of a row is `{workflow_id_prefix}-{index}`. `horizon_s` is how long after its
    intended start the end of a run was waited for; `follows_first_task` says whether the column
    `first_task_ns` was measured at all. `operations` are those of the workload, and `volumes` how
    many runs each tenant's namespace held when the load began, where that was counted. `kinds` are
    the names of their `workload.Kind`.
    """

    trial_id: str
    workload: str
    workflow_id_prefix: str
    tenants: list[str]
    begin_ns: int
    begin_wall_ns: int
    horizon_s: float
    follows_first_task: bool = False
    operations: list[str] = msgspec.field(default_factory=lambda: ["saga"])
    kinds: list[str] = msgspec.field(default_factory=lambda: ["RUN"])
    volumes: list[int] = []
    settings: dict[str, Any] = {}

    def workflow_id(self, index: int) -> str:
        """The workflow id of the arrival with this index."""
        return f"{self.workflow_id_prefix}-{index}"


class Ended(Protocol):
    """An arrival that has ended: what a row is made of."""

    index: int
    intended_ns: int
    sent_ns: int
    first_attempt_ns: int
    answered_ns: int
    first_task_ns: int
    completed_ns: int
    tenant: int
    operation: int
    attempts: int
    outcome: SampleOutcome
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """The columns of a samples file; `causes` gives the name of each value of `cause`."""

    origin: Origin
    causes: tuple[str, ...]
    index: array[int]
    intended_ns: array[int]
    sent_ns: array[int]
    first_attempt_ns: array[int]
    answered_ns: array[int]
    first_task_ns: array[int]
    completed_ns: array[int]
    tenant: array[int]
    operation: array[int]
    attempts: array[int]
    outcome: array[int]
    cause: array[int]

    def __len__(self) -> int:
        return len(self.index)

    def of(self, choice: Collection[str]) -> Samples:
        """The rows of the operations of these kinds (`RUN`) or names (`saga`), in their order."""
        import numpy

        both = zip(self.origin.kinds, self.origin.operations, strict=True)
        chosen = [number for number, names in enumerate(both) if {*names} & {*choice}]
        if len(chosen) == len(self.origin.kinds):
            return self
        return self.where(numpy.isin(numpy.frombuffer(self.operation, dtype=numpy.uint8), chosen))

    def where(self, mask: Column) -> Samples:
        """The rows of a mask, in their order."""
        import numpy

        columns = {}
        for name, code in COLUMNS:
            values = numpy.frombuffer(getattr(self, name), dtype=numpy.dtype(code))
            columns[name] = array(code, values[mask].tobytes())
        return Samples(origin=self.origin, causes=self.causes, **columns)


class Encoder:
    """Encodes a samples file piece by piece; the pieces in their order are the file."""

    def __init__(self) -> None:
        self.rows = 0
        self._causes: dict[str, int] = {"": 0}

    def begin(self, origin: Origin) -> bytes:
        """The beginning of the file."""
        header = msgspec.json.encode(origin)
        return _PREFIX.pack(MAGIC, VERSION, len(header)) + header

    def block(self, ended: Sequence[Ended]) -> bytes:
        """The rows of arrivals that have ended, with the causes that are new among them."""
        if not ended:
            return b""
        names = b"".join(self._name(each.cause) for each in ended)
        columns = [
            array(code, [getattr(each, name) for each in ended]) for name, code in COLUMNS[:-1]
        ]
        columns.append(array("B", [self._number(each.cause) for each in ended]))
        self.rows += len(ended)
        return names + _BLOCK.pack(b"ROWS", len(ended)) + b"".join(map(_little_endian, columns))

    def end(self) -> bytes:
        """The end of the file."""
        return _BLOCK.pack(b"DONE", self.rows)

    def _name(self, cause: str) -> bytes:
        if cause in self._causes or len(self._causes) > MOST_CAUSES:
            return b""
        name = OTHER if len(self._causes) == MOST_CAUSES else cause
        self._causes[name] = len(self._causes)
        raw = name.encode(errors="replace")
        return _BLOCK.pack(b"NAME", len(raw)) + raw

    def _number(self, cause: str) -> int:
        return self._causes.get(cause, MOST_CAUSES)


def encode(origin: Origin, ended: Iterable[Ended]) -> bytes:
    """A whole samples file at once."""
    encoder = Encoder()
    return encoder.begin(origin) + encoder.block(list(ended)) + encoder.end()


def read_samples(raw: bytes) -> Samples:
    """The columns of a samples file.

    Raises `TruncatedJournal` for one that was cut off, `UnknownJournalVersion` for a newer one,
    `TamperedJournal` for bytes that are no samples file.
    """
    version, origin, at = _header(raw)
    written = [each for each in COLUMNS if version > ONE_OPERATION or each[0] != "operation"]
    columns = {name: array(code) for name, code in COLUMNS}
    causes = [""]
    while True:
        kind, count = _unpacked(_BLOCK, raw, at)
        at += _BLOCK.size
        if kind == b"ROWS":
            at = _rows(raw, at, count, written, columns)
        elif kind == b"NAME":
            causes.append(_slice(raw, at, count).decode("utf-8", "replace"))
            at += count
        elif kind == b"DONE":
            break
        else:
            raise TamperedJournal(f"samples: no block begins at byte {at - _BLOCK.size}")
    if at != len(raw) or count != len(columns["index"]):
        raise TamperedJournal(
            f"samples: {len(columns['index'])} rows in {at} bytes, "
            f"but {count} rows declared in {len(raw)}"
        )
    if version == ONE_OPERATION:
        columns["operation"].frombytes(bytes(count))
    return Samples(origin=origin, causes=tuple(causes), **columns)


def _header(raw: bytes) -> tuple[int, Origin, int]:
    magic, version, length = _unpacked(_PREFIX, raw, 0)
    if magic != MAGIC:
        raise TamperedJournal("samples: not a samples file")
    if version > VERSION:
        raise UnknownJournalVersion(
            f"samples: version {version}, this harness reads up to {VERSION}"
        )
    try:
        origin = msgspec.json.decode(_slice(raw, _PREFIX.size, length), type=Origin)
    except msgspec.MsgspecError as error:
        raise TamperedJournal(f"samples: the header does not decode ({error})") from None
    return version, origin, _PREFIX.size + length


def _rows(
    raw: bytes,
    at: int,
    count: int,
    written: Iterable[tuple[str, str]],
    columns: dict[str, array[int]],
) -> int:
    for name, code in written:
        values = array(code)
        values.frombytes(_slice(raw, at, count * values.itemsize))
        at += count * values.itemsize
        if sys.byteorder == "big":
            values.byteswap()
        columns[name].extend(values)
    return at


def _little_endian(column: array[int]) -> bytes:
    if sys.byteorder == "big":
        column.byteswap()
    return column.tobytes()


def _unpacked(layout: struct.Struct, raw: bytes, at: int) -> tuple[Any, ...]:
    return layout.unpack(_slice(raw, at, layout.size))


def _slice(raw: bytes, at: int, length: int) -> bytes:
    piece = raw[at : at + length]
    if len(piece) < length:
        raise TruncatedJournal("samples: the file was cut off")
    return piece
