"""Judging a trial's folder: from its journal to `verdicts.json`, the same bytes every time."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path

import msgspec

from harness.catalogue import load_catalogue
from harness.checks.table import CHECKED, TABLE
from harness.checks.verdict import Verdict, judge
from harness.errors import EvidenceError, UnavailableError
from harness.journal.read import Journal, read_trial, without_collections
from harness.journal.records import UNDECODABLE, Subject
from harness.outcome import EXIT_FAIL, Outcome, exit_code
from harness.waivers import apply_waivers, from_record

VERDICTS = "verdicts.json"
UNFINISHED = ("M", Outcome.INCONCLUSIVE)


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """The verdicts of a trial, and what is wrong with the waivers: either can fail the run.

    `complete` is false for a run that did not come to its own end: it cannot pass as a whole,
    whatever its evidence shows so far.
    """

    verdicts: list[Verdict]
    waiver_problems: list[str] = []
    complete: bool = True

    @property
    def exit_code(self) -> int:
        """What the command ends with."""
        if self.waiver_problems:
            return EXIT_FAIL
        judged = [(verdict.level, verdict.outcome) for verdict in self.verdicts]
        return exit_code(judged if self.complete else [*judged, UNFINISHED])


def judge_trial(folder: Path, *, salvage: bool = False) -> tuple[Journal, Judgement]:
    """Judge a trial and write `verdicts.json` beside its journal.

    Raises an `EvidenceError` when the journal cannot be trusted.
    """
    with without_collections():
        journal = read_trial(folder, salvage=salvage)
        judgement = judge_journal(journal)
    try:
        (folder / VERDICTS).write_bytes(
            msgspec.json.format(msgspec.json.encode(judgement, order="deterministic"), indent=1)
            + b"\n"
        )
    except OSError as error:
        raise UnavailableError(
            f"{folder / VERDICTS}: {error.strerror}; the journal is whole, "
            "judge it again with: harness recheck"
        ) from None
    return journal, judgement


def judge_journal(journal: Journal) -> Judgement:
    """Judge what a journal's manifest asks for, with the parameters and waivers it declares."""
    catalogue = load_catalogue()
    manifest = journal.manifest
    asked = set(manifest.asked) or CHECKED
    parameters = {**catalogue.defaults, **manifest.parameters}
    levels = {assertion.id: str(assertion.level) for assertion in catalogue}
    verdicts = judge(journal, [check for check in TABLE if check.id in asked], levels, parameters)
    verdicts += [_without_check(each, journal, levels) for each in sorted(asked - CHECKED)]
    verdicts, problems = apply_waivers(
        verdicts, from_record(manifest.waivers), _day(manifest.ended_wall_ns), catalogue.ids
    )
    return Judgement(
        verdicts=list(verdicts), waiver_problems=list(problems), complete=journal.complete
    )


def _without_check(each: str, journal: Journal, levels: Mapping[str, str]) -> Verdict:
    """What was asked and driven by a harness that had a check for it, and has none in this one."""
    return Verdict(
        id=each,
        subject=Subject.DEPLOYMENT.value,
        ours=False,
        profile=journal.manifest.profile,
        trial=journal.manifest.trial_id,
        level=levels.get(each, "M"),
        outcome=Outcome.INCONCLUSIVE,
        reason="this harness has no check for it; judge it with the one that recorded the trial",
    )


def read_verdicts(folder: Path) -> Judgement:
    """The verdicts as they were written; raises `EvidenceError` if there are none."""
    try:
        return msgspec.json.decode((folder / VERDICTS).read_bytes(), type=Judgement)
    except (OSError, *UNDECODABLE) as error:
        raise EvidenceError(
            f"{folder / VERDICTS}: {error}; judge the trial with: harness recheck"
        ) from None


def _day(wall_ns: int) -> datetime.date:
    return datetime.datetime.fromtimestamp(wall_ns / 1e9, datetime.UTC).date()
