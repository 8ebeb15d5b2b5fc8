"""Injecting a schedule: every fault heals by construction and leaves its records.

A fault is an async context. It is entered when its time has come, and left when its window is over,
when anything fails and when the run is cancelled; leaving it heals. The phases recorded:

    planned   the fault as given, before anything is done
    injected  the instrument confirmed it
    bit       the platform felt it: connections dropped and new ones refused
    healed    the instrument confirmed it, and the link takes connections again

Where there is no evidence of a phase there is no record of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Final, Protocol

import msgspec

from harness.errors import DriveError, HarnessError, UsageError
from harness.faults.evidence import ACCEPTED, Look, Peers, Witness, cut_bit, nobody_knows
from harness.faults.schedule import AnyFault, LinkCut, broken_rules, kind_of
from harness.journal.records import Fault, Record, now

BITE_WITHIN_S: Final = 2.0
HEAL_WITHIN_S: Final = 10.0

_LOOK_AGAIN_S = 0.05
_HEAL_AGAIN_S = 0.1


class Cuttable(Protocol):
    """A link, as `harness.faults.toxiproxy.Link` is one; `cut` and `heal` block, within bounds."""

    listen: str

    def cut(self) -> None:
        """Drop its connections and refuse new ones; raises `HarnessError` if that failed."""

    def heal(self) -> None:
        """As before any fault; does nothing to a sound link."""


async def inject(
    schedule: Sequence[AnyFault],
    links: Mapping[str, Cuttable],
    record: Callable[[Record], None],
    *,
    name: str,
    peers: Peers = nobody_knows,
    heal_within_s: float = HEAL_WITHIN_S,
) -> None:
    """Inject the schedule, its times counted from now; return when its last fault is healed.

    `name` begins the fault ids (`name/1` is the schedule's first). `peers` tells who is connected
    through a link: without it no fault is recorded to have bitten. On error and on cancellation
    every fault is healed before this ends. Raises `UsageError` for a schedule that breaks its
    rules, before anything is done; what a link raises; `DriveError` for a link that could not be
    healed within `heal_within_s`.
    """
    if broken := broken_rules(schedule, list(links)):
        raise UsageError("; ".join(f"fault {at + 1}: {problem}" for at, problem in broken))
    began = asyncio.get_running_loop().time()
    lanes: dict[str, list[_Planned]] = defaultdict(list)
    for position, fault in enumerate(schedule, start=1):
        planned = _Planned(fault=fault, fault_id=f"{name}/{position}", record=record)
        planned.log("planned", **msgspec.to_builtins(fault))
        lanes[fault.target].append(planned)
    scene = _Scene(
        links=links,
        witnesses={each: Witness(listen=link.listen, peers=peers) for each, link in links.items()},
        heal_within_s=heal_within_s,
    )
    try:
        async with asyncio.TaskGroup() as tasks:
            for lane in lanes.values():
                tasks.create_task(_run(lane, scene, began))
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from failed


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scene:
    """What faults are injected into, and who sees what becomes of it; by the links' names."""

    links: Mapping[str, Cuttable]
    witnesses: Mapping[str, Witness]
    heal_within_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Planned:
    """A fault with its id and its place in the journal."""

    fault: AnyFault
    fault_id: str
    record: Callable[[Record], None]

    def log(self, phase: str, **evidence: Any) -> None:
        self.record(
            Fault(
                **now(),
                fault_id=self.fault_id,
                name=kind_of(self.fault),
                target=self.fault.target,
                phase=phase,
                evidence=evidence,
            )
        )


async def _run(lane: list[_Planned], scene: _Scene, began: float) -> None:
    """The faults of one target, one after the other."""
    for planned in sorted(lane, key=lambda each: each.fault.start_s):
        await _sleep_until(began + planned.fault.start_s)
        async with _INJECT[type(planned.fault)](planned, scene) as since:
            await _sleep_until(since + planned.fault.duration_s)


@contextlib.asynccontextmanager
async def _link_cut(planned: _Planned, scene: _Scene) -> AsyncIterator[float]:
    """Gives the loop's time at which the cut was confirmed."""
    loop = asyncio.get_running_loop()
    link, witness = scene.links[planned.fault.link], scene.witnesses[planned.fault.link]
    before = await asyncio.to_thread(witness.look)
    at_end: dict[str, Any] = {}
    try:
        asked_ns = time.monotonic_ns()
        if cancelled := await _finish(loop.run_in_executor(None, link.cut)):
            raise cancelled
        since = loop.time()
        planned.log("injected", asked_ns=asked_ns, **before.named("before"))
        within_s = min(BITE_WITHIN_S, planned.fault.duration_s)
        if after := await _bite(witness, before, since + within_s):
            planned.log("bit", **before.named("before"), **after.named("after"))
        yield since
        at_end = (await asyncio.to_thread(witness.look)).named("at_end")
    finally:
        asked_ns = time.monotonic_ns()
        cancelled = await _finish(loop.run_in_executor(None, _heal, planned.fault.link, scene))
        planned.log(
            "healed", asked_ns=asked_ns, whole_window=bool(at_end), **at_end, answer_after=ACCEPTED
        )
        if cancelled:
            raise cancelled


_INJECT: Final[
    dict[type[AnyFault], Callable[[_Planned, _Scene], AbstractAsyncContextManager[float]]]
] = {LinkCut: _link_cut}


async def _bite(witness: Witness, before: Look, until: float) -> Look | None:
    """The first look at the link that shows that its cut bit, if there is one in time."""
    loop = asyncio.get_running_loop()
    while True:
        after = await asyncio.to_thread(witness.look)
        if cut_bit(before, after):
            return after
        if loop.time() + _LOOK_AGAIN_S >= until:
            return None
        await asyncio.sleep(_LOOK_AGAIN_S)


def _heal(name: str, scene: _Scene) -> None:
    """Heal until the link takes connections; runs in a thread that nothing can cancel."""
    link, witness = scene.links[name], scene.witnesses[name]
    until = time.monotonic() + scene.heal_within_s
    while True:
        try:
            link.heal()
            if (answer := witness.knock()) == ACCEPTED:
                return
            problem = f"a new connection was {answer}"
        except HarnessError as error:
            problem = str(error)
        if time.monotonic() >= until:
            raise DriveError(
                f"link {name} could not be healed within {scene.heal_within_s:g} s: {problem}"
            )
        time.sleep(_HEAL_AGAIN_S)


async def _finish(work: asyncio.Future[None]) -> asyncio.CancelledError | None:
    """Wait for `work` through every cancellation; give the last one back, to be raised afterwards.

    A cut that goes on in its thread while the link is healed would undo the healing. `work` is a
    plain future of a thread: `asyncio.run` cancels all tasks at its end, shielded ones too.
    """
    held_back: asyncio.CancelledError | None = None
    while not work.done():
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError as error:
            held_back = error
    work.result()
    return held_back


async def _sleep_until(time_s: float) -> None:
    await asyncio.sleep(time_s - asyncio.get_running_loop().time())
