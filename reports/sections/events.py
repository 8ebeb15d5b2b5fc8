"""What the platform did about the transitions that the record's list of event types leaves out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.catalogue import Catalogue
from harness.checks.audit import CHECKS
from harness.checks.audit.changes import Covered, covered
from harness.checks.check import Evidence
from harness.errors import EvidenceError
from harness.journal.records import History, Subject
from reports.trial import Trial

COVERED = "covered"
PARTLY = "in part"
ABSENT = "absent"
NOT_OWED = "no type declared"
NOT_DRIVEN = "did not happen"
_KINDS = frozenset(kind for check in CHECKS if check.id == "EVT-10" for kind in check.needs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One kind of transition: how often it happened, and the events that came for it."""

    what: str
    happened: int
    types: str
    events: int
    became: str

    @property
    def bad(self) -> bool:
        """Whether events that are owed did not come."""
        return self.became in (ABSENT, PARTLY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The table of one trial."""

    trial: str
    whose: str
    rows: tuple[Row, ...]


def left_out(trials: Sequence[Trial], catalogue: Catalogue) -> list[Table]:
    """One table for each trial that recorded histories and whose audit trail somebody emits."""
    found = (_table(trial, catalogue) for trial in trials)
    return [table for table in found if table is not None]


def _table(trial: Trial, catalogue: Catalogue) -> Table | None:
    part = trial.part(Subject.EXPORTER)
    if part is None or trial.journal.manifest.arm != "verify" or not trial.journal.of(History):
        return None
    parameters: dict[str, Any] = {**catalogue.defaults, **trial.journal.manifest.parameters}
    try:
        rows = covered(Evidence(trial.journal, _KINDS, parameters))
    except EvidenceError:
        return None  # a killed run's histories are not all there; its verdicts say so
    whose = trial.whose(Subject.EXPORTER, ours=part.ours)
    return Table(trial=trial.id, whose=whose, rows=tuple(map(_row, rows)))


def _row(each: Covered) -> Row:
    return Row(
        what=each.word.replace("_", " "),
        happened=each.happened,
        types=", ".join(each.types),
        events=each.events,
        became=_became(each),
    )


def _became(each: Covered) -> str:
    if not each.happened:
        return NOT_DRIVEN
    if not each.types:
        return NOT_OWED
    if not each.events:
        return ABSENT
    return COVERED if each.events >= each.happened else PARTLY
