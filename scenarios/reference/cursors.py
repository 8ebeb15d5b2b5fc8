"""How far each run is exported: a SQLite file that outlives a SIGKILL of the exporter."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

_SCHEMA: Final = """
    CREATE TABLE IF NOT EXISTS run (
        namespace TEXT NOT NULL,
        run_id TEXT NOT NULL,
        workflow_id TEXT NOT NULL,
        exported INTEGER NOT NULL,
        closed INTEGER NOT NULL,
        head TEXT NOT NULL,
        PRIMARY KEY (namespace, run_id)
    ) WITHOUT ROWID
"""


class Cursors:
    """`exported` is the id of the last history event whose CloudEvent was acknowledged, `head`
    the digest of that CloudEvent, to which the next one is chained."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(folder / "cursors.sqlite", isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        # a commit survives the end of this process; only a crash of the machine may lose the
        # last ones, and then events are delivered a second time
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute(_SCHEMA)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._db.close()

    def exported(self, namespace: str, run_id: str) -> tuple[int, str]:
        """The last exported event of a run, 0 for none, and the head of its chain."""
        row = self._db.execute(
            "SELECT exported, head FROM run WHERE namespace = ? AND run_id = ?", (namespace, run_id)
        ).fetchone()
        return (int(row[0]), str(row[1])) if row else (0, "")

    def closed(self, namespace: str, run_ids: Iterable[str]) -> set[str]:
        """Those of the runs that are exported to their end."""
        query = "SELECT 1 FROM run WHERE namespace = ? AND run_id = ? AND closed = 1"
        return {
            run_id for run_id in run_ids if self._db.execute(query, (namespace, run_id)).fetchone()
        }

    def unfinished(self, namespace: str) -> list[tuple[str, str]]:
        """(workflow id, run id) of the runs that were followed and not exported to their end."""
        return self._db.execute(
            "SELECT workflow_id, run_id FROM run WHERE namespace = ? AND closed = 0", (namespace,)
        ).fetchall()

    def save(
        self,
        namespace: str,
        workflow_id: str,
        run_id: str,
        exported: int,
        *,
        head: str,
        closed: bool,
    ) -> None:
        """Keep a run's position; it never goes back."""
        self._db.execute(
            "INSERT INTO run VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " head = iif(excluded.exported > exported, excluded.head, head),"
            " exported = max(exported, excluded.exported), closed = max(closed, excluded.closed)",
            (namespace, run_id, workflow_id, exported, int(closed), head),
        )
