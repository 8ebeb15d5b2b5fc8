"""Verdicts, and how a table of checks is run over a journal."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from harness.checks.check import Check, Clause, Evidence, Finding, Witness, inconclusive
from harness.errors import EvidenceError
from harness.journal.manifest import SALVAGED
from harness.journal.read import Journal
from harness.journal.records import Part
from harness.outcome import Outcome

MOST_WITNESSES = 10
CRASHED = "the check crashed"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one assertion for one subject in one profile of one trial."""

    id: str
    subject: str
    ours: bool
    profile: str
    trial: str
    level: str
    outcome: Outcome
    reason: str
    figures: dict[str, Any] = {}
    witnesses: list[Witness] = []
    clauses: list[Clause] = []
    waiver: str = ""
    before_waiver: str = ""


def judge(
    journal: Journal,
    checks: Iterable[Check],
    levels: Mapping[str, str],
    parameters: Mapping[str, Any],
) -> list[Verdict]:
    """One verdict for each check, in the order of the checks.

    Raises an `EvidenceError` where a check finds that the evidence was changed.
    """
    return [_verdict(journal, check, levels[check.id], parameters) for check in checks]


def _verdict(journal: Journal, check: Check, level: str, parameters: Mapping[str, Any]) -> Verdict:
    finding = _tempered(_finding(journal, check, parameters), journal)
    part = _part(journal, check)
    return Verdict(
        id=check.id,
        subject=check.subject.value,
        ours=part.ours if part else False,
        profile=journal.manifest.profile,
        trial=journal.manifest.trial_id,
        level=level,
        outcome=finding.outcome,
        reason=finding.reason,
        figures=dict(finding.figures),
        witnesses=list(finding.witnesses[:MOST_WITNESSES]),
        clauses=list(finding.clauses),
    )


def _part(journal: Journal, check: Check) -> Part | None:
    found = [part for part in journal.of(Part) if part.subject is check.subject]
    return found[-1] if found else None


def _finding(journal: Journal, check: Check, parameters: Mapping[str, Any]) -> Finding:
    lacking = sorted(c for p in journal.of(Part) for c in p.lacks if c in check.capabilities)
    if lacking:
        return Finding(
            outcome=Outcome.NOT_APPLICABLE,
            reason=f"the worker declares that it lacks {', '.join(lacking)}",
        )
    not_driven = journal.manifest.not_driven.get(check.id)
    if not_driven:
        return inconclusive(f"not driven: {not_driven}")
    short = [
        f"{len(journal.of(kind))} of {least} {kind.__name__.lower()} records"
        for kind, least in check.needs.items()
        if len(journal.of(kind)) < least
    ]
    if short:
        return inconclusive(f"not enough evidence: {', '.join(short)}")
    evidence = Evidence(journal, frozenset(check.needs), parameters)
    try:
        return _storable(check.judge(evidence))
    except EvidenceError as error:
        if journal.manifest.ended != SALVAGED:
            raise  # what cannot be trusted is not judged at all
        return inconclusive(f"the killed run left less than it recorded: {error}")
    except Exception:  # noqa: BLE001 - a crashed check must not take the others with it
        return inconclusive(f"{CRASHED}: {traceback.format_exc(limit=-3).strip()}")


def _storable(finding: Finding) -> Finding:
    """The finding itself; raises `TypeError` for one that could not be written to a file."""
    if not isinstance(finding, Finding):
        raise TypeError(f"a check gives a Finding, not {finding!r}")
    msgspec.json.encode(finding)
    return finding


def _tempered(finding: Finding, journal: Journal) -> Finding:
    """A salvaged trial proves nothing good."""
    if journal.manifest.ended == SALVAGED and finding.outcome is Outcome.PASS:
        return inconclusive(f"salvaged from a killed run; what is left shows: {finding.reason}")
    return finding
