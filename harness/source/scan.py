"""One scan of workflow code, as the record that a check judges."""

from __future__ import annotations

import builtins
import sys
from pathlib import Path
from typing import Final

from harness.journal.records import SourceFinding, SourceScan, now
from harness.source.modules import Project
from harness.source.reach import Reach, Use
from harness.source.rules import DYNAMIC, RULES

_KNOWN: Final = frozenset(sys.stdlib_module_names) | {"temporalio"}
_BUILTINS: Final = frozenset(vars(builtins))


def scan(workflows: str, folder: Path) -> SourceScan:
    """Read the workflow code of a module that lies below a folder; nothing of it is run."""
    project = Project(folder.absolute())
    reach = Reach(project)
    module = project.module(workflows)
    classes = reach.workflows(module) if module else []
    reach.walk(classes)
    return SourceScan(
        **now(),
        workflows=workflows,
        classes=[f"{each.module.name}.{each.name}" for each in classes],
        functions=len(reach.code),
        files={each.path: each.sha256 for each in project.read},
        findings=_findings(reach.uses),
        outside=_outside(reach.uses),
        unfollowed=[*project.unread, *_unfollowed(reach.uses)],
    )


def _findings(uses: list[Use]) -> list[SourceFinding]:
    found = {
        SourceFinding(
            rule=rule.id,
            file=use.code.module.path,
            line=use.line,
            where=use.code.name,
            uses=use.dotted,
            certain=use.code.certain,
        )
        for use in uses
        for rule in RULES
        if rule.match(use.dotted)
    }
    return sorted(found, key=lambda each: (each.file, each.line, each.uses, not each.certain))


def _outside(uses: list[Use]) -> list[str]:
    """The packages that reached code uses and nobody has read: neither ours nor the library's."""
    forbidden = {use.dotted for use in uses for rule in RULES if rule.match(use.dotted)}
    heads = {use.dotted.split(".")[0] for use in uses if use.dotted not in forbidden}
    imported = {meant.split(".")[0] for use in uses for meant in use.code.module.names.values()} | {
        use.dotted.split(".")[0] for use in uses if "." in use.dotted
    }
    return sorted((heads & imported) - _KNOWN - _BUILTINS)


def _unfollowed(uses: list[Use]) -> list[str]:
    return sorted(
        f"{use.code.module.path}:{use.line}: {use.dotted}" for use in uses if use.dotted in DYNAMIC
    )
