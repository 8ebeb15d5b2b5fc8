"""The sagas that were driven, children included, and which of them came to an end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from harness.checks.check import Evidence
from harness.checks.histories.remember import remembered
from harness.checks.histories.run import Run, runs, whole_numbers
from harness.contract.program import Behaviour, Retry
from harness.journal.records import History, Program

Place = tuple[str, str, int, str]  # tenant, saga id, step, direction: one business effect

COMPENSATION_RETRY: Final = Retry(max_attempts=10)
_NOTHING: Final[dict[str, Any]] = {}


@dataclass(frozen=True, slots=True)
class Saga:
    """One saga of a program that was driven: the program's own, or a child's in it."""

    program: Program
    tenant: str
    saga_id: str
    workflow_id: str
    nodes: tuple[dict[str, Any], ...]

    @property
    def name(self) -> str:
        """Tenant, workflow id and saga, for a witness."""
        return f"{self.tenant} {self.workflow_id} saga {self.saga_id}"

    def node(self, step: int) -> dict[str, Any]:
        """The node of a number, empty if it is no step."""
        node = self.nodes[step] if 0 <= step < len(self.nodes) else _NOTHING
        return node if node.get("kind") == "step" else _NOTHING

    def retry(self, step: int, direction: str) -> Retry:
        """The retry policy of a step; compensations have the contract's."""
        if direction == "compensation":
            return COMPENSATION_RETRY
        given = self.node(step).get("retry", _NOTHING)
        known = {name: given[name] for name in Retry.__struct_fields__ if name in given}
        return msgspec.convert(known, Retry)  # a worker ignores what else stands there

    def behaviour(self, step: int, direction: str) -> Behaviour:
        """How the service was told to behave towards a step."""
        name = "behaviour" if direction == "forward" else "compensation_behaviour"
        return msgspec.convert(self.node(step).get(name, _NOTHING), Behaviour)


def steps_of(nodes: Any) -> list[int]:
    """The numbers of the nodes that are steps."""
    found = nodes if isinstance(nodes, list | tuple) else ()
    return [
        number
        for number, node in enumerate(found)
        if isinstance(node, dict) and node.get("kind") == "step"
    ]


@remembered(Program)
def sagas(evidence: Evidence) -> dict[tuple[str, str], Saga]:
    """Every saga that was driven, by (tenant, saga id); of one that was delivered again under
    another workflow id, the last."""
    return {(saga.tenant, saga.saga_id): saga for saga in _delivered(evidence)}


@remembered(Program)
def groups(evidence: Evidence) -> dict[tuple[str, str], str]:
    """The group that each (tenant, workflow id) was driven in, children included."""
    return {(saga.tenant, saga.workflow_id): saga.program.group for saga in _delivered(evidence)}


def _delivered(evidence: Evidence) -> Iterator[Saga]:
    """Every saga, as often as it was delivered."""
    for program in evidence.of(Program):
        yield from _sagas_in(program, program.program, program.workflow_id)


def _sagas_in(program: Program, plain: dict[str, Any], workflow_id: str) -> Iterator[Saga]:
    given = whole_numbers(list(plain.get("nodes", ())))
    nodes = tuple(node for node in given if isinstance(node, dict))
    saga_id = str(plain.get("saga_id", program.saga_id))
    yield Saga(program, program.tenant, saga_id, workflow_id, nodes)
    for number, node in enumerate(nodes):
        if node.get("kind") == "child":
            yield from _sagas_in(program, node.get("program", {}), f"{workflow_id}/{number}")


@dataclass(frozen=True, slots=True)
class Coverage:
    """What was driven for one assertion. `fed` are its sagas, `ended` those that came to an end."""

    fed: tuple[Saga, ...]
    ended: tuple[Saga, ...]

    @property
    def lacks(self) -> str:
        """Why nothing can be concluded from what was driven; empty if something can."""
        if not self.fed:
            return "no saga was driven for it"
        if not self.ended:
            return f"none of the {len(self.fed)} sagas driven for it came to a recorded end"
        return ""


@remembered(Program, History)
def ended_runs(evidence: Evidence) -> dict[tuple[str, str], list[Run]]:
    """The runs that came to an end, by (tenant, workflow id)."""
    found: dict[tuple[str, str], list[Run]] = {}
    for run in runs(evidence).values():
        if run.ended:
            found.setdefault((run.tenant, run.history.workflow_id), []).append(run)
    return found


def coverage(evidence: Evidence, assertion_id: str) -> Coverage:
    """The sagas that were driven for an assertion, children included."""
    return _coverages(evidence).get(assertion_id, Coverage((), ()))


@remembered(Program, History)
def _coverages(evidence: Evidence) -> dict[str, Coverage]:
    ends = ended_runs(evidence)
    fed: dict[str, list[Saga]] = {}
    for saga in sagas(evidence).values():
        for assertion_id in saga.program.feeds:
            fed.setdefault(assertion_id, []).append(saga)
    return {
        assertion_id: Coverage(
            tuple(found), tuple(each for each in found if (each.tenant, each.workflow_id) in ends)
        )
        for assertion_id, found in fed.items()
    }
