"""What repeats in a journal is kept in memory once.

Every record names its tenant, saga, workflow and run again, and decoding makes new strings of them
each time: without this, a large journal takes half as much memory again, and every look-up by
those names has to compute their hashes anew.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from operator import attrgetter
from typing import Any, Final

from msgspec.structs import force_setattr

from harness.journal.records import (
    AuditEvent,
    Decision,
    Effect,
    Operation,
    Program,
    Record,
    Replay,
)

# By kind, the fields whose values other records have as well. Empty ones are kept once anyway.
REPEATED: Final[Mapping[type[Record], Sequence[str]]] = {
    Program: ("suite", "case", "tenant", "workflow_id", "saga_id", "task_queue"),
    Operation: ("name", "suite", "case", "tenant", "workflow_id", "run_id", "status"),
    Decision: (
        *("tenant", "saga_id", "workflow_id", "run_id", "direction"),
        *("action", "resource", "mode", "ended_by", "idempotency_key"),
    ),
    Effect: (
        *("tenant", "saga_id", "workflow_id", "run_id", "direction"),
        *("service", "operation", "resource", "idempotency_key"),
    ),
    Replay: ("mode", "tenant", "workflow_id", "run_id"),
}
REPEATED_LISTS: Final[Mapping[type[Record], Sequence[str]]] = {
    Program: ("feeds",),
    Decision: ("problems",),
    Effect: ("problems",),
    Replay: ("differences",),
    AuditEvent: ("headers",),
}
# Records of one saga are near each other, so that forgetting now and then costs little.
_MOST_KNOWN: Final = 50_000


class Repeats:
    """The values seen so far, while one journal is decoded."""

    def __init__(self) -> None:
        self._known: dict[Any, Any] = {}

    def share(self, kind: type[Record], records: Sequence[Record]) -> None:
        """Have these records of one kind, freshly decoded, share what they have in common."""
        if len(self._known) > _MOST_KNOWN:
            self._known.clear()
        for name in REPEATED.get(kind, ()):
            values = list(map(attrgetter(name), records))
            self._set(records, name, values, values)
        for name in REPEATED_LISTS.get(kind, ()):
            lists = list(map(attrgetter(name), records))
            self._set(records, name, map(tuple, lists), lists)

    def _set(
        self, records: Iterable[Record], name: str, keys: Iterable[Any], values: Iterable[Any]
    ) -> None:
        """Set one field of all records; a chain of built-ins, because there are millions."""
        known = map(self._known.setdefault, keys, values)
        deque(map(force_setattr, records, repeat(name), known), maxlen=0)
