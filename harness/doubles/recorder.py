"""The one sequence of decisions, effects and audit events, and the segment they are written to."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final

from harness.errors import DriveError
from harness.journal.records import AuditEvent, Balance, Decision, Effect
from harness.journal.write import SegmentWriter

_FLUSH_S: Final = 0.1


class Recorder:
    """Hands out sequence numbers and writes records; a written record waits at most 100 ms."""

    def __init__(self, segment: SegmentWriter) -> None:
        self._segment = segment
        self._seq = 0
        self._flush_due = False
        self._kinds: Counter[type] = Counter()

    def next_seq(self) -> int:
        """The next number of the sequence, from 1."""
        self._seq += 1
        return self._seq

    def write(self, record: Decision | Effect | Balance | AuditEvent) -> None:
        """Append one record."""
        try:
            self._segment.write(record)
        except OSError as error:
            raise _lost(error) from error
        self._kinds[type(record)] += 1
        if not self._flush_due:
            self._flush_due = True
            asyncio.get_running_loop().call_later(_FLUSH_S, self.flush)

    def flush(self) -> None:
        """Hand all that was written to the operating system."""
        self._flush_due = False
        try:
            self._segment.flush()
        except OSError as error:
            raise _lost(error) from error

    def close(self) -> None:
        """End the segment with its footer."""
        self._segment.close()

    def counts(self) -> tuple[int, int, int]:
        """How many decisions, effects and audit events were written."""
        return self._kinds[Decision], self._kinds[Effect], self._kinds[AuditEvent]


def _lost(error: OSError) -> DriveError:
    # an OSError in a protocol's callback is taken for the connection's and passed over by the loop
    return DriveError(f"doubles: the journal cannot be written: {error}")
