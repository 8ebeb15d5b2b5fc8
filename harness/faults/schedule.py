"""Faults as frozen values, and the rules that a schedule of them keeps.

A schedule is a list of resolved faults: no probabilities, so that the same list can be injected
again, shrunk, and read by a person. `KINDS` lists every kind of fault; how each is injected and
healed is in `inject`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Annotated, Final

import msgspec

_DAY_S = 86_400
StartS = Annotated[float, msgspec.Meta(ge=0, le=_DAY_S)]
DurationS = Annotated[float, msgspec.Meta(gt=0, le=_DAY_S)]


class LinkCut(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="kind",
    tag="link_cut",
):
    """A link down both ways, `duration_s` long, from `start_s` after the schedule's beginning.

    Open connections are dropped, new ones refused.
    """

    link: str
    start_s: StartS
    duration_s: DurationS

    @property
    def target(self) -> str:
        """What it is injected into."""
        return self.link

    @property
    def end_s(self) -> float:
        """When it is healed, after the schedule's beginning."""
        return self.start_s + self.duration_s


AnyFault = LinkCut  # a union, once there is a second kind
KINDS: Final[dict[str, type[AnyFault]]] = {"link_cut": LinkCut}


def kind_of(fault: AnyFault) -> str:
    """The name of the fault's kind."""
    return next(kind for kind, type_ in KINDS.items() if isinstance(fault, type_))


def unknown_link(name: str, links: Collection[str]) -> str:
    """The problem of a fault on a link that there is not."""
    return f"no link {name!r}; choose from {', '.join(sorted(links)) or '(there is none)'}"


def broken_rules(faults: Sequence[AnyFault], links: Collection[str]) -> list[tuple[int, str]]:
    """What is wrong with a schedule for these links: (position of the fault, problem)."""
    return sorted([*_out_of_range(faults), *_unknown_links(faults, links), *_overlaps(faults)])


def _out_of_range(faults: Sequence[AnyFault]) -> Iterator[tuple[int, str]]:
    """For faults made in Python, where nothing checks the values' ranges."""
    for position, fault in enumerate(faults):
        try:
            msgspec.convert(msgspec.to_builtins(fault), type(fault))
        except msgspec.ValidationError as error:
            yield position, str(error)


def _unknown_links(faults: Sequence[AnyFault], links: Collection[str]) -> Iterator[tuple[int, str]]:
    for position, fault in enumerate(faults):
        if fault.link not in links:
            yield position, unknown_link(fault.link, links)


def _overlaps(faults: Sequence[AnyFault]) -> Iterator[tuple[int, str]]:
    """The end of one fault would heal the other."""
    longest: dict[str, AnyFault] = {}  # of those begun so far on a target, the last to end
    for position in sorted(range(len(faults)), key=lambda at: faults[at].start_s):
        fault = faults[position]
        earlier = longest.get(fault.target)
        if earlier and fault.start_s < earlier.end_s:
            yield (
                position,
                f"{fault.target} is cut again at {fault.start_s:g} s, before the cut of "
                f"{earlier.start_s:g} s to {earlier.end_s:g} s is healed: join the two",
            )
        if not earlier or fault.end_s > earlier.end_s:
            longest[fault.target] = fault
