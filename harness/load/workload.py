"""What a load does: operations with their shares, and the argument of what is started."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from harness.contract.program import WORKFLOW_TYPE
from harness.errors import UsageError
from harness.load.plan import MOST_WEIGHT

NOOP: Final = "noop"  # the workload that needs the capability of this name
NEIGHBOURS: Final = "neighbours"  # one tenant's normal work, while another floods
_SAGAS: Final = ("SLO-START-1", "SLO-REL-1", "CAP-3", "CAP-5", "CAP-7")
WORKLOADS: Final[Mapping[str, tuple[str, ...]]] = {
    "saga": _SAGAS,
    "start": ("SLO-START-1",),
    NOOP: ("SLO-START-1", "SLO-ACT-1"),
    "messages": (),
    "visibility": ("SLO-VIS-1",),
    "probe": (*_SAGAS, "SLO-AVL-1"),
    "mix": ("SLO-START-1", "SLO-REL-1", "CAP-3", "SLO-VIS-1", "SLO-AVL-1"),
    NEIGHBOURS: ("INV-ISO-14", "THR-D"),
}
"""The Locust files in scenarios/load/, and the assertions that each can show."""
Argument = Callable[[str, str], dict[str, Any]]
"""(tenant, saga id) → the workflow's one JSON argument"""


class Kind(enum.Enum):
    """What an operation asks of the platform, and when it is done."""

    RUN = "a workflow is started and followed to its end"
    START = "a workflow is started"
    SIGNAL = "a run that waits gets a signal"
    QUERY = "a run that waits is asked for its state, which a worker answers"
    DESCRIBE = "a run is described"
    HISTORY = "the first page of a run's history is read"
    LIST = "the first page of all runs is listed"
    COUNT = "the open runs are counted"


STARTING: Final = frozenset({Kind.RUN, Kind.START})
READING: Final = frozenset({Kind.QUERY, Kind.DESCRIBE, Kind.HISTORY, Kind.LIST, Kind.COUNT})
"""What the ADR's limit for visibility speaks of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One kind of arrival; `weight` is its part of a workload, `argument` of what is started."""

    name: str
    kind: Kind
    weight: int = 1
    argument: Argument | None = None
    workflow_type: str = WORKFLOW_TYPE


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A workload by name. `waiting` is the argument of the runs that signals and reads are for."""

    name: str
    operations: tuple[Operation, ...]
    waiting: Argument | None = None

    @property
    def weights(self) -> list[int]:
        """The operations' shares, in whole parts."""
        return [each.weight for each in self.operations]

    @property
    def needs_waiting(self) -> bool:
        """Whether runs must be there that wait."""
        return any(each.kind not in STARTING for each in self.operations)

    @property
    def reads(self) -> bool:
        """Whether it matters how many runs there are."""
        return any(each.kind in READING for each in self.operations)

    def mixed(self, weights: Mapping[str, int]) -> Workload:
        """The workload with these shares; an operation that is not named is left out.

        Without any it is as it is. Raises `UsageError` for a name that it does not have.
        """
        if not weights:
            return self
        known = {each.name: each for each in self.operations}
        unknown = [name for name in weights if name not in known]
        if unknown:
            raise UsageError(
                f"workload {self.name} has no operation {unknown[0]!r}; it has {', '.join(known)}"
            )
        chosen = [replace(known[name], weight=weight) for name, weight in weights.items() if weight]
        return replace(self, operations=tuple(chosen))


def parse_mix(text: str) -> dict[str, int]:
    """The weights in `saga=4,query=2`, or, as shares of a whole, in `saga=80%,query=20%`.

    Raises `UsageError` for what is no whole number up to `MOST_WEIGHT`, for a name given twice, for
    shares that do not add up to 100 %, and for weights that are all 0.
    """
    parts = [part.partition("=") for part in text.split(",") if part.strip()]
    pairs = [(name.strip(), raw.strip()) for name, _, raw in parts]
    names = [name for name, _ in pairs]
    problems = [f"{name} is given twice" for name in sorted({*names}) if names.count(name) > 1]
    weights: dict[str, int] = {}
    for name, raw in pairs:
        number = raw.removesuffix("%")
        if not name or not number.isdecimal() or int(number) > MOST_WEIGHT:
            problems.append(f"{name}={raw}: give NAME=WEIGHT, a whole number to {MOST_WEIGHT}")
        else:
            weights[name] = int(number)
    problems += _not_a_whole([raw for _, raw in pairs], sum(weights.values()))
    if problems:
        raise UsageError(f"mix {text!r}: {'; '.join(problems)}")
    return weights


def _not_a_whole(given: Sequence[str], total: int) -> list[str]:
    shares = sum(raw.endswith("%") for raw in given)
    if not shares:
        return [] if total or not given else ["all weights are 0"]
    if shares < len(given):
        return ["some are shares in % and some are weights"]
    return [] if total == 100 else [f"the shares add up to {total} %, not to 100 %"]
