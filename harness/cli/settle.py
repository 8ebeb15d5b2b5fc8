"""From options to a request: target, IDs, parameters, waivers, checked before anything starts."""

from __future__ import annotations

import argparse
import difflib
import importlib
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness.catalogue import UnknownAssertion, load_catalogue
from harness.checks.table import CHECKED, PROFILES
from harness.errors import UsageError
from harness.platform.breakage import NOTHING, Breakage
from harness.program_file import read_program_file
from harness.run.request import Progress, Request
from harness.target.model import Target
from harness.target.parse import read_target, reference_target
from harness.waivers import read_waivers, to_record

DEFAULT_WAIVERS = Path("waivers.yaml")


def settled(
    options: argparse.Namespace,
    arm: str,
    profile: str,
    ids: Sequence[str] = (),
    breakage: Breakage = NOTHING,
) -> Request:
    """The request that the options ask for; raises `UsageError` for what cannot be."""
    asked = asked_ids(profile, ids)
    target, ours = given_target(options.target)
    return Request(
        arm=arm,
        profile=profile,
        target=target,
        ours=ours,
        asked=asked,
        parameters={**load_catalogue().defaults, **target.declared},
        suites=suites(arm),
        breakage=breakage,
        out=options.out,
        seed=getattr(options, "seed", 0),
        waivers=tuple(_waivers(options.waivers)),
        progress=progress(),
    )


def with_programs(request: Request, paths: Sequence[Path], ids: Sequence[str]) -> Request:
    """The request for the sagas of program files alone; raises `UsageError` for a misfit."""
    if not paths:
        return request
    if ids:
        raise UsageError("give IDs or --program, not both: a program file says what it feeds")
    allowed, tenants = request.target.allow.faults, len(request.target.tenants)
    files = [read_program_file(path, tenants, allowed) for path in paths]
    if len({file.name for file in files}) < len(files):
        raise UsageError("--program: two files have the same name; give each one of its own")
    feeds = [each for file in files for each in file.feeds]
    asked = asked_ids(request.profile, feeds)
    return replace(request, asked=asked, suites=(), cases=(), given=tuple(files))


def asked_ids(profile: str, ids: Sequence[str]) -> tuple[str, ...]:
    """The IDs that are asked, in the table's order."""
    if profile not in PROFILES:
        close = difflib.get_close_matches(profile, PROFILES, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise UsageError(f"unknown profile {profile!r}; {hint}profiles: {', '.join(PROFILES)}")
    if not ids:
        return PROFILES[profile]
    catalogue = load_catalogue()
    for each in ids:
        try:
            catalogue.get(each)
        except UnknownAssertion as error:
            raise UsageError(str(error)) from None
        if each not in CHECKED:
            raise UsageError(f"{each} is not judged by a check yet; see: harness catalogue {each}")
        if each not in PROFILES[profile]:
            others = [name for name, known in PROFILES.items() if each in known]
            raise UsageError(f"{each} is not in profile {profile}, but in {', '.join(others)}")
    return tuple(each for each in PROFILES[profile] if each in set(ids))


def given_target(path: Path | None) -> tuple[Target, bool]:
    """The target and whether it is our reference platform; prints the target's warnings."""
    if path is None:
        return reference_target(), True
    catalogue = load_catalogue()
    target = read_target(path, {p.name: p for p in catalogue.parameters})
    for warning in target.warnings:
        print(f"harness: {path}: {warning}", file=sys.stderr)
    return target, False


def _waivers(path: Path | None) -> list[dict[str, str]]:
    if path is None and not DEFAULT_WAIVERS.exists():
        return []
    return to_record(read_waivers(path or DEFAULT_WAIVERS))


def suites(arm: str) -> tuple[str, ...]:
    """The suite modules of an arm; scenarios are named, never imported statically."""
    package = {"verify": "scenarios.conformance", "chaos": "scenarios.chaos"}.get(arm)
    return tuple(importlib.import_module(package).SUITES) if package else ()


def progress() -> Progress:
    """Lines of progress on standard error, with the seconds since the start."""
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - began:5.1f}s] {text}", file=sys.stderr, flush=True)

    return say
