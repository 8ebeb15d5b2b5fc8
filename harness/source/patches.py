"""Where workflow code asks for a patch, by the workflow that does."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from harness.journal.records import PatchCall
from harness.source.modules import Module, Symbol
from harness.source.reach import Code, Locals, Reach, meaning

_CALLS: Final = {
    "temporalio.workflow.patched": "patched",
    "temporalio.workflow.deprecate_patch": "deprecate_patch",
}


def patches(reach: Reach) -> Iterator[PatchCall]:
    """Every place once, in the order of files and lines."""
    found = {
        PatchCall(
            id=_text(node.args[0] if node.args else None, code.module, reach),
            call=call,
            file=code.module.path,
            line=node.lineno,
            workflow=_name(code.owner) or code.module.name,
        )
        for code in reach.code
        for node, call in _asked(code)
    }
    yield from sorted(found, key=lambda each: (each.file, each.line, each.workflow))


def _asked(code: Code) -> Iterator[tuple[ast.Call, str]]:
    local = Locals(code)
    for node in ast.walk(code.node):
        if isinstance(node, ast.Call):
            call = _CALLS.get(meaning(node.func, code.module, local.imports), "")
            if call:
                yield node, call


def _text(node: ast.expr | None, module: Module, reach: Reach) -> str:
    """The id as written, or as the constant that a global name stands for; else empty."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    own = reach.own(meaning(node, module), module) if node is not None else None
    values = own.module.values.get(own.name, []) if own else []
    return _text(values[0], module, reach) if len(values) == 1 else ""


def _name(owner: Symbol | None) -> str:
    return f"{owner.module.name}.{owner.name}" if owner else ""
