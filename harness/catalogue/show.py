"""The catalogue for people and for programs: a table, a list of objects, one assertion explained.

Everything here renders; nothing prints. `checked` are the ids that have a check, `mutants` the
deliberate defects that were made for an id, each a name with one sentence.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

import msgspec

from harness.catalogue.load import load_catalogue
from harness.catalogue.model import (
    Area,
    Assertion,
    Catalogue,
    JudgedBy,
    Parameter,
    Value,
    judged_by,
)

Mutants = Mapping[str, Sequence[tuple[str, str]]]

_INDENT = 12
_TEXT_WIDTH = 88
_COLUMNS = ("ID", "L", "KINDS", "PROFILE", "JUDGED BY", "MUTANTS", "STATEMENT")
_WIDTHS = (11, 1, 5, 13, 9, 7, 62)

LEVELS = {"M": "MUST invariant", "N": "non-functional requirement", "I": "informative"}
KINDS = {
    "S": "scenario",
    "P": "passive audit",
    "L": "load",
    "C": "chaos",
    "T": "static",
    "A": "attestation",
}
AREAS: dict[Area, str] = {
    "isolation": "Tenant isolation",
    "authorization": "Externalized authorization",
    "idempotency": "Idempotency",
    "audit": "Audit trail and events",
    "determinism": "Determinism",
    "versioning": "Versioning, compatibility, rollout",
    "encryption": "Encryption and data classification",
    "observability": "Observability",
    "interfaces": "Interfaces and APIs",
    "threats": "Threats and mitigations",
    "soc2": "SOC 2",
    "slo": "SLOs, capacity, cost",
    "durability": "Durability, sagas, retries",
    "context": "Context, impact, risks",
}


def table(catalogue: Catalogue, checked: frozenset[str], mutants: Mutants) -> str:
    """Plain text of at most 120 columns (the widths above), by area; counts in the last line."""
    lines = [_line(_COLUMNS)]
    for area, assertions in groupby(catalogue, key=lambda assertion: assertion.area):
        lines += ["", AREAS[area]]
        lines += [_row(a, judged_by(a, checked), len(mutants.get(a.id, ()))) for a in assertions]
    return "\n".join([*lines, "", _counts(catalogue, checked)])


def _row(assertion: Assertion, judged: JudgedBy, mutant_count: int) -> str:
    kinds = "".join(assertion.kinds)
    shown = str(mutant_count or "-")
    head = (assertion.id, assertion.level, kinds, assertion.profile, judged, shown)
    return _line((*head, assertion.statement))


def _line(cells: Iterable[str]) -> str:
    aligned = (_fit(cell, width).ljust(width) for cell, width in zip(cells, _WIDTHS, strict=True))
    return "  ".join(aligned).rstrip()


def _fit(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1].rstrip() + "…"


def _counts(catalogue: Catalogue, checked: frozenset[str]) -> str:
    by = Counter(judged_by(assertion, checked) for assertion in catalogue)
    return (
        f"{catalogue.rows} rows, {len(catalogue)} ids: {by['check']} judged by a check, "
        f"{by['attest']} attested, {by['not yet']} not yet"
    )


def as_json(
    catalogue: Catalogue, checked: frozenset[str], mutants: Mutants
) -> list[dict[str, object]]:
    """One object for each id, in catalogue order, of plain JSON types; `mutants` are names."""
    return [_as_object(a, judged_by(a, checked), mutants.get(a.id, ())) for a in catalogue]


def _as_object(
    assertion: Assertion, judged: JudgedBy, mutants: Sequence[tuple[str, str]]
) -> dict[str, object]:
    fields: dict[str, object] = msgspec.to_builtins(assertion)
    fields["row"] = assertion.row or assertion.id
    return fields | {"judged_by": judged, "mutants": [name for name, _ in mutants]}


def explain(
    assertion: Assertion, judged_by: JudgedBy, check_doc: str | None, mutants: Mapping[str, str]
) -> str:
    """One assertion on a screen: what the record says, how it is judged, with what evidence.

    `mutants` maps each mutant's name to its defect; parameters and gaps are the shipped ones.
    """
    catalogue = load_catalogue()
    parameters = [catalogue.parameter(name) for name in assertion.parameters]
    gaps = catalogue.gaps_of(assertion.id)
    members = ", ".join(catalogue.members(assertion))
    blocks = [
        _heading(assertion),
        _block("ADR", _place(assertion), f'"{assertion.adr.quote}"'),
        _block("Judged", *_judged(assertion, judged_by, check_doc)),
        _block("How", assertion.how),
        _block("Evidence", assertion.evidence),
        _block("Worst of", members),
        _block("SOC 2", ", ".join(assertion.soc2)),
        _block("Declared", *(_parameter(parameter) for parameter in parameters)),
        _block("Left open", *(f"{gap.title}. {gap.handling}" for gap in gaps)),
        _block("Mutants", *(f"{name}: {defect}" for name, defect in mutants.items())),
    ]
    return "\n\n".join(block for block in blocks if block)


def _heading(assertion: Assertion) -> str:
    kinds = ", ".join(KINDS[kind] for kind in assertion.kinds)
    about = f"{LEVELS[assertion.level]} · {AREAS[assertion.area]} · {assertion.profile} profile"
    return f"{assertion.id}  {assertion.statement}\n{about} · {kinds}"


def _place(assertion: Assertion) -> str:
    place = assertion.adr
    also = f" (also {', '.join(str(line) for line in place.also)})" if place.also else ""
    return f"{place.section}, line {place.line}{also}"


def _judged(assertion: Assertion, judged: JudgedBy, check_doc: str | None) -> tuple[str, ...]:
    match judged:
        case "check":
            return ("by a check", *_paragraphs(check_doc))
        case "attest":
            return ("by a signed, dated statement of a person; shown as such, never as a pass",)
        case "not yet":
            return (f"not yet: {assertion.not_yet or 'no check is registered for it'}",)


def _paragraphs(doc: str | None) -> list[str]:
    parts = textwrap.dedent(doc or "").strip().split("\n\n")
    return [" ".join(part.split()) for part in parts if part.strip()]


def _parameter(parameter: Parameter) -> str:
    return f"{parameter.name} = {_value(parameter.default)} unless declared. {parameter.question}"


def _value(value: Value) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(value)}]"
    if isinstance(value, str):
        return value or '""'
    return f"{value:.10g}"


def _block(label: str, *paragraphs: str) -> str:
    """The paragraphs beside their label, wrapped; nothing where there are none."""
    lines = [line for text in paragraphs for line in _wrapped(text)]
    margins = (label, *[""] * len(lines))
    return "\n".join(f"{m:<{_INDENT}}{line}" for m, line in zip(margins, lines, strict=False))


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _TEXT_WIDTH, break_on_hyphens=False, break_long_words=False)
