"""A saga in words, one line for each node and each thing done to it."""

from __future__ import annotations

import msgspec

from harness.contract.program import Behaviour, Child, ContinueAsNew, Node, Step, Timer, Wait
from harness.program_file import ProgramFile
from harness.scenario import (
    Annotate,
    Cancel,
    KillWorker,
    PdpAway,
    PdpBack,
    Redeliver,
    Revoke,
    Script,
    Signal,
    Terminate,
)


def in_words(file: ProgramFile) -> list[str]:
    """Its nodes in order, then its script."""
    nodes = [f"{number}. {_node(node)}" for number, node in enumerate(file.program.nodes)]
    calls = [f"{fault.action} of {fault.method} (call {fault.first})" for fault in file.rpc]
    return [*nodes, *(f"- {each}" for each in (*map(_act, file.script), *calls))]


def _node(node: Node) -> str:
    match node:
        case Wait(signal=signal):
            return f"wait for {signal}"
        case Timer(duration_ms=duration_ms):
            return f"sleep {duration_ms} ms"
        case Child(program=program):
            return f"child ({'; '.join(map(_node, program.nodes))})"
        case ContinueAsNew():
            return "continue as new"
        case Step():
            return _step(node)


def _step(step: Step) -> str:
    faults = [_faults(step.behaviour)]
    if step.compensation_behaviour != Behaviour():
        faults.append(f"its {step.compensation} {_faults(step.compensation_behaviour)}")
    told = ", ".join(each for each in faults if each)
    attempts = f"{step.retry.max_attempts} attempts"
    return f"{step.service}.{step.operation}, {attempts}" + (f", {told}" if told else "")


def _faults(behaviour: Behaviour) -> str:
    given = msgspec.to_builtins(behaviour)
    return ", ".join(f"{name} {value}" for name, value in given.items())


def _act(act: Script) -> str:
    match act:
        case Signal(name=name, id=identity, when=when):
            return f"signal {name} with id {identity} ({when})"
        case Annotate(id=identity, when=when):
            return f"update with id {identity} ({when})"
        case Revoke(after_step=step):
            return f"revoke what step {step} was allowed, after its effect"
        case PdpAway(after_step=step):
            return f"the PDP goes away after step {step}"
        case PdpBack():
            return "the PDP comes back"
        case Cancel(after_step=step):
            return f"cancel after step {step}"
        case Terminate(after_step=step):
            return f"terminate after step {step}"
        case KillWorker(at_step=step, release=release):
            return f"kill the worker while step {step} is held, then {release}"
        case Redeliver(when=when):
            return f"start it again under another workflow id ({when})"
