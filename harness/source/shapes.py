"""What is wrong with workflow code by its shape, where no forbidden name is used.

Iteration over sets, state of modules, coroutines that nobody awaits, unseeded generators, files by
`pathlib`. What a set is, is known where it is made, annotated or returned; integers are let off,
for their order does not differ from process to process.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from harness.source.modules import Function, Module
from harness.source.reach import Code, Locals, Reach, chain, meaning
from harness.source.rules import (
    CLOCK,
    FILES,
    GLOBAL_STATE,
    NOT_AWAITED,
    RANDOMNESS,
    SET_ORDER,
    THREADS,
)

_SET_TYPES: Final = {"set", "frozenset", "Set", "FrozenSet", "AbstractSet", "MutableSet"}
_SET_MAKERS: Final = {"set", "frozenset"}
_SET_METHODS: Final = {
    "union", "intersection", "difference", "symmetric_difference", "copy",
}  # fmt: skip
_SET_OPERATORS: Final = (ast.BitOr, ast.BitAnd, ast.Sub, ast.BitXor)
# what does not depend on the order in which it is given things
_UNORDERED: Final = {
    "sorted", "set", "frozenset", "len", "min", "max", "any", "all", "sum", "bool",
    "collections.Counter", "isinstance", "type",
}  # fmt: skip
_ORDERED: Final = {
    "list", "tuple", "enumerate", "iter", "next", "zip", "map", "filter", "str", "repr",
    "dict.fromkeys", "collections.deque", "itertools.chain", "itertools.islice", "json.dumps",
    "itertools.cycle", "itertools.zip_longest", "asyncio.gather", "workflow.wait",
}  # fmt: skip
_MUTATORS: Final = {
    "append", "add", "update", "setdefault", "pop", "popitem", "clear", "extend", "insert",
    "remove", "discard", "appendleft", "popleft", "extendleft", "sort", "reverse",
}  # fmt: skip
_CONTAINERS: Final = {
    "dict", "list", "set", "collections.defaultdict", "collections.deque", "collections.Counter",
    "collections.OrderedDict", "weakref.WeakValueDictionary", "weakref.WeakKeyDictionary",
    "bytearray",
}  # fmt: skip
_SDK: Final = "temporalio.workflow"
_COROUTINES: Final = {
    *(
        f"{_SDK}.{name}"
        for name in (
            "sleep", "wait_condition", "wait", "execute_activity", "execute_activity_method",
            "execute_activity_class", "execute_local_activity", "execute_local_activity_method",
            "execute_local_activity_class", "execute_child_workflow", "start_child_workflow",
        )
    ),
    "asyncio.sleep", "asyncio.wait_for",
}  # fmt: skip
_SIGNALLED: Final = {
    f"{_SDK}.get_external_workflow_handle": {"signal", "cancel"},
    f"{_SDK}.get_external_workflow_handle_for": {"signal", "cancel"},
    f"{_SDK}.start_child_workflow": {"signal"},
}
_HANDLERS: Final = {f"{_SDK}.signal", f"{_SDK}.update"}
_WAITED_FOR: Final = {f"{_SDK}.all_handlers_finished", f"{_SDK}.wait_condition"}
_PATH_IO: Final = {
    "open", "read_text", "read_bytes", "write_text", "write_bytes", "exists", "is_file", "is_dir",
    "iterdir", "glob", "rglob", "mkdir", "unlink", "touch", "stat", "rename", "replace", "rmdir",
    "resolve", "absolute", "expanduser", "samefile",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shape:
    """A place in reached code that breaks a rule."""

    code: Code
    rule: str
    line: int
    uses: str


def shapes(reach: Reach) -> Iterator[Shape]:
    """All of them, in all the code that was reached."""
    for code in reach.code:
        yield from _Shapes(code, reach).found()
    yield from _unfinished(reach)


def _unfinished(reach: Reach) -> Iterator[Shape]:
    """Coroutines that handle signals and updates, where the run waits for nothing at all."""
    if any(use.dotted in _WAITED_FOR for use in reach.uses):
        return
    for code in reach.code:
        node = code.node
        if not isinstance(node, ast.AsyncFunctionDef) or not code.certain:
            continue
        for decorator in node.decorator_list:
            called = decorator.func if isinstance(decorator, ast.Call) else decorator
            if meaning(called, code.module) not in _HANDLERS or "ABANDON" in ast.unparse(decorator):
                continue
            if any(_takes_time(each, code) for each in ast.walk(node)):
                yield Shape(code, NOT_AWAITED, node.lineno, f"handler {node.name}")


def _takes_time(node: ast.AST, code: Code) -> bool:
    """Whether it awaits a command of the workflow, and not merely a queue or a lock."""
    call = node.value if isinstance(node, ast.Await) else None
    return isinstance(call, ast.Call) and meaning(call.func, code.module) in _COROUTINES


class _Shapes(ast.NodeVisitor):
    """One piece of code."""

    def __init__(self, code: Code, reach: Reach) -> None:
        self._code = code
        self._reach = reach
        self._local = Locals(code)
        self._found: list[Shape] = []
        self._globals: set[str] = set()
        self._annotated = _annotations(code.node)
        self._held = _held_sets(code, reach)

    def found(self) -> Iterator[Shape]:
        node = self._code.node
        for each in node.body if isinstance(node, Function) else [node]:
            self.visit(each)
        yield from self._found

    def _add(self, rule: str, node: ast.AST, uses: str) -> None:
        self._found.append(Shape(self._code, rule, getattr(node, "lineno", 0), uses))

    def _meaning(self, node: ast.AST) -> str:
        names = chain(node)
        if names and names[0] in self._local.names and names[0] not in self._local.imports:
            return ""
        return meaning(node, self._code.module, self._local.imports)

    # --- sets

    def _is_set(self, node: ast.expr) -> bool:
        match node:
            case ast.Set(elts=elements):
                return not all(_is_integer(each) for each in elements)
            case ast.SetComp():
                return True
            case ast.Call(func=func, args=args):
                return self._makes_set(func, args)
            case ast.BinOp(left=left, op=op, right=right) if isinstance(op, _SET_OPERATORS):
                return any(self._is_set(each) or _is_view(each) for each in (left, right))
            case ast.IfExp(body=body, orelse=other):
                return self._is_set(body) and self._is_set(other)
            case ast.NamedExpr(value=value):
                return self._is_set(value)
            case ast.Name(id=name):
                return self._named_set(name)
            case ast.Attribute(value=ast.Name(id="self"), attr=attribute):
                return attribute in self._held
            case ast.Attribute():
                return self._global_set(node)
        return False

    def _makes_set(self, func: ast.expr, args: Sequence[ast.expr]) -> bool:
        dotted = self._meaning(func)
        if dotted in _SET_MAKERS:
            return not (args and _is_range(args[0]))
        if isinstance(func, ast.Attribute) and func.attr in _SET_METHODS:
            return self._is_set(func.value)
        called = self._function(func, dotted)
        return called is not None and _says_set(called.returns)

    def _function(self, func: ast.expr, dotted: str) -> Function | None:
        """The project's own function that is called."""
        names = chain(func)
        owner = self._code.owner
        if len(names) == 2 and names[0] == "self" and owner is not None:
            for base in self._reach.line(owner):
                for each in base.module.classes[base.name].body:
                    if isinstance(each, Function) and each.name == names[1]:
                        return each
        own = self._reach.own(dotted, self._code.module)
        return own.module.functions.get(own.name) if own else None

    def _named_set(self, name: str) -> bool:
        if name in self._annotated:
            return _says_set(self._annotated[name])
        if name in self._local.names:
            values = self._local.assigned.get(name, [])
            # a name that stands for itself in its own value would never end
            known = [v for v in values if not _mentions(v, name)]
            return bool(known) and len(known) == len(values) and all(map(self._is_set, known))
        return self._global_set(ast.Name(id=name, ctx=ast.Load()))

    def _global_set(self, node: ast.expr) -> bool:
        own = self._reach.own(self._meaning(node), self._code.module)
        values = own.module.values.get(own.name, []) if own else []
        return bool(values) and all(_looks_like_set(value) for value in values)

    def _ordered(self, node: ast.expr, where: ast.AST, how: str) -> None:
        if self._is_set(node):
            self._add(SET_ORDER, where, f"{how} {_short(node)}")

    def visit_For(self, node: ast.For) -> None:
        if not all(_any_order(each) for each in node.body):
            self._ordered(node.iter, node, "for … in")
        self.generic_visit(node)

    def visit_ListComp(self, node: ast.ListComp) -> None:
        self._comprehension(node, node.generators)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        self._comprehension(node, node.generators)

    def visit_DictComp(self, node: ast.DictComp) -> None:
        self._comprehension(node, node.generators)

    def _comprehension(self, node: ast.expr, generators: list[ast.comprehension]) -> None:
        for each in generators:
            self._ordered(each.iter, node, "for … in")
        self.generic_visit(node)

    def visit_Starred(self, node: ast.Starred) -> None:
        if isinstance(node.ctx, ast.Load):
            self._ordered(node.value, node, "*")
        self.generic_visit(node)

    def visit_FormattedValue(self, node: ast.FormattedValue) -> None:
        self._ordered(node.value, node, "text of")
        self.generic_visit(node)

    def visit_Set(self, node: ast.Set) -> None:
        for each in node.elts:  # unpacked into another set, a set stays one
            self.visit(each.value if isinstance(each, ast.Starred) else each)

    # --- calls

    def visit_Call(self, node: ast.Call) -> None:
        dotted = self._meaning(node.func)
        given = [*node.args, *(keyword.value for keyword in node.keywords)]
        if dotted in _UNORDERED:
            self.visit(node.func)
            for each in given:
                self._in_any_order(each)
            return
        if dotted in _ORDERED or dotted.startswith(f"{_SDK}.") or _joins(node.func):
            for each in given:
                self._ordered(each, node, f"{_short(node.func)} of")
        self._popped(node)
        self._mutated(node, dotted)
        self._unseeded(node, dotted, given)
        self._files(node)
        if isinstance(node.func, ast.Attribute) and node.func.attr == "run_in_executor":
            self._add(THREADS, node, "run_in_executor")
        self.generic_visit(node)

    def _in_any_order(self, node: ast.expr) -> None:
        """An argument whose order does not matter: what only hands it on may be ordered."""
        match node:
            case ast.GeneratorExp(generators=generators) | ast.ListComp(generators=generators):
                for part in generators:
                    self._in_any_order(part.iter)
                    for condition in part.ifs:
                        self.visit(condition)
                self.visit(node.elt)
            case ast.Call(func=func, args=args) if self._meaning(func) in {
                "list", "tuple", "map", "filter", "iter",
            }:  # fmt: skip
                for each in args:
                    self._in_any_order(each)
            case ast.List(elts=elements) | ast.Tuple(elts=elements):
                for each in elements:
                    self._in_any_order(each)
            case ast.Starred(value=value):
                self._in_any_order(value)
            case _:
                self.visit(node)

    def _popped(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Attribute) and node.func.attr == "pop" and not node.args:
            self._ordered(node.func.value, node, "pop of")

    def _unseeded(self, node: ast.Call, dotted: str, given: Sequence[ast.expr]) -> None:
        if dotted == "random.Random" and (not given or _is_none(given[0])):
            self._add(RANDOMNESS, node, "random.Random without a seed")
        local = dotted == "datetime.datetime.fromtimestamp" and len(given) < 2
        if local or (_called(node) == "astimezone" and not given):
            self._add(CLOCK, node, f"the local time zone in {_short(node.func)}")

    def _files(self, node: ast.Call) -> None:
        func = node.func
        if isinstance(func, ast.Attribute) and func.attr in _PATH_IO and self._is_path(func.value):
            self._add(FILES, node, f"pathlib.Path.{func.attr}")

    def _is_path(self, node: ast.expr) -> bool:
        match node:
            case ast.Call(func=func):
                return self._meaning(func) == "pathlib.Path"
            case ast.BinOp(left=left, op=ast.Div()):
                return self._is_path(left)
            case ast.Name(id=name) if name in self._local.names:
                values = self._local.assigned.get(name, [])
                return bool(values) and all(
                    not _mentions(each, name) and self._is_path(each) for each in values
                )
            case ast.Name() | ast.Attribute():
                own = self._reach.own(self._meaning(node), self._code.module)
                made = own.module.values.get(own.name, []) if own else []
                return own is not None and any(
                    isinstance(each, ast.Call) and meaning(each.func, own.module) == "pathlib.Path"
                    for each in made
                )
        return False

    # --- state of modules

    def visit_Global(self, node: ast.Global) -> None:
        self._globals |= set(node.names)

    def visit_Name(self, node: ast.Name) -> None:
        if node.id in self._globals and not isinstance(node.ctx, ast.Load):
            self._add(GLOBAL_STATE, node, f"global {node.id} is set")

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            if isinstance(target, ast.Tuple | ast.List):
                self._ordered(node.value, node, "unpacking of")
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if not isinstance(node.ctx, ast.Load):
            self._stored(node)
        self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if not isinstance(node.ctx, ast.Load):
            self._stored(node)
        self.generic_visit(node)

    def _stored(self, node: ast.Attribute | ast.Subscript) -> None:
        """Something below a global, a class or a module is set or deleted."""
        names = chain(node.value)
        own_class = names[:2] == ["self", "__class__"] or (
            isinstance(node.value, ast.Call) and self._meaning(node.value.func) == "type"
        )
        if own_class or self._is_global(node.value):
            self._add(GLOBAL_STATE, node, f"{_short(node)} is set")

    def _is_global(self, node: ast.expr) -> bool:
        dotted = self._meaning(node)
        if not dotted or chain(node)[0] == "self":
            return False
        own = self._reach.own(dotted, self._code.module)
        return own is not None and (own.name in own.module.values or own.name in own.module.classes)

    def _mutated(self, node: ast.Call, dotted: str) -> None:
        func = node.func
        if dotted == "next" and node.args and self._is_global(node.args[0]):
            self._add(GLOBAL_STATE, node, f"next({_short(node.args[0])})")
        if not isinstance(func, ast.Attribute) or func.attr not in _MUTATORS:
            return
        own = self._reach.own(self._meaning(func.value), self._code.module)
        values = own.module.values.get(own.name, []) if own else []
        if own and any(_is_container(value, own.module) for value in values):
            self._add(GLOBAL_STATE, node, _short(func))

    # --- what is not awaited

    def visit_Expr(self, node: ast.Expr) -> None:
        call = node.value
        if isinstance(call, ast.Call):
            dotted = self._meaning(call.func)
            own = self._function(call.func, dotted)
            if (
                dotted in _COROUTINES
                or self._signals(call.func)
                or (isinstance(own, ast.AsyncFunctionDef) and not _yields(own))
            ):
                self._add(NOT_AWAITED, node, _short(call.func))
        self.generic_visit(node)

    def _signals(self, func: ast.expr) -> bool:
        if not isinstance(func, ast.Attribute) or not isinstance(func.value, ast.Name):
            return False
        for value in self._local.assigned.get(func.value.id, []):
            made = value.value if isinstance(value, ast.Await) else value
            if isinstance(made, ast.Call) and func.attr in _SIGNALLED.get(
                self._meaning(made.func), ()
            ):
                return True
        return False

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._inner(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._inner(node)

    def _inner(self, node: Function) -> None:
        for each in node.body:
            self.visit(each)


def _annotations(node: ast.AST) -> dict[str, ast.expr]:
    """The annotations of parameters and local names, in the function and those in it."""
    found: dict[str, ast.expr] = {}
    for each in ast.walk(node):
        match each:
            case ast.arg(arg=name, annotation=ast.expr() as annotation):
                found[name] = annotation
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation):
                found[name] = annotation
    return found


def _held_sets(code: Code, reach: Reach) -> frozenset[str]:
    """The attributes of `self` that are sets wherever its class sets them."""
    said: dict[str, list[bool]] = {}
    for base in reach.line(code.owner) if code.owner is not None else ():
        for each in ast.walk(base.module.classes[base.name]):
            for target, is_set in _set_targets(each):
                names = chain(target)
                if len(names) == 2 and names[0] == "self":
                    said.setdefault(names[1], []).append(is_set)
    return frozenset(name for name, sets in said.items() if all(sets))


def _set_targets(node: ast.AST) -> Iterator[tuple[ast.expr, bool]]:
    match node:
        case ast.AnnAssign(target=target, annotation=annotation):
            yield target, _says_set(annotation)
        case ast.Assign(targets=targets, value=value):
            for each in targets:
                yield each, _looks_like_set(value)


def _says_set(annotation: ast.expr | None) -> bool:
    """Whether an annotation says that something is a set, and not one of integers."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        try:
            annotation = ast.parse(annotation.value, mode="eval").body
        except SyntaxError:
            return False
    if isinstance(annotation, ast.Subscript):
        integers = isinstance(annotation.slice, ast.Name) and annotation.slice.id in ("int", "bool")
        return not integers and _says_set(annotation.value)
    names = chain(annotation) if annotation is not None else []
    return bool(names) and names[-1] in _SET_TYPES


def _looks_like_set(node: ast.expr) -> bool:
    """The same as `_is_set`, for what is known without its surroundings."""
    match node:
        case ast.Set(elts=elements):
            return not all(_is_integer(each) for each in elements)
        case ast.SetComp():
            return True
        case ast.Call(func=ast.Name(id=name), args=args):
            return name in _SET_MAKERS and not (
                args
                and (_is_range(args[0]) or isinstance(args[0], ast.Set))
                and not _looks_like_set(args[0])
            )
    return False


def _is_container(node: ast.expr, module: Module) -> bool:
    match node:
        case ast.Dict() | ast.List() | ast.Set() | ast.ListComp() | ast.DictComp() | ast.SetComp():
            return True
        case ast.Call(func=func):
            return meaning(func, module) in _CONTAINERS
    return False


def _any_order(statement: ast.stmt) -> bool:
    """Whether a loop's statement comes to the same in any order."""
    match statement:
        case ast.Pass() | ast.Continue() | ast.Break():
            return not isinstance(statement, ast.Break)
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr=name))):
            return name in ("add", "discard")
        case ast.AugAssign(op=ast.BitOr() | ast.BitAnd()):
            return True
        case ast.AugAssign(op=ast.Add() | ast.Sub(), value=ast.Constant(value=int())):
            return True
        case ast.Return(value=None | ast.Constant()):
            return True
        case ast.If(body=body, orelse=other):
            return all(_any_order(each) for each in (*body, *other))
    return False


def _is_integer(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int)


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_range(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and chain(node.func) == ["range"]


def _is_view(node: ast.expr) -> bool:
    """`d.keys()` or `d.items()`: what set operators make of them is a set."""
    return isinstance(node, ast.Call) and not node.args and _called(node) in ("keys", "items")


def _joins(func: ast.expr) -> bool:
    return (
        isinstance(func, ast.Attribute)
        and func.attr == "join"
        and isinstance(func.value, ast.Constant | ast.JoinedStr)
    )


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else ""


def _mentions(node: ast.expr, name: str) -> bool:
    return any(isinstance(each, ast.Name) and each.id == name for each in ast.walk(node))


def _yields(function: ast.AsyncFunctionDef) -> bool:
    return any(isinstance(each, ast.Yield) for each in ast.walk(function))


def _short(node: ast.AST) -> str:
    text = ast.unparse(node)
    return text if len(text) <= 60 else f"{text[:57]}..."
