"""One trial as a report sees it: its journal, its verdicts, its folder, the facts of its run."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from harness.catalogue import Catalogue
from harness.checks.verdict import Verdict
from harness.journal.read import Journal
from harness.journal.records import KINDS, Part, Record, Subject

# How a part is called where it is ours; where it is the platform's, it is "your <part>".
_OURS: Mapping[str, str] = {
    Subject.PDP: "our PDP double",
    Subject.SERVICES: "our service doubles",
    Subject.GENERATOR: "our load generator",
}
_SPELLED: Mapping[str, str] = {Subject.PDP: "PDP", Subject.GENERATOR: "load generator"}


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """A judged trial.

    `folder` is where its evidence lies; None: nothing can be linked. `problems` are what fails the
    trial besides its verdicts, such as a waiver that is expired or no longer needed.
    """

    journal: Journal
    verdicts: Sequence[Verdict]
    folder: Path | None = None
    problems: Sequence[str] = ()

    @property
    def id(self) -> str:
        """The trial's own name."""
        return self.journal.manifest.trial_id

    @property
    def began_wall_ns(self) -> int:
        """When it began by the wall clock; 0 where nothing tells."""
        first = _first(self.journal)
        return self.journal.manifest.started_wall_ns or (first.wall_ns if first else 0)

    @property
    def ended_wall_ns(self) -> int:
        """When it ended: its last record where the run could not say so itself; 0: unknown."""
        if self.journal.manifest.ended != "salvaged":
            return self.journal.manifest.ended_wall_ns
        return max((r[-1].wall_ns for k in KINDS if (r := self.journal.of(k))), default=0)

    @property
    def origin_ns(self) -> int:
        """The monotonic time of its first record: zero of all its time lines."""
        first = _first(self.journal)
        return first.at_ns if first else 0

    def part(self, subject: str) -> Part | None:
        """The part of the platform in that role, as last declared or observed."""
        found = [part for part in self.journal.of(Part) if part.subject == subject]
        return found[-1] if found else None

    def whose(self, subject: str, *, ours: bool) -> str:
        """Whose part a verdict speaks of; a part that nobody declared is called so."""
        if not subject:
            return "no subject"
        if self.part(subject) is None:
            return f"{_SPELLED.get(subject, subject)}, undeclared"
        return owned(subject, ours=ours)


def number_in(trial: Trial, catalogue: Catalogue, name: str) -> float:
    """A declared parameter that is a number; its default where what was declared is none."""
    declared = trial.journal.manifest.parameters.get(name)
    value = declared if isinstance(declared, int | float) else catalogue.defaults[name]
    if not isinstance(value, int | float):
        raise TypeError(f"the parameter {name} is no number")
    return float(value)


def owned(subject: str, *, ours: bool) -> str:
    """'our reference worker', 'your worker'."""
    if ours:
        return _OURS.get(subject, f"our reference {subject}")
    return f"your {_SPELLED.get(subject, subject)}"


def _first(journal: Journal) -> Record | None:
    heads = [records[0] for kind in KINDS if (records := journal.of(kind))]
    return min(heads, key=lambda record: record.at_ns, default=None)


@dataclass(frozen=True, slots=True)
class Links:
    """Where the page will lie, so that evidence is linked by a relative path.

    `base` is the page's folder. Without one, the page of a single trial is taken to lie in that
    trial's folder, and the page of several links nothing.
    """

    base: Path | None
    alone: bool

    def to(self, trial: Trial, path: str) -> str:
        """The address of a file of the trial, or "" where none can be given.

        Only plain paths below the trial's folder are linked: evidence is what others wrote, and an
        absolute path, an outside address or one that climbs out stays mere text.
        """
        inside = PurePosixPath(path)
        if not path or path.startswith("/") or "\\" in path or ".." in inside.parts:
            return ""
        if self.base is not None and trial.folder is not None:
            folder = os.path.relpath(trial.folder.resolve(), self.base.resolve())
            return quote(PurePosixPath(Path(folder).as_posix(), inside).as_posix())
        return quote(inside.as_posix()) if self.alone else ""
