"""What the doubles and the tap hold, and the one crash for all of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Final, Literal

from harness.contract.program import Behaviour, Child, SagaProgram, Step
from harness.drive.case_run import Run
from harness.drive.messages import send_while_down
from harness.drive.session import Drive
from harness.groups import GROUPS
from harness.scenario import KillWorker, RpcFault
from harness.tap.messages import HOLDS, Rule

LOOK_EVERY_S: Final = 1.0
Point = tuple[str, str, int, str]  # tenant, saga, step, direction


def held_points(runs: list[Run]) -> set[Point]:
    """Every place whose answer the doubles will hold."""
    return {
        (run.tenant.name, saga.saga_id, number, direction)
        for run in runs
        for saga in _sagas(run.program)
        for number, node in enumerate(saga.nodes)
        if isinstance(node, Step)
        for direction, behaviour in _behaviours(node)
        if behaviour.hold
    }


def _sagas(program: SagaProgram) -> Iterator[SagaProgram]:
    """A saga and its children."""
    yield program
    for node in program.nodes:
        if isinstance(node, Child):
            yield from _sagas(node.program)


def _behaviours(node: Step) -> tuple[tuple[str, Behaviour], tuple[str, Behaviour]]:
    return ("forward", node.behaviour), ("compensation", node.compensation_behaviour)


def rules_of(run: Run) -> list[Rule]:
    """What the tap is told for a case in one tenant."""
    about = run.about
    name = f"{about['suite']}/{about['case']}/{about['tenant']}"
    return [_rule(f"{name}/{n}", run, fault) for n, fault in enumerate(run.case.rpc)]


def _rule(identity: str, run: Run, fault: RpcFault) -> Rule:
    keys = [run.tenant.namespace, run.workflow_id, fault.activity]
    return Rule(
        id=identity,
        method=fault.method,
        action=fault.action,
        keys=[key for key in keys if key],
        first=fault.first,
        count=fault.count,
        repeats=fault.repeats,
        delay_ms=fault.delay_ms,
    )


async def rules_in_force(drive: Drive, runs: list[Run]) -> None:
    """Tell the tap what to do to the calls of these sagas, before any is started."""
    rules = [rule for run in runs for rule in rules_of(run)]
    if rules and drive.tap is not None:
        await drive.tap.add(rules)


async def crash_when_held(drive: Drive, runs: list[Run]) -> None:
    """Wait until all that is to be held is held (or time is up), kill the worker, let go.

    The runs are of one group. What is sent while the worker is down is answered when it is up. What
    comes to be held only then is let go at once: nobody dies for it any more.
    """
    crash, group = _Crash(drive, runs), runs[0].group
    if not await crash.gathered():
        return
    await drive.order("kill-worker", group)
    await crash.let_go()
    sending = send_while_down(drive, runs)
    await drive.order("restart-worker", group)
    await asyncio.gather(*sending, crash.let_latecomers_go())


class _Crash:
    """What is held of what is to be: answers at the doubles, calls at the tap."""

    def __init__(self, drive: Drive, runs: list[Run]) -> None:
        self._drive = drive
        self._points = held_points(runs)
        self._calls = {rule.id for run in runs for rule in rules_of(run) if rule.action in HOLDS}
        self._missing = set(self._calls)
        self._answers: dict[str, Point] = {}
        self._gather_s = GROUPS[runs[0].group].gather_s if runs else 0.0
        self._first_s: float | None = None
        self._seen = 0  # the number of what was held last
        self._scripts: dict[Point, Literal["drop", "answer"]] = {
            (run.tenant.name, run.program.saga_id, act.at_step, act.direction): act.release
            for run in runs
            for act in run.case.script
            if isinstance(act, KillWorker)
        }

    async def gathered(self) -> bool:
        """Wait; whether anything is held."""
        await asyncio.gather(self._gather_answers(), self._gather_calls())
        return bool(self._answers or self._missing != self._calls)

    def _left_s(self) -> float:
        if self._first_s is None:
            return 1.0
        return self._first_s + self._gather_s - asyncio.get_running_loop().time()

    def _began(self) -> None:
        self._first_s = self._first_s or asyncio.get_running_loop().time()

    async def _gather_answers(self) -> None:
        while len(self._answers) < len(self._points) and (left_s := self._left_s()) > 0:
            for identity, point in await self._held(left_s):
                self._began()
                self._answers[identity] = point

    async def _held(self, wait_s: float) -> list[tuple[str, Point]]:
        """What the doubles hold that they did not before, of this group."""
        held = await self._drive.doubles.held(int(wait_s * 1000) + 1, after=self._seen)
        self._seen = max([self._seen, *(int(each.id) for each in held)])
        found = [(h.id, (h.tenant, h.saga_id, h.step, str(h.direction))) for h in held]
        return [each for each in found if each[1] in self._points]

    async def _gather_calls(self) -> None:
        while self._drive.tap is not None and self._missing and (left_s := self._left_s()) > 0:
            if await self._bitten(left_s):
                self._began()

    async def _bitten(self, wait_s: float) -> set[str]:
        """The rules that hold a call and did not before."""
        tap = self._drive.tap
        if tap is None or not self._missing:
            return set()
        left = await tap.await_bitten(sorted(self._missing), int(wait_s * 1000) + 1)
        bitten = self._missing.difference(left)
        self._missing.intersection_update(left)
        return bitten

    async def let_go(self) -> None:
        """The worker is gone: answer into the void or drop, as the scripts say; calls are lost."""
        for identity, point in self._answers.items():
            await self._drive.doubles.release(identity, self._scripts.get(point, "drop"))
        if self._drive.tap is not None:
            for rule in sorted(self._calls):
                await self._drive.tap.release(rule, "drop")

    async def let_latecomers_go(self) -> None:
        """Answer and forward what is held after the crash; until the drive ends it."""
        await asyncio.gather(self._late_answers(), self._late_calls())

    async def _late_answers(self) -> None:
        while len(self._answers) < len(self._points):
            for identity, point in await self._held(LOOK_EVERY_S):
                self._answers[identity] = point
                await self._drive.doubles.release(identity, "answer")

    async def _late_calls(self) -> None:
        while self._drive.tap is not None and self._missing:
            for rule in await self._bitten(LOOK_EVERY_S):
                await self._drive.tap.release(rule, "forward")
