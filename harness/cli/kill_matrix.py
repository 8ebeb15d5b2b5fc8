"""How the kill matrix is shown: for people and for programs."""

from __future__ import annotations

import textwrap
from collections import Counter
from typing import Any

from harness.run.matrix import Fate, Matrix, Proof, Row

WIDTH = 100
MOST_IDS = 2  # more of the expected ones would not fit a line


def as_text(matrix: Matrix) -> str:
    """The kill matrix for people: a line for each mutant, and what is wrong with it below."""
    name_width = max((len(row.mutant.name) for row in matrix.rows), default=0)
    id_width = max((len(_expected(row)) for row in matrix.rows), default=0)
    lines = ["", f"{'mutant':{name_width}}  {'expected':{id_width}}  {'fate':12}     s  also red"]
    for row in matrix.rows:
        also = ", ".join(
            alarm.id if alarm.declared else f"{alarm.id} (UNDECLARED)" for alarm in row.alarms
        )
        lines.append(
            f"{row.mutant.name:{name_width}}  {_expected(row):{id_width}}  "
            f"{row.fate.value:12} {row.seconds:5.0f}  {also}".rstrip()
        )
    return "\n".join(
        [*lines, *_declared(matrix), *_proofs(matrix), *_wrong(matrix), "", _summary(matrix)]
    )


def _expected(row: Row) -> str:
    expected = row.mutant.expected
    if not expected:
        return f"all of {row.mutant.profile}"
    if len(expected) > MOST_IDS:
        return f"{expected[0]} and {len(expected) - 1} others"
    return ", ".join(expected)


def _declared(matrix: Matrix) -> list[str]:
    """Why a check is right to be red beside the expected one: each reason once."""
    reasons = dict.fromkeys(
        (alarm.id, alarm.declared) for row in matrix.rows for alarm in row.alarms if alarm.declared
    )
    lines = [_wrapped(f"{each}: {reason}") for each, reason in reasons]
    return ["", "also red, and rightly:", *lines] if lines else []


def _proofs(matrix: Matrix) -> list[str]:
    """For each check whose mutants have all been run: how many it caught, by which clause."""
    if not matrix.proofs:
        return []
    width = max(len(proof.id) for proof in matrix.proofs)
    return ["", "killed, by check and clause:", *(_proof(each, width) for each in matrix.proofs)]


def _proof(proof: Proof, width: int) -> str:
    clauses = ", ".join(f"{name} {len(killed)}" for name, killed in proof.by_clause.items())
    return _wrapped(f"{proof.id:{width}} {len(proof.killed):3}  {clauses}")


def _wrong(matrix: Matrix) -> list[str]:
    lines = [
        f"  not killed by any mutant: {proof.id} clause {name}"
        for proof in matrix.proofs
        for name in proof.gaps
    ]
    for row in matrix.rows:
        if not row.well:
            lines.append(
                _wrapped(
                    f"{row.fate.value.upper()} {row.mutant.name}: {row.mutant.defect} "
                    f"{'; '.join(row.reasons)}"
                )
            )
        lines += [
            _wrapped(
                f"FALSE ALARM {alarm.id} on {row.mutant.name}: {row.mutant.defect} "
                f"{alarm.id}: {alarm.reason}"
            )
            for alarm in row.alarms
            if not alarm.declared
        ]
    return ["", *lines] if lines else []


def _wrapped(text: str) -> str:
    return textwrap.fill(
        " ".join(text.split()), WIDTH, initial_indent="  ", subsequent_indent="    "
    )


def _summary(matrix: Matrix) -> str:
    fates = Counter(row.fate for row in matrix.rows)
    counts = ", ".join(f"{fates[fate]} {fate.value}" for fate in Fate if fates[fate])
    false = sum(not alarm.declared for row in matrix.rows for alarm in row.alarms)
    gaps = sum(len(proof.gaps) for proof in matrix.proofs)
    end = ", INTERRUPTED" if matrix.interrupted else ""
    return (
        f"{len(matrix.rows)} mutants: {counts or 'none ran'}; {false} false alarms; "
        f"{gaps} clauses not killed; "
        f"{matrix.seconds:.0f} s{end}"
    )


def as_json(matrix: Matrix) -> dict[str, Any]:
    """The kill matrix for programs."""
    return {
        "exit_code": matrix.exit_code,
        "seconds": round(matrix.seconds, 1),
        "interrupted": matrix.interrupted,
        "mutants": [
            {
                "mutant": row.mutant.name,
                "defect": row.mutant.defect,
                "expected": list(row.mutant.expected),
                "profile": row.mutant.profile,
                "fate": row.fate.value,
                "reasons": list(row.reasons),
                "clause": row.mutant.clause,
                "equivalent": row.mutant.equivalent,
                "seconds": round(row.seconds, 1),
                "also_red": [
                    {"id": alarm.id, "reason": alarm.reason, "declared": alarm.declared}
                    for alarm in row.alarms
                ],
            }
            for row in matrix.rows
        ],
        "checks": [
            {
                "id": proof.id,
                "killed": list(proof.killed),
                "clauses": {name: list(killed) for name, killed in proof.by_clause.items()},
                "not_killed": {name: proof.declared.get(name, "") for name in proof.unproved},
            }
            for proof in matrix.proofs
        ],
    }
