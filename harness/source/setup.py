"""How the sandbox is set up: by the worker, and by the modules that are loaded in it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from harness.source.modules import Module, Project, Symbol, executed, imported
from harness.source.reach import Reach, meaning
from harness.source.rules import (
    PASSED_THROUGH,
    UNRESTRICTED,
    UNSANDBOXED_RUNNER,
    UNSANDBOXED_WORKFLOW,
)

EVERYTHING: Final = "*"
_UNSAFE: Final = "temporalio.workflow.unsafe"
_WORKER: Final = ("temporalio.worker.Worker", "temporalio.worker.Replayer")
_RUNNER: Final = "temporalio.worker.UnsandboxedWorkflowRunner"
_WITHOUT_REVIEW: Final = frozenset(sys.stdlib_module_names) | {
    "temporalio", "google", "nexusrpc", "pydantic", "pydantic_core", "annotated_types",
    "typing_extensions",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Loose:
    """A place that loosens the sandbox: the rule, where, and what it uses or lets through."""

    rule: str
    module: Module
    line: int
    where: str
    uses: str


def entry_of(command: Sequence[str]) -> str:
    """The module that a command runs: `-m MODULE`, or a script below the folder; else empty."""
    for word, following in zip(command, [*command[1:], ""], strict=False):
        if word == "-m":
            return following
        if word.endswith(".py") and not word.startswith("/"):
            return word.removeprefix("./").removesuffix(".py").replace("/", ".")
    return ""


def loosened(
    project: Project, reach: Reach, classes: Sequence[Symbol], read: Sequence[Module]
) -> Iterator[Loose]:
    """What the workflow classes, and the modules that are loaded with them, loosen."""
    for each in classes:
        for base in reach.line(each):
            yield from _opted_out(base)
    for module in read:
        for node in _with_blocks(module):
            yield from _block(project, module, node)


def _opted_out(symbol: Symbol) -> Iterator[Loose]:
    node = symbol.module.classes[symbol.name]
    for decorator in node.decorator_list:
        if not isinstance(decorator, ast.Call):
            continue
        if meaning(decorator.func, symbol.module) != "temporalio.workflow.defn":
            continue
        for keyword in decorator.keywords:
            if keyword.arg == "sandboxed" and not _is(keyword.value, True):
                said = f"sandboxed={ast.unparse(keyword.value)}"
                yield Loose(
                    UNSANDBOXED_WORKFLOW, symbol.module, decorator.lineno, symbol.name, said
                )


def _with_blocks(module: Module) -> Iterator[ast.With]:
    for statement in module.body:
        for node in ast.walk(statement):
            if isinstance(node, ast.With):
                yield node


def _block(project: Project, module: Module, node: ast.With) -> Iterator[Loose]:
    for item in node.items:
        call = item.context_expr
        called = meaning(call.func, module) if isinstance(call, ast.Call) else ""
        if called == f"{_UNSAFE}.sandbox_unrestricted" and node in list(executed(module.body)):
            yield Loose(UNRESTRICTED, module, node.lineno, "", "sandbox_unrestricted")
        if called == f"{_UNSAFE}.imports_passed_through":
            for statement in node.body:
                for each in ast.walk(statement):
                    if isinstance(each, ast.Import | ast.ImportFrom):
                        for name in _modules(project, module, each):
                            yield Loose(PASSED_THROUGH, module, each.lineno, "", name)


def _modules(
    project: Project, module: Module, statement: ast.Import | ast.ImportFrom
) -> Iterator[str]:
    """The modules that an import loads, but those that everybody's sandbox lets through."""
    if isinstance(statement, ast.Import):
        names = [alias.name for alias in statement.names]
    else:
        meant = [dotted for _, dotted in imported(statement, module)]
        names = [
            each if project.module(each) is not None else each.rpartition(".")[0] for each in meant
        ]
    for name in dict.fromkeys(names):
        if name.split(".")[0] not in _WITHOUT_REVIEW:
            yield name


class Setup:
    """The worker's own program: its module and all of the project that it imports."""

    def __init__(self, project: Project, entry: str) -> None:
        self._project = project
        self.modules = list(self._closure(entry))

    @property
    def makes_a_worker(self) -> bool:
        """Whether a worker is made in what was read."""
        return any(
            meaning(node, module) in _WORKER
            for module in self.modules
            for statement in module.body
            for node in ast.walk(statement)
            if isinstance(node, ast.Name | ast.Attribute)
        )

    def _closure(self, entry: str) -> Iterator[Module]:
        todo, seen = [entry], set()
        while todo:
            module = self._project.module(todo.pop())
            if module is None or module.name in seen:
                continue
            seen.add(module.name)
            yield module
            for statement in module.body:
                for node in ast.walk(statement):
                    if isinstance(node, ast.Import):
                        todo += [alias.name for alias in node.names]
                    elif isinstance(node, ast.ImportFrom):
                        meant = [dotted for _, dotted in imported(node, module)]
                        todo += [*meant, *(each.rpartition(".")[0] for each in meant)]

    def loosened(self) -> Iterator[Loose]:
        """Runners without a sandbox, and sandboxes that let modules through."""
        for module in self.modules:
            for where, statement in _named(module):
                for node in ast.walk(statement):
                    yield from self._loose(module, where, node)

    def _loose(self, module: Module, where: str, node: ast.AST) -> Iterator[Loose]:
        match node:
            case ast.Name(ctx=ast.Load()) | ast.Attribute(ctx=ast.Load()):
                if meaning(node, module) == _RUNNER:
                    yield Loose(UNSANDBOXED_RUNNER, module, node.lineno, where, _RUNNER)
            case ast.Call(func=func, args=args, keywords=keywords):
                yield from _call(module, where, func, args)
                if meaning(func, module) in _WORKER:
                    yield from _debugged(module, where, keywords)
                for keyword in keywords:
                    yield from _keyword(module, where, keyword)


def _named(module: Module) -> Iterator[tuple[str, ast.stmt]]:
    for statement in module.body:
        name = getattr(statement, "name", "")
        yield name, statement


def _call(module: Module, where: str, func: ast.expr, args: Sequence[ast.expr]) -> Iterator[Loose]:
    name = func.attr if isinstance(func, ast.Attribute) else ""
    if name == "with_passthrough_all_modules":
        yield Loose(PASSED_THROUGH, module, func.lineno, where, EVERYTHING)
    if name == "with_passthrough_modules":
        for each in args:
            yield Loose(PASSED_THROUGH, module, each.lineno, where, _text(each))


def _debugged(module: Module, where: str, keywords: Sequence[ast.keyword]) -> Iterator[Loose]:
    for keyword in keywords:
        if keyword.arg == "debug_mode" and not _is(keyword.value, False):
            said = f"debug_mode={ast.unparse(keyword.value)}"
            yield Loose(UNSANDBOXED_RUNNER, module, keyword.value.lineno, where, said)


def _keyword(module: Module, where: str, keyword: ast.keyword) -> Iterator[Loose]:
    if keyword.arg == "passthrough_all_modules" and not _is(keyword.value, False):
        yield Loose(PASSED_THROUGH, module, keyword.value.lineno, where, EVERYTHING)
    if keyword.arg == "passthrough_modules":
        yield Loose(PASSED_THROUGH, module, keyword.value.lineno, where, _text(keyword.value))
    if keyword.arg in ("invalid_modules", "invalid_module_members"):
        said = f"{keyword.arg}={ast.unparse(keyword.value)}"[:80]
        yield Loose(UNRESTRICTED, module, keyword.value.lineno, where, said)


def _is(node: ast.expr, value: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def _text(node: ast.expr) -> str:
    """A module's name as written; what is computed stands for everything."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return EVERYTHING
