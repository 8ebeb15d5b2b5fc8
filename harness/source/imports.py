"""Clients of the network that a workflow's own module imports, though only workflows are there.

The sandbox loads such a module anew for every run. What an activity of the same module uses is its
own business, and what workflow code itself uses is found where it does.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.source.modules import Module, Symbol, executed, imported
from harness.source.reach import Reach
from harness.source.rules import PDP_CLIENT, RULES

_CLIENTS = next(rule for rule in RULES if rule.id == PDP_CLIENT)


@dataclass(frozen=True, slots=True)
class Loaded:
    """An import that nothing in its module has a use for."""

    module: Module
    line: int
    uses: str


def clients_imported(reach: Reach, classes: Sequence[Symbol]) -> Iterator[Loaded]:
    """Of the modules of the workflow classes and their bases."""
    modules = {base.module.name: base.module for each in classes for base in reach.line(each)}
    for module in modules.values():
        used = _names(module)
        for statement in executed(module.body):
            if isinstance(statement, ast.Import | ast.ImportFrom):
                for name, meant in imported(statement, module):
                    if _CLIENTS.match(meant) and name not in used:
                        yield Loaded(module, statement.lineno, meant)


def _names(module: Module) -> set[str]:
    """The names that are used anywhere in a module."""
    return {
        node.id
        for statement in module.body
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
