"""One scan of workflow code, as the record that a check judges."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Final

from harness.journal.records import SourceFinding, SourceScan, now
from harness.source.imports import Loaded, clients_imported
from harness.source.modules import Project
from harness.source.patches import patches
from harness.source.reach import Code, Reach, Use
from harness.source.rules import CLIENT_IMPORT, DYNAMIC, IDENTITY, RULES
from harness.source.setup import Loose, Setup, loosened
from harness.source.shapes import shapes

# besides Python's own: what the SDK's sandbox itself lets through
_KNOWN: Final = frozenset(sys.stdlib_module_names) | {
    "temporalio", "nexusrpc", "pydantic", "pydantic_core", "annotated_types", "typing_extensions",
}  # fmt: skip
_BUILTINS: Final = frozenset(vars(builtins))


def scan(
    workflows: str,
    folder: Path,
    *,
    setup: str = "",
    without: Collection[str] = (),
    also: Collection[str] = (),
) -> SourceScan:
    """Read the workflow code of a module that lies below a folder; nothing of it is run.

    `setup` is the module in which the worker is set up; `without` are rules that are left out, and
    `also` names that the first rule forbids beside its own (both to break the scan on purpose).
    """
    project = Project(folder.absolute())
    reach = Reach(project)
    module = project.module(workflows)
    classes = reach.workflows(module) if module else []
    reach.walk(classes)
    loaded = project.read
    found = [*_named(reach.uses, also), *_shaped(reach)]
    found += [_loaded(each) for each in clients_imported(reach, classes)]
    found += [_loose(each) for each in loosened(project, reach, classes, loaded)]
    worker = Setup(project, setup) if setup else None
    if worker is not None and worker.makes_a_worker:
        found += [_loose(each) for each in worker.loosened()]
    modules = {each.path: each for each in project.read}
    return SourceScan(
        **now(),
        workflows=workflows,
        classes=[f"{each.module.name}.{each.name}" for each in classes],
        types=[reach.type_of(each) for each in classes],
        functions=len(reach.code),
        files={each.path: each.sha256 for each in modules.values()},
        findings=_in_order(each for each in found if each.rule not in without),
        outside=_outside(reach.uses),
        unfollowed=[*project.unread, *_unfollowed(reach.uses)],
        setup=setup if worker is not None and worker.makes_a_worker else "",
        patches=list(patches(reach)),
    )


def _named(uses: list[Use], also: Collection[str]) -> Iterator[SourceFinding]:
    """Forbidden names; a class's own `__hash__` may hash, for it is the hash that is forbidden."""
    for use in uses:
        if use.dotted in also:
            yield _of(use.code, RULES[0].id, use.line, use.dotted)
        for rule in RULES:
            own_hash = rule.id == IDENTITY and use.code.name.endswith(".__hash__")
            if rule.match(use.dotted) and not own_hash:
                yield _of(use.code, rule.id, use.line, use.dotted)


def _shaped(reach: Reach) -> Iterator[SourceFinding]:
    for each in shapes(reach):
        yield _of(each.code, each.rule, each.line, each.uses)


def _of(code: Code, rule: str, line: int, uses: str) -> SourceFinding:
    return SourceFinding(
        rule=rule,
        file=code.module.path,
        line=line,
        where=code.name,
        uses=uses,
        certain=code.certain,
        through=code.through,
        reviewed=code.module.reviewed.get(line, ""),
    )


def _loaded(each: Loaded) -> SourceFinding:
    return SourceFinding(
        rule=CLIENT_IMPORT,
        file=each.module.path,
        line=each.line,
        where=each.module.name,
        uses=each.uses,
        certain=True,
        reviewed=each.module.reviewed.get(each.line, ""),
    )


def _loose(each: Loose) -> SourceFinding:
    return SourceFinding(
        rule=each.rule,
        file=each.module.path,
        line=each.line,
        where=each.where or each.module.name,
        uses=each.uses,
        certain=True,
        reviewed=each.module.reviewed.get(each.line, ""),
    )


def _in_order(found: Iterable[SourceFinding]) -> list[SourceFinding]:
    """Each once; what is certain of a place hides what is possible."""
    first: dict[tuple[str, str, int, str], SourceFinding] = {}
    for each in sorted(found, key=lambda f: (f.file, f.line, f.rule, f.uses, not f.certain)):
        first.setdefault((each.rule, each.file, each.line, each.uses), each)
    return list(first.values())


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
