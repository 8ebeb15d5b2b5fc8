"""What the doubles and the tap hold, and the one crash for all of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Literal

from harness.contract.program import Behaviour, Child, SagaProgram, Step
from harness.drive.case_run import Run
from harness.drive.messages import send_while_down
from harness.drive.session import Drive
from harness.groups import GROUPS
from harness.scenario import KillWorker, RpcFault
from harness.tap.messages import HOLDS, Rule

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

    The runs are of one group. What is sent while the worker is down is answered when it is up.
    """
    crash, group = _Crash(drive, runs), runs[0].group
    if not await crash.gathered():
        return
    await drive.order("kill-worker", group)
    await crash.let_go()
    sending = send_while_down(drive, runs)
    await drive.order("restart-worker", group)
    await asyncio.gather(*sending)


class _Crash:
    """What is held of what is to be: answers at the doubles, calls at the tap."""

    def __init__(self, drive: Drive, runs: list[Run]) -> None:
        self._drive = drive
        self._points = held_points(runs)
        self._calls = {rule.id for run in runs for rule in rules_of(run) if rule.action in HOLDS}
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
        calls = set(self._calls)
        await asyncio.gather(self._gather_answers(), self._gather_calls(calls))
        return bool(self._answers or calls != self._calls)

    def _left_s(self) -> float:
        if self._first_s is None:
            return 1.0
        return self._first_s + self._gather_s - asyncio.get_running_loop().time()

    def _began(self) -> None:
        self._first_s = self._first_s or asyncio.get_running_loop().time()

    async def _gather_answers(self) -> None:
        while len(self._answers) < len(self._points) and (left_s := self._left_s()) > 0:
            held = await self._drive.doubles.held(int(left_s * 1000) + 1, after=self._seen)
            for each in held:
                self._seen = max(self._seen, int(each.id))
                if (each.tenant, each.saga_id, each.step, each.direction) not in self._points:
                    continue  # another group's
                self._began()
                self._answers[each.id] = (each.tenant, each.saga_id, each.step, each.direction)

    async def _gather_calls(self, missing: set[str]) -> None:
        tap = self._drive.tap
        while tap is not None and missing and (left_s := self._left_s()) > 0:
            left = await tap.await_bitten(sorted(missing), int(left_s * 1000) + 1)
            if len(left) < len(missing):
                self._began()
            missing.intersection_update(left)

    async def let_go(self) -> None:
        """The worker is gone: answer into the void or drop, as the scripts say; calls are lost."""
        for identity, point in self._answers.items():
            await self._drive.doubles.release(identity, self._scripts.get(point, "drop"))
        if self._drive.tap is not None:
            for rule in sorted(self._calls):
                await self._drive.tap.release(rule, "drop")
