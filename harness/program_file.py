"""Program files: one saga with what is done to it, as `harness verify --program` takes it.

The form is `harness/contract/schemas/program-file.json`. What is drawn in a drive is kept in the
trial's folder in this form, and what is shrunk is printed in it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from harness import contract
from harness.contract.program import PROGRAM_VERSION, Node, Step, Wait
from harness.errors import UsageError
from harness.groups import CALM, CRASH, GROUPS, KILLED, WIRE
from harness.journal.records import UNDECODABLE, Program
from harness.scenario import Cancel, Case, KillWorker, RpcFault, Script, Signal, Terminate, breaks

SCHEMAS: Final = Path(contract.__file__).parent / "schemas"
SUITE: Final = "program"  # of the cases that came from files


class _Form(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    pass


class Nodes(_Form, frozen=True, kw_only=True):
    """The program without tenant and saga id, which the drive fills in."""

    nodes: list[Node]
    contract: str = PROGRAM_VERSION


class ProgramFile(_Form, frozen=True, kw_only=True):
    """A case, and in `found` where it comes from."""

    name: str
    feeds: list[str]
    program: Nodes
    script: list[Script] = []
    rpc: list[RpcFault] = []
    tenants: Literal["all"] | int = 0
    group: str = CALM
    found: dict[str, str] = {}

    @property
    def case(self) -> Case:
        """The case to drive."""
        return Case(
            name=self.name, feeds=tuple(self.feeds), nodes=tuple(self.program.nodes),
            script=tuple(self.script), rpc=tuple(self.rpc), tenants=self.tenants, group=self.group,
            needs=_needs(self.program.nodes), drawn=True,
        )  # fmt: skip

    def to_json(self) -> bytes:
        """The bytes of the file."""
        plain = msgspec.to_builtins(self)
        plain["program"] = _written_out(plain["program"])
        return msgspec.json.format(msgspec.json.encode(plain), indent=1) + b"\n"


def _written_out(program: dict[str, Any]) -> dict[str, Any]:
    """A program and its children with the contract's version, which the schema wants."""
    nodes = [
        {**node, "program": _written_out(node["program"])} if node["kind"] == "child" else node
        for node in program["nodes"]
    ]
    return {"contract": PROGRAM_VERSION, **program, "nodes": nodes}


def file_of(case: Case, **found: str) -> ProgramFile:
    """A case in the form of a file."""
    return ProgramFile(
        name=case.name, feeds=list(case.feeds), program=Nodes(nodes=list(case.nodes)),
        script=list(case.script), rpc=list(case.rpc), tenants=case.tenants, group=case.group,
        found=found,
    )  # fmt: skip


def file_from(program: Program, tenants: Sequence[str], **found: str) -> ProgramFile:
    """What was driven, out of its record alone; `tenants` in the order of the target."""
    return ProgramFile(
        name=program.case, feeds=program.feeds, group=program.group, found=found,
        program=Nodes(nodes=msgspec.convert(program.program["nodes"], list[Node])),
        script=msgspec.convert(program.script, list[Script]),
        rpc=msgspec.convert(program.rpc, list[RpcFault]),
        tenants=tenants.index(program.tenant),
    )  # fmt: skip


def _needs(nodes: Sequence[Node]) -> frozenset[str]:
    capabilities = {"Child": "children", "ContinueAsNew": "continue_as_new"}
    kinds = (type(node).__name__ for node in nodes)
    return frozenset(capabilities[kind] for kind in kinds if kind in capabilities)


def read_program_file(path: Path, tenants: int, allowed: Collection[str]) -> ProgramFile:
    """A file for a target with so many tenants that allows so much to be broken.

    Raises `UsageError`: what is wrong, where in which file, and what to do.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; give the path of a program file") from None
    try:
        plain = msgspec.json.decode(raw)
    except UNDECODABLE as error:
        raise UsageError(f"{path}: not JSON ({error}); write it as {_SCHEMA} says") from None
    try:
        file = msgspec.convert(plain, ProgramFile)
    except msgspec.ValidationError as error:
        raise UsageError(f"{path}: {error}; write it as {_SCHEMA} says") from None
    problem = _misfit(plain) or _nonsense(file, tenants, allowed)
    if problem:
        raise UsageError(f"{path}: {problem}")
    return file


_SCHEMA: Final = "harness/contract/schemas/program-file.json"


def _misfit(plain: Any) -> str:
    """The first value that the schema forbids, and where it is."""
    from jsonschema.exceptions import best_match

    error = best_match(_validator().iter_errors(plain))
    if error is None:
        return ""
    return f"{error.json_path}: {error.message[:200]}; write it as {_SCHEMA} says"


@cache
def _validator() -> Any:
    from jsonschema import Draft202012Validator
    from referencing import Registry, Resource

    schemas = {
        f"{name}.json": msgspec.json.decode((SCHEMAS / f"{name}.json").read_bytes())
        for name in ("program", "program-file")
    }
    registry: Any = Registry()
    for name, schema in schemas.items():
        registry = registry.with_resource(name, Resource.from_contents(schema))
    return Draft202012Validator(schemas["program-file.json"], registry=registry)


def _nonsense(file: ProgramFile, tenants: int, allowed: Collection[str]) -> str:
    """What fits the schema and still cannot be driven."""
    forbidden = sorted(breaks(file.case) - set(allowed))
    if forbidden:
        return (
            f"$: it needs {', '.join(forbidden)}, which the target does not allow; "
            "take that out of the file, or allow it (allow.faults)"
        )
    if isinstance(file.tenants, int) and file.tenants >= tenants:
        return f"$.tenants: {file.tenants}, the target has {tenants}; give a position from 0"
    if file.group not in GROUPS:
        return f"$.group: {file.group!r} is no group; groups: {', '.join(GROUPS)}"
    if file.rpc and not GROUPS[file.group].tapped:
        return f"$.group: faults of single calls need the group {WIRE!r}"
    return unfit(file.program.nodes, file.script, file.group)


def unfit(nodes: Sequence[Node], script: Sequence[Script], group: str) -> str:
    """Why a saga with this script would hang or not do what it says; empty if it is fit."""
    sent = {act.name for act in script if isinstance(act, Signal)}
    for number, node in enumerate(nodes):
        if isinstance(node, Wait) and node.signal not in sent:
            return f"$.program.nodes[{number}]: nobody sends {node.signal!r}; add it to the script"
    for number, act in enumerate(script):
        step = _step_of(act)
        if step is not None and not (step < len(nodes) and isinstance(nodes[step], Step)):
            return f"$.script[{number}]: node {step} is no step; give the number of one"
    held = [n for n, node in enumerate(nodes) if isinstance(node, Step) and _held(node)]
    if held and group not in KILLED:
        return f"$.group: node {held[0]} is held for a crash, so the group must be {CRASH!r}"
    return ""


def _held(node: Step) -> bool:
    return bool(node.behaviour.hold or node.compensation_behaviour.hold)


def _step_of(act: Script) -> int | None:
    match act:
        case Cancel(after_step=step) | Terminate(after_step=step) | KillWorker(at_step=step):
            return step
    return None
