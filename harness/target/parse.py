"""Reads target files; `reference_target` is what is used without one.

Nothing is connected to and no secret is read. All problems of a file are reported at once, each
with its line.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import TargetFileError
from harness.target.declared import Parameter, validate_declared
from harness.target.forms import Surroundings
from harness.target.model import (
    Allow,
    Engine,
    Exporter,
    LoadLimit,
    NextBuild,
    Target,
    Tenant,
    Worker,
)
from harness.target.rules import RULES, inline_secret
from harness.yaml_fit import Grammar, fit
from harness.yaml_lines import Document, Problem, by_line, load


def read_target(
    path: Path,
    parameters: Mapping[str, Parameter] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Target:
    """The target that a file describes.

    `parameters` are the meanings that may be declared, by name; None leaves them unchecked. Paths
    in the file are taken from the file's own folder, which is also where its commands are run.
    Raises TargetFileError with all problems.
    """
    around = Surroundings(
        folder=path.absolute().parent, environ=os.environ if environ is None else environ
    )
    document = load(path)
    grammar = Grammar(context=around, rules=RULES, unknown=inline_secret)
    target, problems = fit(document, Target, grammar)
    problems = by_line([*problems, *_declared(document, parameters)])
    if problems or target is None:
        raise TargetFileError(str(path), [_with_advice(problem) for problem in problems])
    return _run_from(target, str(around.folder))


# the doubles forget no key, so theirs outlasts the retention of the namespaces
KEY_MEMORY_HOURS = 90 * 24.0
HISTORY_STORAGE_GB = 20.0  # nearly four times what sagas of four steps take


def reference_target() -> Target:
    """The platform that the harness starts itself where no file is given."""
    return Target(
        engine=Engine(embedded=True),
        tenants=tuple(
            Tenant(name=name, namespace=name, task_queue=f"{name}-sagas")
            for name in ("alpha", "beta")
        ),
        worker=Worker(
            command=(sys.executable, "-m", "scenarios.reference.worker"),
            language="python",
            workflows="scenarios.reference.registered",
            histories="scenarios/reference/histories",
            deployment="reference",
            build_id="1.0.0",
            next=NextBuild(
                build_id="1.1.0",
                command=(sys.executable, "-m", "scenarios.reference.next_build"),
            ),
        ),
        exporter=Exporter(command=(sys.executable, "-m", "scenarios.reference.exporter")),
        links=("worker",),
        allow=Allow(
            faults=(
                "link-cut",
                "kill-worker",
                "kill-exporter",
                "pdp-failure-modes",
                "service-faults",
                "rpc-faults",
                "throwaway-tenants",
            ),
            load=LoadLimit(max_rate_per_s=1000.0),
        ),
        declared={
            "key_memory_hours": KEY_MEMORY_HOURS,
            "history_storage_gb": HISTORY_STORAGE_GB,
            "passthrough_modules": ["scenarios.reference.program"],
            "audit_family": "required",
            "tamper_evidence": "hash_chain",
        },
    )


def summary(target: Target) -> dict[str, Any]:
    """What the manifest says of a target: plain JSON values, references in place of secrets."""
    plain: dict[str, Any] = msgspec.to_builtins(target)
    return _without_blanks(plain)


def _without_blanks(plain: dict[str, Any]) -> dict[str, Any]:
    """Drops what is not given, and hides literals given to the platform's own programs."""
    shown: dict[str, Any] = {}
    for key, value in plain.items():
        if key == "env":
            value = {k: v if v.startswith("$") else "(literal)" for k, v in value.items()}
        elif isinstance(value, dict) and key != "declared":
            value = _without_blanks(value)
        elif isinstance(value, list | tuple):
            value = [_without_blanks(v) if isinstance(v, dict) else v for v in value]
        if value not in (None, {}, [], False):
            shown[key] = value
    return shown


def _run_from(target: Target, folder: str) -> Target:
    """Commands that name no folder of their own are run from the file's."""
    worker, exporter = target.worker, target.exporter
    if worker.command and worker.cwd is None:
        worker = msgspec.structs.replace(worker, cwd=folder)
    if exporter and exporter.command and exporter.cwd is None:
        exporter = msgspec.structs.replace(exporter, cwd=folder)
    return msgspec.structs.replace(target, worker=worker, exporter=exporter)


def _with_advice(problem: Problem) -> str:
    whole = not problem.line or (not problem.where and problem.text == "is empty")
    return f"{problem}; `harness init` writes one to start from" if whole else str(problem)


def _declared(document: Document, parameters: Mapping[str, Parameter] | None) -> list[Problem]:
    raw = document.value.get("declared") if isinstance(document.value, dict) else None
    if parameters is None or not isinstance(raw, dict):
        return []
    found = validate_declared(raw, parameters)
    return [document.problem(("declared", *below), text) for below, text in found]
