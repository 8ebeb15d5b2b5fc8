"""The trials of mutants that an earlier run left: judged again instead of driven again.

A full run takes hours. One that was ended goes on where it was, and a check that was mended is
seen on all the evidence at once. A kept trial counts as long as the same would be driven; what the
code of a broken part does is not looked at, so remove the trial of one that has changed.
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Final

from harness.errors import HarnessError
from harness.journal.manifest import DRAFT, JOURNAL, MANIFEST, read_manifest
from harness.journal.read import Journal, read_trial
from harness.run.request import Request

DRIVEN: Final = "driven as"  # in the manifest's `environment`


def said_as_driven(name: str, request: Request) -> Request:
    """The request whose trial, of the mutant of this name, will say by what it was driven."""
    return replace(request, environment={**request.environment, DRIVEN: _print_of(name, request)})


def kept_trial(name: str, request: Request, folder: Path) -> Journal | None:
    """The complete trial of the same drive in a mutant's folder, or none.

    A trial that was cut off, edited or driven otherwise is none, and is removed. A folder that is
    no trial is left as it is.
    """
    try:
        manifest = read_manifest(folder)
        same = manifest.environment.get(DRIVEN) == _print_of(name, request)
        journal = read_trial(folder) if same else None
    except HarnessError:
        journal = None
    if journal is not None and journal.complete:
        return journal
    if any((folder / name).exists() for name in (MANIFEST, DRAFT, JOURNAL)):
        shutil.rmtree(folder, ignore_errors=True)
    return None


def seconds_of(journal: Journal) -> float:
    """How long a kept trial took."""
    return (journal.manifest.ended_wall_ns - journal.manifest.started_wall_ns) / 1e9


def _print_of(name: str, request: Request) -> str:
    """A fingerprint of all that decides what is driven."""
    driven = (
        name,
        request.breakage,
        request.asked,
        request.cases,
        request.suites,
        request.seed,
        sorted(request.parameters.items()),
    )
    return hashlib.sha256(repr(driven).encode()).hexdigest()[:16]
