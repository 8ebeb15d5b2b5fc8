"""The operations that the workloads are made of."""

from __future__ import annotations

from typing import Any, Final

from harness.contract.noop import EAGER, LOCAL, ORDINARY, WORKFLOW_TYPE, noops
from harness.contract.program import FORWARD, Node, SagaProgram, Wait, step, to_json
from harness.load.workload import Argument, Kind, Operation

NOOPS_OF_A_RUN: Final = 5


def four_steps(tenant: str, saga_id: str) -> dict[str, Any]:
    """One step at each of the four services, all of which behave."""
    nodes = [step(number, f"{saga_id}-{number}") for number in range(len(FORWARD))]
    return _program(tenant, saga_id, *nodes)


def nothing(tenant: str, saga_id: str) -> dict[str, Any]:
    """No step: the run ends with its first task."""
    return _program(tenant, saga_id)


def waits(tenant: str, saga_id: str) -> dict[str, Any]:
    """Waits for a signal that nobody sends."""
    return _program(tenant, saga_id, Wait(signal="never"))


def does_nothing(how: str) -> Argument:
    """Some no-op activities, one after the other."""
    return lambda tenant, saga_id: noops(tenant, saga_id, NOOPS_OF_A_RUN, how)


def _noop(name: str, how: str, weight: int) -> Operation:
    return Operation(
        name=name,
        kind=Kind.RUN,
        weight=weight,
        argument=does_nothing(how),
        workflow_type=WORKFLOW_TYPE,
    )


def _program(tenant: str, saga_id: str, *nodes: Node) -> dict[str, Any]:
    return to_json(SagaProgram(tenant=tenant, saga_id=saga_id, nodes=[*nodes]))


SAGA: Final = Operation(name="saga", kind=Kind.RUN, argument=four_steps)
PROBE: Final = Operation(name="probe", kind=Kind.RUN, argument=four_steps)
START: Final = Operation(name="start", kind=Kind.START, argument=nothing)
MESSAGES: Final = (
    Operation(name="signal", kind=Kind.SIGNAL),
    Operation(name="query", kind=Kind.QUERY),
)
NOOPS: Final = (
    _noop("noop", ORDINARY, 4),
    _noop("noop-local", LOCAL, 1),
    _noop("noop-eager", EAGER, 1),
)
READS: Final = tuple(
    Operation(name=kind.name.lower(), kind=kind)
    for kind in (Kind.DESCRIBE, Kind.HISTORY, Kind.QUERY, Kind.LIST, Kind.COUNT)
)
