"""INV-PDP-13: what workflow code was seen to reach, read and not run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from harness.checks.check import Evidence, Finding
from harness.checks.histories.clauses import Broken, conclude
from harness.journal.records import Part, SourceFinding, SourceScan, Subject
from harness.outcome import Outcome

REACHED: Final = "a PDP client is reached from workflow code"
PYTHON: Final = "python"
_RULE: Final = "pdp-client"


def workflows_do_not_ask(evidence: Evidence) -> Finding:
    """ADR, Invariants: "Workflow activities must call PDP for authorization decisions".

    Activities ask, workflow code does not: from the workflow classes no client of a PDP or of the
    network is reached, through the project's own modules and helpers. Code that could not be
    followed leaves it open.
    """
    languages = {p.name for p in evidence.of(Part) if p.subject is Subject.WORKER and p.name}
    scans = evidence.of(SourceScan)
    if languages and PYTHON not in languages:
        spoken = ", ".join(sorted(languages))
        return Finding(
            outcome=Outcome.NOT_APPLICABLE,
            reason=f"the worker is written in {spoken}; only Python's workflow code can be read",
        )
    reviewed = set(evidence.parameters.get("reviewed_packages", ()))
    found = [each for scan in scans for each in scan.findings if each.rule == _RULE]
    broken = [Broken(REACHED, _said(each)) for each in found if each.certain]
    lacks = [_doubt(each) for each in found if not each.certain][:3]
    lacks += [text for scan in scans for text in _not_read(scan, reviewed)]
    lacks += [] if scans else ["the target names no module of workflows (worker.workflows)"]
    classes = [name for scan in scans for name in scan.classes]
    files = {path for scan in scans for path in scan.files}
    figures = {
        "workflow_classes": len(classes),
        "functions_reached": sum(scan.functions for scan in scans),
        "files_read": len(files),
        "possibly_reached": sum(not each.certain for each in found),
    }
    kept = (
        f"{len(classes)} workflow classes reach {figures['functions_reached']} functions in "
        f"{len(files)} files, and none of them a client of the network"
    )
    return conclude((REACHED,), broken, lacks, kept, figures)


def _said(finding: SourceFinding) -> str:
    return f"{finding.file}:{finding.line}: {finding.where} uses {finding.uses}"


def _doubt(finding: SourceFinding) -> str:
    return f"{_said(finding)}, which workflow code may reach by a method of that name"


def _not_read(scan: SourceScan, reviewed: set[str]) -> Iterator[str]:
    if not scan.classes:
        yield f"no workflow class was found in {scan.workflows}"
    for each in scan.unfollowed[:3]:
        yield f"{each}: what it does cannot be read"
    outside = sorted(set(scan.outside) - reviewed)
    if outside:
        yield (
            f"workflow code uses packages that were not read: {', '.join(outside)}; "
            "once somebody has looked, declare them as reviewed_packages"
        )
