"""`harness mutants`, and the hidden option by which it runs each of them."""

from __future__ import annotations

import argparse
import difflib
import importlib
import json
import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from harness.cli.settle import progress
from harness.errors import UsageError
from harness.mutant import Mutant
from harness.run.mutants import Fate, Matrix, Row, jobs_by_cores, run_mutants
from harness.run.request import Request

WIDTH = 100
MOST_IDS = 2  # more of the expected ones would not fit a line


def run(options: argparse.Namespace) -> int:
    """Run the mutants, print the kill matrix."""
    if options.jobs < 0:
        raise UsageError(f"--jobs {options.jobs}: give a number above 0")
    chosen = chosen_mutants(options.ids, options.profile, equivalents=options.equivalents)
    matrix = run_mutants(chosen, options.jobs or jobs_by_cores(), options.out, progress())
    print(json.dumps(as_json(matrix), indent=1) if options.format == "json" else as_text(matrix))
    return matrix.exit_code


def all_mutants() -> tuple[Mutant, ...]:
    """The tables; they lie with the scenarios, which are named and never imported statically."""
    table = importlib.import_module("scenarios.mutants.table")
    return (*table.MUTANTS, *table.EQUIVALENTS)


def chosen_mutants(names: Sequence[str], profile: str, *, equivalents: bool) -> list[Mutant]:
    """The mutants (or the equivalents) of these names or catalogue IDs, in the table's order.

    Raises `UsageError` for a name, an ID or a profile that has none.
    """
    mutants = [mutant for mutant in all_mutants() if mutant.equivalent == equivalents]
    known = {name for mutant in mutants for name in (mutant.name, *mutant.expected)}
    unknown = [name for name in names if name not in known]
    if unknown:
        what = "equivalent" if equivalents else "mutant"
        raise UsageError(
            f"no {what} is called {unknown[0]!r} or is there for such an ID"
            f"{_close(unknown[0], known)}"
        )
    profiles = {mutant.profile for mutant in mutants}
    if profile and profile not in profiles:
        raise UsageError(
            f"profile {profile!r} has no mutants; those that have: {', '.join(sorted(profiles))}"
        )
    return [
        mutant
        for mutant in mutants
        if (not profile or mutant.profile == profile)
        and (not names or {mutant.name, *mutant.expected} & set(names))
    ]


def broken_as(name: str, request: Request) -> Request:
    """The request on a platform that is broken as a mutant says; raises `UsageError`."""
    mutants = {mutant.name: mutant for mutant in all_mutants()}
    if name not in mutants:
        raise UsageError(f"no mutant is called {name!r}{_close(name, mutants)}")
    if not request.ours:
        raise UsageError("mutants are of the reference platform; leave out --target")
    mutant = mutants[name]
    return replace(
        request,
        breakage=mutant.breakage,
        cases=mutant.cases,
        parameters={**request.parameters, **mutant.parameters},
    )


def _close(name: str, known: Any) -> str:
    close = difflib.get_close_matches(name, known, n=3)
    return f"; did you mean {' or '.join(close)}?" if close else "; see: harness catalogue"


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
    return "\n".join([*lines, *_declared(matrix), *_wrong(matrix), "", _summary(matrix)])


def _expected(row: Row) -> str:
    expected = row.mutant.expected
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


def _wrong(matrix: Matrix) -> list[str]:
    lines: list[str] = []
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
    end = ", INTERRUPTED" if matrix.interrupted else ""
    return (
        f"{len(matrix.rows)} mutants: {counts or 'none ran'}; {false} false alarms; "
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
                "seconds": round(row.seconds, 1),
                "also_red": [
                    {"id": alarm.id, "reason": alarm.reason, "declared": alarm.declared}
                    for alarm in row.alarms
                ],
            }
            for row in matrix.rows
        ],
    }
