"""INV-DET-5 and 6: what workflow code was read to do, and how its sandbox is set up."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from harness.checks.check import Evidence, Finding
from harness.checks.histories.clauses import Broken, conclude
from harness.journal.records import Part, SourceFinding, SourceScan, Subject
from harness.outcome import Outcome

PYTHON: Final = "python"
EVERYTHING: Final = "*"
# rules of the scan, and what each is called where it is broken
CODE: Final[Mapping[str, str]] = {
    "randomness": "chance",
    "clock": "the machine's clock",
    "environment": "the process's environment",
    "files": "files or programs",
    "threads": "threads or processes",
    "pdp-client": "the network",
    "client-import": "a client of the network beside the workflow",
    "asyncio": "asyncio that is not deterministic",
    "set-order": "the order of a set",
    "hash-or-id": "a hash or an address",
    "global-state": "state of a module",
    "not-awaited": "a coroutine that is not awaited",
}
SANDBOX: Final[Mapping[str, str]] = {
    "unsandboxed-runner": "a worker without sandbox",
    "unsandboxed-workflow": "a workflow outside the sandbox",
    "sandbox-unrestricted": "a section without restrictions",
    "passed-through": "a module that passes through unreviewed",
}
# methods of Python's own types: one of an unknown object is rarely the project's of that name
_OF_PYTHON: Final = frozenset(
    name for each in (str, bytes, dict, list, set, tuple, int, float) for name in dir(each)
)


def other_language(evidence: Evidence) -> Finding | None:
    """Not applicable, where the worker says that it is written in another language."""
    languages = {p.name for p in evidence.of(Part) if p.subject is Subject.WORKER and p.name}
    if not languages or PYTHON in languages:
        return None
    return Finding(
        outcome=Outcome.NOT_APPLICABLE,
        reason=f"the worker is written in {', '.join(sorted(languages))}; only Python's workflow "
        "code can be read",
    )


def code_passes_the_rules(evidence: Evidence) -> Finding:
    """ADR, Invariants: "Workflow code must be deterministic (no random, time-based, or external
    state access in workflow logic)".

    From the workflow classes, through the project's own modules and helpers, nothing is reached
    that differs from process to process or from run to run. A line whose comment gives a reason
    (`# replay-safe: reason`) counts as reviewed. Code that could not be followed leaves it open.
    """
    return other_language(evidence) or _rules(evidence)


def _rules(evidence: Evidence) -> Finding:
    scans = evidence.of(SourceScan)
    found = _of(scans, CODE)
    broken = [
        Broken(CODE[each.rule], _said(each)) for each in found if each.certain and not each.reviewed
    ]
    possible = [
        each
        for each in found
        if not each.certain and not each.reviewed and each.through not in _OF_PYTHON
    ]
    lacks = [f"{_said(each)}, which a method `{each.through}` may reach" for each in possible[:3]]
    lacks += _not_read(scans, set(evidence.parameters.get("reviewed_packages", ())))
    figures = {**_read(scans), "possible": len(possible), "reviewed": _reviewed(found)}
    kept = (
        f"{figures['workflow_classes']} workflow classes reach {figures['functions_reached']} "
        f"functions in {figures['files_read']} files, and nothing in them breaks a rule"
    )
    return conclude(tuple(CODE.values()), broken, lacks, kept, figures)


def sandbox_is_on(evidence: Evidence) -> Finding:
    """ADR, Invariants: "Workflow code must be deterministic (no random, time-based, or external
    state access in workflow logic)".

    The worker runs workflows in the SDK's sandbox, none opts out of it, no section of them is
    without its restrictions, and each module that passes through it has been reviewed
    (`passthrough_modules`).
    """
    return other_language(evidence) or _sandbox(evidence)


def _sandbox(evidence: Evidence) -> Finding:
    scans = evidence.of(SourceScan)
    found = _of(scans, SANDBOX)
    reviewed = set(evidence.parameters.get("passthrough_modules", ()))
    passing = [each for each in found if each.rule == "passed-through"]
    broken = [
        Broken(SANDBOX[each.rule], _said(each))
        for each in found
        if not each.reviewed and not _covered(each, reviewed)
    ]
    lacks = [*_not_read(scans, None), *_without_setup(scans)]
    figures = {
        **_read(scans),
        "modules_passing_through": sorted({each.uses for each in passing}),
        "reviewed": _reviewed(found),
    }
    kept = (
        f"{figures['workflow_classes']} workflow classes run in the sandbox; "
        f"{len(figures['modules_passing_through'])} reviewed modules pass through it"
    )
    return conclude(tuple(SANDBOX.values()), broken, lacks, kept, figures)


def _covered(finding: SourceFinding, reviewed: Collection[str]) -> bool:
    """Whether a module that passes through is a reviewed one, or lies below one."""
    if finding.rule != "passed-through" or finding.uses == EVERYTHING:
        return False
    return any(finding.uses == each or finding.uses.startswith(f"{each}.") for each in reviewed)


def _of(scans: Sequence[SourceScan], rules: Collection[str]) -> list[SourceFinding]:
    return [each for scan in scans for each in scan.findings if each.rule in rules]


def _said(finding: SourceFinding) -> str:
    return f"{finding.file}:{finding.line}: {finding.where} uses {finding.uses}"


def _reviewed(found: Iterable[SourceFinding]) -> int:
    return sum(bool(each.reviewed) for each in found)


def _read(scans: Sequence[SourceScan]) -> dict[str, Any]:

    return {
        "workflow_classes": sum(len(scan.classes) for scan in scans),
        "functions_reached": sum(scan.functions for scan in scans),
        "files_read": len({path for scan in scans for path in scan.files}),
    }


def _not_read(scans: Sequence[SourceScan], reviewed: Collection[str] | None) -> Iterator[str]:
    """What keeps a verdict on the code open; `reviewed` None: packages of others do not."""
    if not scans:
        yield "the target names no module of workflows (worker.workflows)"
    for scan in scans:
        if not scan.classes:
            yield f"no workflow class was found in {scan.workflows}"
        for each in scan.unfollowed[:3]:
            yield f"{each}: what it does cannot be read"
        outside = sorted(set(scan.outside) - set(reviewed)) if reviewed is not None else []
        if outside:
            yield (
                f"workflow code uses packages that were not read: {', '.join(outside)}; "
                "once somebody has looked, declare them as reviewed_packages"
            )


def _without_setup(scans: Sequence[SourceScan]) -> Iterator[str]:
    if scans and not any(scan.setup for scan in scans):
        yield (
            "the worker's command leads to no Python module that makes a Worker, so its runner was "
            "not seen"
        )
