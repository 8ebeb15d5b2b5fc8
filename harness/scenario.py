"""What a suite contributes to the one drive: cases, acts, and the catalogue IDs they feed.

A scenario drives and records; it never judges. This module is imported by pytest as well as by the
process that hosts the SDK, so it imports neither the SDK nor Locust; what needs the SDK is named as
`module:function` and imported by the drive alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from harness.contract.program import Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """Send `deliver` with this name and id, right after the start."""

    name: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """Request cancellation once the effect of this step has been seen at the service."""

    after_step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminate:
    """Terminate once the effect of this step has been seen at the service."""

    after_step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KillWorker:
    """Kill the worker of the case's group while the double holds the answer of this step.

    With `release` answer the double answers (into the void); with drop it closes the connection.
    """

    at_step: int
    direction: Literal["forward", "compensation"] = "forward"
    release: Literal["drop", "answer"] = "drop"


Script = Signal | Cancel | Terminate | KillWorker


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One saga to drive in each tenant it names.

    `tenants` is "all" or the position of one tenant in the target. `group` decides which worker
    process runs it (blast radius): calm, or crash when its worker gets killed. `workflow_id` is
    made from suite, case and tenant unless given; `saga_id` likewise.
    """

    name: str
    feeds: tuple[str, ...]
    nodes: Sequence[Node]
    tenants: Literal["all"] | int = "all"
    group: Literal["calm", "crash"] = "calm"
    workflow_id: str = ""
    script: tuple[Script, ...] = ()
    needs: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """A coroutine function of the drive, `module:function`, called with the drive.

    `when` is beside (with the cases), after (when all cases ended), or restarted (after the crash
    group's worker was killed and started again at the end).
    """

    name: str
    feeds: tuple[str, ...]
    call: str
    when: Literal["beside", "after", "restarted"] = "beside"
    needs: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A suite: `feeds` are the catalogue IDs that it shows, each one pytest item."""

    name: str
    feeds: tuple[str, ...]
    cases: tuple[Case, ...] = ()
    acts: tuple[Act, ...] = ()


class HasSuite(Protocol):
    """A test module of a suite."""

    SUITE: Suite
