"""The page: verdicts and journal of one trial or several, as one self-contained HTML file."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from harness.catalogue import load_catalogue
from harness.catalogue.show import Mutants
from reports.figures import moment
from reports.jinja import fill
from reports.sections.capacity import knees
from reports.sections.chaos import time_lines
from reports.sections.events import left_out
from reports.sections.headline import headline
from reports.sections.load import loads
from reports.sections.pdp import matrices
from reports.sections.platform import environments, gaps, meanings
from reports.sections.slo import objectives
from reports.sections.statements import areas
from reports.sections.timing import timings
from reports.sections.unverified import unverified
from reports.standing import board
from reports.trial import Links, Trial


def render(
    trials: Sequence[Trial],
    *,
    base: Path | None = None,
    mutants: Mutants | None = None,
    now_wall_ns: int | None = None,
) -> str:
    """The page as HTML.

    Several trials are merged into one page. `base` is the folder in which the page will lie:
    evidence is linked relative to it. `mutants` are, by catalogue ID, the deliberate defects that
    its check has been seen to catch: (name, defect). Ages are counted up to `now_wall_ns`, by
    default the moment of the call.
    """
    now = time.time_ns() if now_wall_ns is None else now_wall_ns
    catalogue = load_catalogue()
    merged = board(catalogue, trials)
    links = Links(base, len(trials) == 1)
    return fill(
        "page.html.j2",
        head=headline(merged, links, now),
        areas=areas(merged, links, now, mutants or {}),
        groups=unverified(merged),
        matrices=matrices(trials, catalogue),
        left_out=left_out(trials, catalogue),
        objectives=objectives(merged, now),
        knees=knees(trials, catalogue),
        loads=loads(trials, catalogue),
        time_lines=time_lines(trials),
        timings=timings(trials),
        environments=environments(trials),
        meanings=meanings(trials, catalogue),
        gaps=gaps(catalogue),
        merged=len(trials) > 1,
        written=moment(now),
    )


def write_report(
    path: Path,
    trials: Sequence[Trial],
    *,
    mutants: Mutants | None = None,
    now_wall_ns: int | None = None,
) -> None:
    """Write the page, all of it or none; raises `OSError` where it cannot be written."""
    page = render(trials, base=path.parent, mutants=mutants, now_wall_ns=now_wall_ns)
    draft = path.with_name(f".{path.name}")
    draft.write_text(page, encoding="utf-8", errors="backslashreplace")
    draft.replace(path)
