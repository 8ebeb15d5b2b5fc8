"""`harness mutants`, and the hidden option by which it runs each of them."""

from __future__ import annotations

import argparse
import difflib
import importlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import msgspec

from harness.catalogue import load_catalogue
from harness.checks.table import TABLE
from harness.cli.kill_matrix import as_json, as_text
from harness.cli.settle import asked_ids, progress, suites
from harness.errors import UsageError
from harness.mutant import Mutant
from harness.platform.breakage import Breakage
from harness.run.matrix import Matrix, proofs_of
from harness.run.mutants import Run, jobs_by_cores, run_mutants
from harness.run.request import Request
from harness.target.model import Target
from harness.target.parse import reference_target

MATRIX: Final = "matrix.json"  # in the folder of --out


def run(options: argparse.Namespace) -> int:
    """Run the mutants, print the kill matrix."""
    if options.jobs < 0:
        raise UsageError(f"--jobs {options.jobs}: give a number above 0")
    if options.resume and options.out is None:
        raise UsageError("--resume goes on with the trials of --out DIR, which is missing")
    matrix = run_mutants(
        Run(
            mutants=chosen_mutants(
                options.ids, options.profile, equivalents=options.equivalents, whole=options.full
            ),
            jobs=options.jobs or jobs_by_cores(whole=options.full),
            out=options.out,
            progress=progress(),
            request_of=lambda mutant: request_of(mutant, full=options.full),
            kept=lambda matrix: _keep(matrix, options.out),
            goes_on=options.resume,
        )
    )
    matrix = with_proofs(matrix)
    _keep(matrix, options.out)
    print(json.dumps(as_json(matrix), indent=1) if options.format == "json" else as_text(matrix))
    return matrix.exit_code


def _keep(matrix: Matrix, out: Path | None) -> None:
    """Write what there is, so that a run that is killed has shown it."""
    if out is not None:
        draft = out / "matrix.draft"
        draft.write_text(json.dumps(as_json(matrix), indent=1) + "\n")
        draft.replace(out / MATRIX)


def request_of(mutant: Mutant, *, full: bool) -> Request:
    """What is asked of a mutant's platform: what its checks need, or the full profile."""
    whole = full or not mutant.expected
    target = reference_target()
    request = Request(
        arm=mutant.arm,
        profile=mutant.profile,
        target=target,
        ours=True,
        asked=asked_ids(mutant.profile, () if whole else mutant.expected),
        parameters={**load_catalogue().defaults, **target.declared},
        suites=suites(mutant.arm),
    )
    request = _broken(mutant, request)
    return replace(request, cases=()) if full else request


def _table() -> Any:
    """The tables; they lie with the scenarios, which are named and never imported statically."""
    return importlib.import_module("scenarios.mutants.table")


def all_mutants() -> tuple[Mutant, ...]:
    """The mutants, then the equivalents."""
    return (*_table().MUTANTS, *_table().EQUIVALENTS)


def chosen_mutants(
    names: Sequence[str],
    profile: str,
    *,
    equivalents: bool | None = None,
    whole: bool = True,
) -> list[Mutant]:
    """The mutants and equivalents of these names or catalogue IDs, in the table's order.

    `equivalents` chooses only those, or none of them. What is driven with the whole profile is
    chosen by its name, or as one of all if `whole`. Raises `UsageError` for a name, an ID or a
    profile that has none.
    """
    mutants = [m for m in all_mutants() if equivalents in (None, m.equivalent)]
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
        and (names or whole or mutant.expected)
    ]


def with_proofs(matrix: Matrix) -> Matrix:
    """The matrix with what it proves of each check whose mutants have all been run."""
    ran = {row.mutant.name for row in matrix.rows}
    lacking = {each for m in _table().MUTANTS if m.name not in ran for each in m.expected}
    there = {each for row in matrix.rows for each in row.mutant.expected}
    ids = [check.id for check in TABLE if check.id in there - lacking]
    return replace(matrix, proofs=proofs_of(matrix.rows, ids, _table().UNKILLED))


def broken_as(name: str, request: Request) -> Request:
    """The request on a platform that is broken as a mutant says; raises `UsageError`."""
    mutants = {mutant.name: mutant for mutant in all_mutants()}
    if name not in mutants:
        raise UsageError(f"no mutant is called {name!r}{_close(name, mutants)}")
    if not request.ours:
        raise UsageError("mutants are of the reference platform; leave out --target")
    return _broken(mutants[name], request)


def _broken(mutant: Mutant, request: Request) -> Request:
    return replace(
        request,
        breakage=mutant.breakage,
        target=_built(_deployed(request.target, mutant.breakage.tenants), mutant.breakage),
        cases=mutant.cases,
        seed=request.seed or mutant.seed,
        parameters={**request.parameters, **mutant.parameters},
    )


def _deployed(target: Target, wrong: Mapping[str, Mapping[str, str]]) -> Target:
    tenants = tuple(msgspec.structs.replace(t, **wrong.get(t.name, {})) for t in target.tenants)
    return msgspec.structs.replace(target, tenants=tenants)


def _built(target: Target, breakage: Breakage) -> Target:
    """The target with the build ids that its deployment has instead of its own."""
    if not breakage.build_ids:
        return target
    old, new = breakage.build_ids
    following = msgspec.structs.replace(target.worker.following, build_id=new)
    worker = msgspec.structs.replace(target.worker, build_id=old, next=following)
    return msgspec.structs.replace(target, worker=worker)


def _close(name: str, known: Any) -> str:
    close = difflib.get_close_matches(name, known, n=3)
    return f"; did you mean {' or '.join(close)}?" if close else "; see: harness catalogue"
