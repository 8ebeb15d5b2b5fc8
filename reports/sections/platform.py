"""Environment, versions, declared meanings, and the gaps of the decision record: always shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.catalogue import Catalogue, Gap
from harness.journal.records import Part
from reports.figures import plain
from reports.sections.anchors import anchor
from reports.sections.statements import Meaning, meaning
from reports.trial import Trial, owned


@dataclass(frozen=True, slots=True)
class PartView:
    """A part of the platform as it was declared."""

    part: str
    whose: str
    name: str
    version: str
    details: str
    lacks: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialView:
    """One trial's environment."""

    id: str
    parts: tuple[PartView, ...]
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class MeaningView:
    """A parameter, its value in each trial, and the rows that it decides."""

    name: str
    question: str
    values: tuple[tuple[Meaning, str], ...]
    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class GapView:
    """A gap of the record with the addresses of the rows it concerns."""

    gap: Gap
    rows: tuple[tuple[str, str], ...]


def environments(trials: Sequence[Trial]) -> list[TrialView]:
    """What each trial ran on."""
    return [
        TrialView(
            id=trial.id,
            parts=tuple(_part(part) for part in _latest(trial)),
            facts=tuple(_facts(trial)),
        )
        for trial in trials
    ]


def meanings(trials: Sequence[Trial], catalogue: Catalogue) -> list[MeaningView]:
    """By which meanings the trials were judged: every parameter, those nobody declared as well."""
    known = {parameter.name: parameter.question for parameter in catalogue.parameters}
    declared = [trial.journal.manifest.parameters for trial in trials]
    strange = {n: "not in this catalogue" for given in declared for n in given if n not in known}
    return [
        MeaningView(
            name,
            question,
            tuple(_values(name, trials, catalogue)),
            tuple((i, anchor(i)) for i in catalogue.users(name)),
        )
        for name, question in {**known, **strange}.items()
    ]


def _values(name: str, trials: Sequence[Trial], catalogue: Catalogue) -> list[tuple[Meaning, str]]:
    """Each value with the trials that were judged by it; no trial is named where all agree."""
    found: dict[Meaning, list[str]] = {}
    for trial in trials:
        declared = trial.journal.manifest.parameters
        found.setdefault(meaning(catalogue, name, declared), []).append(trial.id)
    agreed = len(found) == 1
    return [(each, "" if agreed else ", ".join(ids)) for each, ids in found.items()]


def gaps(catalogue: Catalogue) -> list[GapView]:
    """The record's own gaps, in their order."""
    return [GapView(gap, tuple((i, anchor(i)) for i in gap.ids)) for gap in catalogue.gaps]


def _latest(trial: Trial) -> list[Part]:
    return list({part.subject: part for part in trial.journal.of(Part)}.values())


def _part(part: Part) -> PartView:
    return PartView(
        part.subject.value,
        owned(part.subject.value, ours=part.ours),
        part.name,
        part.version,
        ", ".join(f"{name} {value}" for name, value in part.details.items()),
        ", ".join(part.lacks),
    )


def _facts(trial: Trial) -> list[tuple[str, str]]:
    manifest = trial.journal.manifest
    tenants = ", ".join(f"{name} in {space}" for name, space in manifest.tenants.items())
    facts = [
        ("harness", manifest.harness),
        ("journal version", str(manifest.journal_version)),
        ("seed", str(manifest.seed)),
        ("tenants", tenants),
        ("asked for", ", ".join(manifest.asked)),
        *((name, plain(value)) for name, value in manifest.environment.items()),
        *_flat("target", manifest.target),
    ]
    return [(name, value) for name, value in facts if value]


def _flat(prefix: str, value: Any) -> list[tuple[str, str]]:
    """A nested declaration as dotted names."""
    if isinstance(value, Mapping):
        return [pair for key, inner in value.items() for pair in _flat(f"{prefix}.{key}", inner)]
    return [(prefix, plain(value))]
