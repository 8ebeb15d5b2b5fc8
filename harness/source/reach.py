"""What workflow classes can reach through the project's own code.

Calls of the project's own functions, of methods on `self` and on objects whose own class is seen
where they are made, and references to own functions and global values are followed for certain. A
method called on any other object is followed into every own class that has one of that name, and
what is found there is only *possible*. What is handed to the SDK by reference (an activity, a child
workflow) is not called by the workflow.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from harness.source.modules import Function, Module, Project, Symbol, imported

_SDK = "temporalio.workflow"
_ACTIVITY = "temporalio.activity.defn"
_WORKFLOW = "temporalio.workflow.defn"


@dataclass(frozen=True, slots=True)
class Code:
    """A piece of code that workflow code may run: a function's body, or a global's value.

    `owner` is the class that `self` is an instance of, as far as is known. `through` is the name of
    the method by which code was reached that only may be run.
    """

    module: Module
    name: str
    node: ast.AST
    owner: Symbol | None
    certain: bool
    through: str = ""


@dataclass(frozen=True, slots=True)
class Use:
    """A name used in reached code, by what it stands for."""

    code: Code
    dotted: str
    line: int


class Reach:
    """A walk over everything reachable. `uses` are the names that are not the project's own."""

    def __init__(self, project: Project) -> None:
        self.uses: list[Use] = []
        self.code: list[Code] = []
        self._project = project
        self._seen: dict[int, bool] = {}  # by node: whether it was reached for certain
        self._todo: list[Code] = []
        self._methods: set[str] = set()  # called on objects of unknown class

    def walk(self, classes: list[Symbol]) -> None:
        """Follow every method of these classes, then what methods of unknown objects may be."""
        for each in classes:
            overridden: set[str] = set()
            for base in self.line(each):
                functions = list(_functions(base.module.classes[base.name]))
                for function in functions:
                    if function.name not in overridden:
                        shown = f"{base.name}.{function.name}"
                        self._add(Code(base.module, shown, function, each, True))
                overridden |= {function.name for function in functions}
        self._drain()
        while self._possible():
            self._drain()

    def workflows(self, module: Module) -> list[Symbol]:
        """The workflow classes that a module defines, else those it imports."""
        own = [Symbol(module, name) for name in module.classes]
        of_others = [self._project.symbol(dotted) for dotted in module.names.values()]
        found = [each for each in of_others if each and each.name in each.module.classes]
        return [e for e in own if self._decorated(e, _WORKFLOW)] or [
            e for e in found if self._decorated(e, _WORKFLOW)
        ]

    def type_of(self, symbol: Symbol) -> str:
        """The workflow type under which a class is registered; empty for one that is computed."""
        for each in symbol.module.classes[symbol.name].decorator_list:
            call = each if isinstance(each, ast.Call) else None
            if meaning(call.func if call else each, symbol.module) != _WORKFLOW:
                continue
            given = {keyword.arg: keyword.value for keyword in call.keywords} if call else {}
            name = given.get("name")
            if name is None:
                return "" if "dynamic" in given else symbol.name
            return (
                str(name.value) if isinstance(name, ast.Constant) else self._constant(name, symbol)
            )
        return ""

    def _constant(self, node: ast.expr, symbol: Symbol) -> str:
        own = self.own(meaning(node, symbol.module), symbol.module)
        values = own.module.values.get(own.name, []) if own else []
        only = values[0] if len(values) == 1 else None
        return str(only.value) if isinstance(only, ast.Constant) else ""

    def _decorated(self, symbol: Symbol, decorator: str) -> bool:
        node = symbol.module.classes[symbol.name]
        return self._has_decorator(symbol.module, node, decorator)

    def _has_decorator(self, module: Module, node: ast.ClassDef | Function, decorator: str) -> bool:
        for each in node.decorator_list:
            target = each.func if isinstance(each, ast.Call) else each
            if meaning(target, module) == decorator:
                return True
        return False

    def line(self, symbol: Symbol) -> Iterator[Symbol]:
        """A class and its bases, as far as they are the project's own."""
        yield symbol
        for base in symbol.module.classes[symbol.name].bases:
            found = self.own(meaning(base, symbol.module), symbol.module)
            if found is not None and found.name in found.module.classes:
                yield from self.line(found)

    def own(self, dotted: str, module: Module) -> Symbol | None:
        """The project's own symbol that a dotted name of a module stands for."""
        if not dotted:
            return None
        head = dotted.split(".")[0]
        if head not in module.names and _defines(module, head):
            return Symbol(module, head)
        return self._project.symbol(dotted)

    def _add(self, code: Code) -> None:
        known = self._seen.get(id(code.node))
        if known or known is code.certain:
            return
        if isinstance(code.node, Function) and self._has_decorator(
            code.module, code.node, _ACTIVITY
        ):
            return
        self._seen[id(code.node)] = code.certain
        self._todo.append(code)

    def _drain(self) -> None:
        while self._todo:
            code = self._todo.pop()
            self.code.append(code)
            self._read(code)

    def _possible(self) -> bool:
        """Follow methods by name alone; whether anything new came of it."""
        for module in self._project.read:
            for name, node in module.classes.items():
                for function in _functions(node):
                    if function.name in self._methods:
                        shown = f"{name}.{function.name}"
                        owner = Symbol(module, name)
                        through = function.name
                        self._add(Code(module, shown, function, owner, False, through))
        return bool(self._todo)

    def _read(self, code: Code) -> None:
        local = Locals(code)
        for default in local.defaults:
            if not self._of_class(code.owner, _root(default)):  # `@state.validator`
                self._name(code, default, local)
        for node in local.references:
            root = _root(node)
            if root == "self" and code.owner is not None:
                self._of_self(code, node)
            elif root in local.names:
                self._of_local(code, node, local)
            elif root:
                self._name(code, node, local)
            else:
                self._of_result(code, node, local)

    def _of_class(self, owner: Symbol | None, name: str) -> bool:
        """Whether a name stands for a method in the body of a class."""
        return owner is not None and any(
            function.name == name
            for base in self.line(owner)
            for function in _functions(base.module.classes[base.name])
        )

    def _of_self(self, code: Code, node: ast.AST) -> None:
        """A method of the class itself, or of an object that one of its attributes holds."""
        assert code.owner is not None
        names = chain(node)[1:]
        if names and self._method(code, code.owner, names[0]):
            return
        held = self._held(code.owner, names[0]) if len(names) > 1 else None
        if held is None or not self._method(code, held, names[1]):
            self._by_name(node)

    def _of_local(self, code: Code, node: ast.AST, local: Locals) -> None:
        names = chain(node)
        known = self._class_of(local.assigned.get(names[0], []), code.module, local.imports)
        if known is None or len(names) < 2 or not self._method(code, known, names[1]):
            self._by_name(node)

    def _of_result(self, code: Code, node: ast.AST, local: Locals) -> None:
        if not isinstance(node, ast.Attribute):
            return
        if _is_super(node.value) and code.owner is not None:
            self._of_super(code, node.attr)
            return
        known = self._class_of([node.value], code.module, local.imports)
        if known is None or not self._method(code, known, node.attr):
            self._by_name(node)

    def _of_super(self, code: Code, name: str) -> None:
        """A method of the bases of the class in which the code stands."""
        assert code.owner is not None
        line = list(self.line(code.owner))
        stands = [
            number
            for number, base in enumerate(line)
            if any(each is code.node for each in _functions(base.module.classes[base.name]))
        ]
        for base in line[stands[0] + 1 :] if stands else line:
            for function in _functions(base.module.classes[base.name]):
                if function.name == name:
                    shown = f"{base.name}.{name}"
                    self._add(
                        Code(base.module, shown, function, code.owner, code.certain, code.through)
                    )
                    return

    def _method(self, code: Code, owner: Symbol, name: str) -> bool:
        """Follow a method of an own class; whether there is one."""
        for base in self.line(owner):
            for function in _functions(base.module.classes[base.name]):
                if name == function.name:
                    shown = f"{base.name}.{function.name}"
                    self._add(Code(base.module, shown, function, owner, code.certain, code.through))
                    return True
        return False

    def _held(self, owner: Symbol, attribute: str) -> Symbol | None:
        """The own class of an object that a class keeps in an attribute of `self`."""
        for base in self.line(owner):
            for function in _functions(base.module.classes[base.name]):
                for node in ast.walk(function):
                    if (
                        isinstance(node, ast.Assign)
                        and any(chain(target) == ["self", attribute] for target in node.targets)
                        and (found := self._class_of([node.value], base.module, {}))
                    ):
                        return found
        return None

    def _class_of(
        self, values: list[ast.expr], module: Module, local: dict[str, str]
    ) -> Symbol | None:
        """The own class whose instance an expression makes, if all of them agree."""
        found = set()
        for value in values:
            called = meaning(value.func, module, local) if isinstance(value, ast.Call) else ""
            own = self.own(called, module)
            found.add(own if own and own.name in own.module.classes else None)
        return found.pop() if len(found) == 1 else None

    def _by_name(self, node: ast.AST) -> None:
        if isinstance(node, ast.Attribute):
            self._methods.add(node.attr)

    def _name(self, code: Code, node: ast.AST, local: Locals) -> None:
        dotted = meaning(node, code.module, local.imports)
        own = self.own(dotted, code.module)
        if own is None and self._project.module(dotted) is not None:
            return  # a module of ours by itself
        if own is None:
            line = getattr(node, "lineno", 0)
            self.uses.append(Use(code, dotted, line))
            return
        module, name = own.module, own.name
        attribute = node.attr if isinstance(node, ast.Attribute) else ""
        if name in module.functions:
            self._add(Code(module, name, module.functions[name], None, code.certain, code.through))
        elif name in module.classes:
            for base in self.line(own):
                node_of_base = base.module.classes[base.name]
                for function in _functions(node_of_base):
                    if function.name.startswith("__"):
                        self._method(code, own, function.name)
                for field, value in _fields(node_of_base):  # defaults, and what makes them
                    shown = f"{base.name}.{field}"
                    self._add(Code(base.module, shown, value, own, code.certain, code.through))
            if not self._method(code, own, attribute):
                self._by_name(node)
        values = module.values.get(name, [])
        for value in values:
            self._add(Code(module, name, value, None, code.certain, code.through))
        if values and attribute and attribute != name:
            known = self._class_of(values, module, {})
            if known is None or not self._method(code, known, attribute):
                self._by_name(node)


def _fields(node: ast.ClassDef) -> Iterator[tuple[str, ast.expr]]:
    """The names that a class's body sets, with their values."""
    for each in node.body:
        match each:
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                yield name, value
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                yield name, value


def _is_super(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super"
    )


def _defines(module: Module, name: str) -> bool:
    return name in module.functions or name in module.classes or name in module.values


def _functions(node: ast.ClassDef) -> Iterator[Function]:
    return (each for each in node.body if isinstance(each, Function))


def chain(node: ast.AST) -> list[str]:
    """`a.b.c` as its parts; empty where it does not begin with a name."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return [node.id, *reversed(parts)] if isinstance(node, ast.Name) else []


def _root(node: ast.AST) -> str:
    names = chain(node)
    return names[0] if names else ""


def meaning(node: ast.AST, module: Module, local: dict[str, str] | None = None) -> str:
    """The dotted name that an expression stands for; empty if it is no name."""
    names = chain(node)
    if not names:
        return ""
    head = (local or {}).get(names[0]) or module.names.get(names[0], names[0])
    return ".".join([head, *names[1:]])


class Locals(ast.NodeVisitor):
    """The references in a piece of code, its local names and its local imports.

    `defaults` are the function's decorators and names that parameters default to: they are looked
    up outside. `assigned` are the
    expressions that local names are set to.
    Annotations are not evaluated, and arguments of the SDK's calls that are bare references are
    handed over, not called.
    """

    def __init__(self, code: Code) -> None:
        self.references: list[ast.AST] = []
        self.defaults: list[ast.AST] = []
        self.names: set[str] = set()
        self.assigned: dict[str, list[ast.expr]] = {}
        self.imports: dict[str, str] = {}
        self._module = code.module
        if isinstance(code.node, Function):
            called = [d.func if isinstance(d, ast.Call) else d for d in code.node.decorator_list]
            self.defaults += [each for each in called if chain(each)]
            self._parameters(code.node.args)
            for statement in code.node.body:
                self.visit(statement)
        else:
            self.visit(code.node)
        self.names -= set(self.imports)

    def _parameters(self, arguments: ast.arguments) -> None:
        given = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        given += [each for each in (arguments.vararg, arguments.kwarg) if each]
        self.names |= {each.arg for each in given}
        for default in (*arguments.defaults, *arguments.kw_defaults):
            if default is not None and chain(default):
                self.defaults.append(default)
            elif default is not None:
                self.visit(default)

    def visit_Import(self, node: ast.Import) -> None:
        self._import(node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self._import(node)

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        self.imports.update(imported(node, self._module))

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._inner(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._inner(node)

    def _inner(self, node: Function) -> None:
        self.names.add(node.name)
        self._parameters(node.args)
        for statement in node.body:
            self.visit(statement)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._parameters(node.args)
        self.visit(node.body)

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            if isinstance(target, ast.Name):
                self.assigned.setdefault(target.id, []).append(node.value)
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if isinstance(node.target, ast.Name) and node.value is not None:
            self.assigned.setdefault(node.target.id, []).append(node.value)
        self.visit(node.target)
        if node.value is not None:
            self.visit(node.value)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        self._bind(node.name, node)

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        self._bind(node.name, node)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        self._bind(node.name, node)

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        self._bind(node.rest, node)

    def _bind(self, name: str | None, node: ast.AST) -> None:
        if name:
            self.names.add(name)
        self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self.references.append(node)
        else:
            self.names.add(node.id)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.references.append(node)
        if not chain(node):
            self.visit(node.value)

    def visit_Call(self, node: ast.Call) -> None:
        self.visit(node.func)
        to_sdk = meaning(node.func, self._module, self.imports).startswith(f"{_SDK}.")
        given = [*node.args, *(keyword.value for keyword in node.keywords)]
        for each in given:
            if not (to_sdk and chain(each)):
                self.visit(each)
