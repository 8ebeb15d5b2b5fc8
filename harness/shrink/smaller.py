"""The ways to make a saga smaller, each a saga that can be driven to its end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from harness.contract.program import Behaviour, Child, Node, Step, Timer, Wait
from harness.groups import CALM
from harness.program_file import Nodes, ProgramFile, unfit
from harness.scenario import Cancel, KillWorker, Script, Signal, Terminate
from harness.shrink.search import parts

LONG_MS: Final = 200  # of a timer that nobody cuts short
_FAULTS: Final = ("behaviour", "compensation_behaviour")
_PLAIN: Final = Behaviour()


def size(file: ProgramFile) -> tuple[int, ...]:
    """Nodes, then what is done to the saga, then faults, then the numbers in all of them."""
    steps = list(_steps(file.program.nodes))
    faults = [f for step in steps for f in (step.behaviour, step.compensation_behaviour)]
    numbers = [step.retry.max_attempts for step in steps]
    numbers += [
        int(value)
        for each in faults
        for value in msgspec.to_builtins(each).values()
        if isinstance(value, int)
    ]
    timers = [n.duration_ms for n in file.program.nodes if isinstance(n, Timer)]
    fields = sum(len(msgspec.to_builtins(each)) for each in faults)
    done = len(file.script) + len(file.rpc)
    return _count(file.program.nodes), done, fields, sum(numbers) + sum(timers)


def smaller(file: ProgramFile) -> list[ProgramFile]:
    """All that is one step smaller, as far as it would come to an end."""
    return [
        each
        for made in _made(file)
        if not unfit((each := _tidy(made)).program.nodes, each.script, each.group)
    ]


def _made(file: ProgramFile) -> Iterator[ProgramFile]:
    nodes = file.program.nodes
    for kept in parts(len(nodes)):
        yield _kept(file, kept)
    for number, node in enumerate(nodes):
        if isinstance(node, Child):
            yield _flat(file, number, node)
        for other in _simpler(node):
            yield _with(file, [*nodes[:number], other, *nodes[number + 1 :]])
    for number in range(len(file.script)):
        yield _with(file, nodes, [*file.script[:number], *file.script[number + 1 :]])
    for number in range(len(file.rpc)):
        yield msgspec.structs.replace(file, rpc=[*file.rpc[:number], *file.rpc[number + 1 :]])
    if any(_plain(node) != node for node in nodes):
        yield _with(file, [_plain(node) for node in nodes])


def _simpler(node: Node) -> Iterator[Node]:
    """A node with less to it."""
    match node:
        case Timer(duration_ms=duration_ms) if duration_ms > 1:
            yield Timer(duration_ms=1)
        case Child(program=program):
            for kept in parts(len(program.nodes)):
                inner = [program.nodes[number] for number in kept]
                if inner:
                    yield Child(program=msgspec.structs.replace(program, nodes=inner))
            for number, each in enumerate(program.nodes):
                for other in _simpler(each):
                    inner = [*program.nodes[:number], other, *program.nodes[number + 1 :]]
                    yield Child(program=msgspec.structs.replace(program, nodes=inner))
        case Step():
            yield from _simpler_step(node)


def _simpler_step(step: Step) -> Iterator[Step]:
    for name in _FAULTS:
        behaviour: Behaviour = getattr(step, name)
        for field, value in msgspec.to_builtins(behaviour).items():
            for lower in _lower(value):
                changed = msgspec.structs.replace(behaviour, **{field: lower})
                yield msgspec.structs.replace(step, **{name: changed})
        if behaviour != _PLAIN:
            yield msgspec.structs.replace(step, **{name: _PLAIN})
    for lower in _lower(step.retry.max_attempts)[:-1]:
        retry = msgspec.structs.replace(step.retry, max_attempts=lower)
        yield msgspec.structs.replace(step, retry=retry)


def _lower(value: Any) -> list[Any]:
    """Lower values of a field, its default the last."""
    match value:
        case bool():
            return [False]
        case int():
            return [
                each for each in dict.fromkeys((1, value // 2, value - 1)) if 0 < each < value
            ] + [0]
        case str():
            return [""]
    return []


def _plain(node: Node) -> Node:
    if not isinstance(node, Step):
        return node
    return msgspec.structs.replace(node, **dict.fromkeys(_FAULTS, _PLAIN))


def _kept(file: ProgramFile, kept: Sequence[int]) -> ProgramFile:
    """Only these nodes, and of the script what still speaks of one of them."""
    place = {old: new for new, old in enumerate(kept)}
    script = [moved for act in file.script if (moved := _moved(act, place)) is not None]
    return _with(file, [file.program.nodes[number] for number in kept], script)


def _flat(file: ProgramFile, number: int, child: Child) -> ProgramFile:
    """A child's nodes in the place of the child."""
    nodes, inner = file.program.nodes, child.program.nodes
    place = {n: n + (len(inner) - 1) * (n > number) for n in range(len(nodes)) if n != number}
    script = [moved for act in file.script if (moved := _moved(act, place)) is not None]
    return _with(file, [*nodes[:number], *inner, *nodes[number + 1 :]], script)


def _moved(act: Script, place: dict[int, int]) -> Script | None:
    match act:
        case Cancel(after_step=step) | Terminate(after_step=step):
            if step not in place:
                return None
            return msgspec.structs.replace(act, after_step=place[step])
        case KillWorker(at_step=step):
            if step not in place:
                return None
            return msgspec.structs.replace(act, at_step=place[step])
    return act


def _with(
    file: ProgramFile, nodes: Sequence[Node], script: Sequence[Script] | None = None
) -> ProgramFile:
    return msgspec.structs.replace(
        file,
        program=Nodes(nodes=list(nodes)),
        script=list(file.script if script is None else script),
    )


def _tidy(file: ProgramFile) -> ProgramFile:
    """Without what has lost its sense: signals of no wait, a crash of nothing, long timers."""
    nodes, script = file.program.nodes, list(file.script)
    awaited = {node.signal for node in nodes if isinstance(node, Wait)}
    script = [act for act in script if not isinstance(act, Signal) or act.name in awaited]
    held = {number for number, node in enumerate(nodes) if isinstance(node, Step) and _held(node)}
    script = [act for act in script if not isinstance(act, KillWorker) or act.at_step in held]
    if not any(isinstance(act, Cancel | Terminate) for act in script):
        nodes = [
            Timer(duration_ms=min(n.duration_ms, LONG_MS)) if isinstance(n, Timer) else n
            for n in nodes
        ]
    return msgspec.structs.replace(
        _with(file, nodes, script), group=file.group if held or file.rpc else CALM
    )


def _held(node: Step) -> bool:
    return bool(node.behaviour.hold or node.compensation_behaviour.hold)


def _steps(nodes: Sequence[Node]) -> Iterator[Step]:
    for node in nodes:
        if isinstance(node, Step):
            yield node
        elif isinstance(node, Child):
            yield from _steps(node.program.nodes)


def _count(nodes: Sequence[Node]) -> int:
    return sum(1 + (_count(node.program.nodes) if isinstance(node, Child) else 0) for node in nodes)
