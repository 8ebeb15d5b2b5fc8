"""What a suite contributes to the one drive: cases, acts, and the catalogue IDs they feed.

A scenario drives and records; it never judges. This module is imported by pytest as well as by the
process that hosts the SDK, so it imports neither the SDK nor Locust; what needs the SDK is named as
`module:function` and imported by the drive alone.
"""

from __future__ import annotations

import importlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

import msgspec

from harness.contract.pdp_modes import mode_of
from harness.contract.program import Child, Node, Step
from harness.groups import CALM, GROUPS
from harness.tap.messages import COMPLETED, HOLDS, Action
from harness.target.model import Breakage

PLAIN: Final = "control"  # the family of PDP modes that break nothing: allow and deny


class _Scripted(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="kind",
    omit_defaults=True,
    forbid_unknown_fields=True,
):
    pass


class Signal(_Scripted, frozen=True, kw_only=True, tag="signal"):
    """Send `deliver` with this name and id, right after the start or while its worker is down."""

    name: str
    id: str
    when: Literal["started", "down"] = "started"


class Annotate(_Scripted, frozen=True, kw_only=True, tag="annotate"):
    """Send the update `annotate`, right after the start or while its worker is down."""

    id: str
    text: str
    when: Literal["started", "down"] = "started"


class Cancel(_Scripted, frozen=True, kw_only=True, tag="cancel"):
    """Request cancellation once the effect of this step has been seen at the service."""

    after_step: int


class Terminate(_Scripted, frozen=True, kw_only=True, tag="terminate"):
    """Terminate once the effect of this step has been seen at the service."""

    after_step: int


class KillWorker(_Scripted, frozen=True, kw_only=True, tag="kill_worker"):
    """Kill the worker of the case's group while the double holds the answer of this step.

    With `release` answer the double answers (into the void); with drop it closes the connection.
    """

    at_step: int
    direction: Literal["forward", "compensation"] = "forward"
    release: Literal["drop", "answer"] = "drop"


class Revoke(_Scripted, frozen=True, kw_only=True, tag="revoke"):
    """Have the PDP deny what this step asked, once its effect has been seen at the service."""

    after_step: int


class PdpAway(_Scripted, frozen=True, kw_only=True, tag="pdp_away"):
    """Take the PDP's address of the case's group away, once the effect of this step was seen."""

    after_step: int


class PdpBack(_Scripted, frozen=True, kw_only=True, tag="pdp_back"):
    """Bring it back, once a compensation of the case has been tried in vain."""


class Redeliver(_Scripted, frozen=True, kw_only=True, tag="redeliver"):
    """Start the same program once more, under another workflow id.

    Beside the first run, or when that has come to its end.
    """

    when: Literal["beside", "ended"] = "beside"


Script = (
    PdpAway | PdpBack | Revoke | Signal | Annotate | Cancel | Terminate | KillWorker | Redeliver
)


class RpcFault(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """What the tap does to calls of the case's worker that name this saga (`harness.tap`).

    The case's group must be a tapped one. With `activity` only calls about that activity type
    count. What is held is dropped when the group's worker has been killed.
    """

    action: Action
    method: str = COMPLETED
    activity: str = ""
    first: int = 1
    count: int | None = 1
    repeats: bool = False
    delay_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One saga to drive in each tenant it names.

    `tenants` is "all" or the position of one tenant in the target. `group` names the
    worker process that runs it (blast radius), one of `harness.groups`. `workflow_id` is
    made from trial, suite and the case's name, or what is given instead; `saga_id` likewise. In
    these, in resources, amounts and the ids of signals, `{tenant}` and `{canary:position}` are
    filled in for each tenant. What was `drawn` is kept as a program file in the trial's folder.
    """

    name: str
    feeds: tuple[str, ...]
    nodes: Sequence[Node]
    tenants: Literal["all"] | int = "all"
    group: str = CALM
    workflow_id: str = ""
    saga_id: str = ""
    script: tuple[Script, ...] = ()
    rpc: tuple[RpcFault, ...] = ()
    needs: frozenset[str] = frozenset()
    drawn: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """A coroutine function of the drive, `module:function`, called with the drive.

    `when` is beside (with the cases), after (when all cases ended), or restarted (after the crash
    group's worker was killed and started again at the end). `breaks` is what it breaks on purpose,
    `groups` are those whose workers it needs, and one that `schedules` needs the engine's own.
    """

    name: str
    feeds: tuple[str, ...]
    call: str
    when: Literal["beside", "after", "restarted"] = "beside"
    needs: frozenset[str] = frozenset()
    breaks: frozenset[Breakage] = frozenset()
    groups: tuple[str, ...] = ()
    schedules: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """Cases that are drawn when they are driven: `call` is a `module:function`.

    The function gets a seed, what may be broken, and what the worker lacks; it gives as many cases
    as it wants, the same ones for the same arguments. `version` changes with what it would draw.
    """

    call: str
    feeds: tuple[str, ...]
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A suite: `feeds` are the catalogue IDs that it shows, each one pytest item."""

    name: str
    feeds: tuple[str, ...]
    cases: tuple[Case, ...] = ()
    acts: tuple[Act, ...] = ()
    generated: Generated | None = None


def breaks(case: Case) -> frozenset[Breakage]:
    """What a case breaks on purpose: it is driven only on a target that allows all of it."""
    found: set[Breakage] = set()
    for node in _all_steps(case.nodes):
        mode = mode_of(node.resource)
        if mode is not None and mode.family != PLAIN:
            found.add("pdp-failure-modes")
        for behaviour in (node.behaviour, node.compensation_behaviour):
            if behaviour.hold:
                found.add("kill-worker")
            if behaviour.fail or behaviour.lose_answer or behaviour.delay_ms:
                found.add("service-faults")
    if any(isinstance(act, KillWorker) for act in case.script):
        found.add("kill-worker")
    if case.group in GROUPS and GROUPS[case.group].pdp:
        found.add("pdp-failure-modes")
    for fault in case.rpc:
        found |= {"rpc-faults", "kill-worker"} if fault.action in HOLDS else {"rpc-faults"}
    return frozenset(found)


def act_breaks(act: Act) -> frozenset[Breakage]:
    """The same of an act: one that wants a restarted worker has it killed."""
    restart: frozenset[Breakage] = frozenset({"kill-worker"})
    return act.breaks | restart if act.when == "restarted" else act.breaks


def _all_steps(nodes: Sequence[Node]) -> Iterator[Step]:
    for node in nodes:
        if isinstance(node, Step):
            yield node
        elif isinstance(node, Child):
            yield from _all_steps(node.program.nodes)


def load_suites(modules: Iterable[str]) -> list[Suite]:
    """The suites of these modules, in their order."""
    return [importlib.import_module(name).SUITE for name in modules]


def not_allowed(
    suites: Sequence[Suite], asked: Sequence[str], allowed: Collection[str]
) -> dict[str, str]:
    """Why an asked ID is not driven: most of what feeds it would break what may not be broken."""
    reasons = {}
    for each in asked:
        wanted = [breaks(case) for suite in suites for case in suite.cases if each in case.feeds]
        wanted += [act_breaks(act) for suite in suites for act in suite.acts if each in act.feeds]
        barred = [want - set(allowed) for want in wanted if want - set(allowed)]
        if 2 * len(barred) > len(wanted):
            missing = ", ".join(sorted(set().union(*barred)))
            reasons[each] = f"the target does not allow {missing} (allow.faults)"
    return reasons


class HasSuite(Protocol):
    """A test module of a suite."""

    SUITE: Suite
