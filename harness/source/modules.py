"""The project's own modules as syntax trees, and what the names in them stand for."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

Function = ast.FunctionDef | ast.AsyncFunctionDef
_MOST_HOPS: Final = 20  # of names that stand for names


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Module:
    """One module. `names` maps its global names to what they stand for, as dotted names.

    `values` are the expressions that its global variables are set to, `body` all its statements,
    `reviewed` the lines whose comment says why they are safe, and the reason.
    """

    name: str
    path: str
    sha256: str
    is_package: bool
    names: dict[str, str] = field(default_factory=dict)
    functions: dict[str, Function] = field(default_factory=dict)
    classes: dict[str, ast.ClassDef] = field(default_factory=dict)
    values: dict[str, list[ast.expr]] = field(default_factory=dict)
    body: list[ast.stmt] = field(default_factory=list)
    reviewed: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Symbol:
    """A global name of one of the project's own modules."""

    module: Module
    name: str


class Project:
    """The modules below a folder, parsed when they are first asked for.

    `unread` says which could not be parsed, and why.
    """

    def __init__(self, folder: Path) -> None:
        self.unread: list[str] = []
        self._folder = folder
        self._known: dict[str, Module | None] = {}

    @property
    def read(self) -> list[Module]:
        """All modules that were read, by name."""
        found = [module for module in self._known.values() if module is not None]
        return sorted(found, key=lambda module: module.name)

    def module(self, name: str) -> Module | None:
        """A module of the project; None for one of somebody else's."""
        if name not in self._known:
            self._known[name] = None  # for modules that import each other
            self._known[name] = self._load(name)
        return self._known[name]

    def _load(self, name: str) -> Module | None:
        base = self._folder.joinpath(*name.split("."))
        for path in (base / "__init__.py", base.with_suffix(".py")):
            if path.is_file():
                return self._parse(name, path)
        return None

    def _parse(self, name: str, path: Path) -> Module | None:
        shown = path.relative_to(self._folder).as_posix()
        try:
            source = path.read_bytes()
            tree = ast.parse(source)
        except (OSError, SyntaxError, ValueError) as error:
            self.unread.append(f"{shown}: {error}")
            return None
        module = Module(
            name=name,
            path=shown,
            sha256=hashlib.sha256(source).hexdigest(),
            is_package=path.name == "__init__.py",
            body=tree.body,
            reviewed=_reviewed(source),
        )
        for statement in executed(tree.body):
            self._define(module, statement)
        return module

    def _define(self, module: Module, statement: ast.stmt) -> None:
        match statement:
            case ast.Import() | ast.ImportFrom():
                for name, meant in imported(statement, module):
                    if name == "*":
                        self._all_of(module, meant)
                    else:
                        module.names[name] = meant
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                module.functions[statement.name] = statement
            case ast.ClassDef():
                module.classes[statement.name] = statement
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    for node in ast.walk(target):
                        if isinstance(node, ast.Name):
                            module.values.setdefault(node.id, []).append(value)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                module.values.setdefault(name, []).append(value)

    def _all_of(self, module: Module, meant: str) -> None:
        other = self.module(meant)
        if other is not None:
            own = (*other.functions, *other.classes, *other.values)
            module.names.update({name: f"{meant}.{name}" for name in own})
            module.names.update(other.names)

    def symbol(self, dotted: str) -> Symbol | None:
        """The project's own symbol that a dotted name stands for, through re-exports."""
        for _ in range(_MOST_HOPS):
            found = self._split(dotted)
            if found is None:
                return None
            module, rest = found
            name = rest[0]
            if name not in module.names:
                return Symbol(module, name)
            dotted = ".".join([module.names[name], *rest[1:]])
        return None

    def _split(self, dotted: str) -> tuple[Module, list[str]] | None:
        parts = dotted.split(".")
        for length in range(len(parts) - 1, 0, -1):
            module = self.module(".".join(parts[:length]))
            if module is not None:
                return module, parts[length:]
        return None


def _reviewed(source: bytes) -> dict[int, str]:
    """By line: the reason of a comment `# replay-safe: reason`, which covers its own line.

    On a line of its own it covers the next one.
    """
    found = {}
    for number, line in enumerate(source.decode(errors="replace").splitlines(), 1):
        before, mark, reason = line.partition("# replay-safe:")
        if mark and reason.strip():
            found[number if before.strip() else number + 1] = reason.strip()
    return found


def executed(statements: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that run when their module is imported; what only type checkers see does not."""
    for statement in statements:
        yield statement
        match statement:
            case ast.If(test=test):
                if not _type_checking(test):
                    yield from executed(statement.body)
                yield from executed(statement.orelse)
            case ast.With() | ast.AsyncWith() | ast.For() | ast.While():
                yield from executed(statement.body)
            case ast.Try():
                for part in (statement.body, statement.orelse, statement.finalbody):
                    yield from executed(part)
                for handler in statement.handlers:
                    yield from executed(handler.body)


def _type_checking(test: ast.expr) -> bool:
    return "TYPE_CHECKING" in ast.unparse(test)


def imported(statement: ast.Import | ast.ImportFrom, module: Module) -> Iterator[tuple[str, str]]:
    """(name, what it stands for) of everything that an import binds."""
    if isinstance(statement, ast.Import):
        for alias in statement.names:
            whole = alias.name
            yield (alias.asname, whole) if alias.asname else (whole.split(".")[0],) * 2
        return
    base = _base(statement, module)
    for alias in statement.names:
        if alias.name == "*":
            yield "*", base
        else:
            yield alias.asname or alias.name, f"{base}.{alias.name}"


def _base(statement: ast.ImportFrom, module: Module) -> str:
    if not statement.level:
        return statement.module or ""
    parts = module.name.split(".")
    up = statement.level - module.is_package
    kept = parts[: len(parts) - up] if up else parts
    return ".".join([*kept, statement.module] if statement.module else kept)
