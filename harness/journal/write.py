"""Writing a segment: append-only JSON Lines with a header and a footer."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import msgspec

from harness.journal.records import JOURNAL_VERSION, Footer, Header, Record, now

_FLUSH_BYTES = 1 << 16


class SegmentWriter:
    """One process's segment of a trial's journal, `<writer>.jsonl` in `folder`.

    Records are buffered up to 64 KiB; `flush` hands them to the operating system, so that a SIGKILL
    loses at most what came after it. `close` writes the footer; a segment without one is
    known to be cut off, and so is one that could not be written to its end. Raises
    `FileExistsError` if the segment exists, `OSError` on a full disk.
    """

    def __init__(self, folder: Path, writer: str, trial_id: str) -> None:
        self.path = folder / f"{writer}.jsonl"
        self._encoder = msgspec.json.Encoder()
        self._digest = hashlib.sha256()
        self._records = 0
        self._buffer = bytearray()
        self._failure: OSError | None = None
        self._file: BinaryIO | None = self.path.open("xb", buffering=0)
        self._append(
            Header(
                **now(), version=JOURNAL_VERSION, writer=writer, trial_id=trial_id, pid=os.getpid()
            )
        )
        self.flush()

    def write(self, record: Record) -> None:
        """Append one record; a closed segment raises `ValueError`, so that nothing gets lost.

        After a write that failed, every other one fails with the same `OSError`.
        """
        if self._failure is not None:
            raise self._failure
        if self._file is None:
            raise ValueError(f"{self.path}: this segment has ended")
        self._append(record)
        self._records += 1
        if len(self._buffer) >= _FLUSH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Hand all that was written to the operating system."""
        if self._buffer and self._file is not None:
            view = bytes(self._buffer)
            self._buffer.clear()
            self._digest.update(view)
            try:
                while view:  # an unbuffered write may be short
                    view = view[self._file.write(view) :]
            except OSError as error:
                self._failure = error
                self._end()  # something is missing now: no footer may vouch for the rest
                raise

    def close(self) -> None:
        """Write the footer and close; closing twice does nothing."""
        if self._file is None:
            return
        self.flush()
        digest = self._digest.hexdigest()
        self._append(Footer(**now(), records=self._records, sha256=digest))
        self.flush()
        self._end()

    def _end(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _append(self, record: Record) -> None:
        self._buffer += self._encoder.encode(record)
        self._buffer += b"\n"

    def __enter__(self) -> SegmentWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
