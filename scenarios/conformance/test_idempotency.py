"""Idempotency: whatever runs twice is applied once, under the same key, with the same result."""

from __future__ import annotations

from typing import Any

from harness.contract.program import Behaviour, ContinueAsNew, Retry, Timer, Wait, step
from harness.groups import CRASH, WIRE
from harness.scenario import Act, Cancel, Case, KillWorker, RpcFault, Signal, Suite
from scenarios.conformance.shapes import failing_at, steps

IDS = ("INV-IDEM-1", "INV-IDEM-4", "INV-IDEM-8")
CRASHED = {"start_to_close_ms": 6000, "retry": Retry(initial_ms=100)}

# the worker dies while the service holds its answer, before or after the effect, at every kind of
# activity, forward and back
CRASH_CASES = tuple(
    Case(
        name=f"crash-{point}-{kind}",
        feeds=("INV-IDEM-1", "INV-IDEM-8"),
        group=CRASH,
        tenants=(kind + (point == "after")) % 2,
        script=(KillWorker(at_step=0),),
        nodes=[
            step(kind, "crash.{tenant}", behaviour=Behaviour(hold=point), **CRASHED),
            *steps(1, first=kind + 1),
        ],
    )
    for point in ("before", "after")
    for kind in range(4)
)
# the engine gives the attempt up for want of heartbeats, long before its time is over
HEARTBEAT_CASES = tuple(
    Case(
        name=f"crash-heartbeat-{kind}",
        feeds=IDS,
        group=CRASH,
        tenants=kind % 2,
        needs=frozenset({"heartbeat"}),
        script=(KillWorker(at_step=0),),
        nodes=[
            step(
                kind,
                "beats.{tenant}",
                behaviour=Behaviour(hold="after"),
                heartbeat_ms=1500,
                start_to_close_ms=40_000,
                retry=Retry(initial_ms=100),
            )
        ],
    )
    for kind in (1, 2)
)
# compensations have the contract's own timeouts, so only one of each is worth its wait
LOST_BACK_CASES = tuple(
    Case(
        name=f"lost-answer-back-{kind}",
        feeds=(*IDS, "INV-IDEM-9"),
        nodes=[
            step(kind, "lost-back.{tenant}", compensation_behaviour=Behaviour(lose_answer=1)),
            *failing_at(1, 0),
        ],
    )
    for kind in range(4)
)
LOST_CASES = tuple(
    Case(
        name=f"lost-answer-{kind}",
        feeds=IDS,
        nodes=[
            step(
                kind,
                "lost.{tenant}",
                behaviour=Behaviour(lose_answer=2),
                retry=Retry(initial_ms=50),
            )
        ],
    )
    for kind in range(4)
)
RETRY_CASES = tuple(
    Case(
        name=f"retry-{kind}",
        feeds=IDS,
        nodes=[
            step(kind, "retry.{tenant}", behaviour=Behaviour(fail=2), retry=Retry(initial_ms=50))
        ],
    )
    for kind in range(4)
)
CONTINUED = Case(
    name="continued",
    feeds=(*IDS, "INV-IDEM-5"),
    needs=frozenset({"continue_as_new"}),
    nodes=[
        step(0, "before.{tenant}", behaviour=Behaviour(lose_answer=1)),
        ContinueAsNew(),
        step(1, "after.{tenant}", behaviour=Behaviour(lose_answer=1)),
        ContinueAsNew(),
        *failing_at(1, 0),
    ],
)
# the answer of the service has reached the worker, and dies with it on the way to the engine
CRASH_AFTER_ANSWER_CASES = tuple(
    Case(
        name=f"crash-answered-{kind}",
        feeds=("INV-IDEM-1", "INV-IDEM-8"),
        group=CRASH,
        tenants=kind % 2,
        rpc=(RpcFault(action="hold"),),
        nodes=[step(kind, "answered.{tenant}", **CRASHED), *steps(1, first=kind + 1)],
    )
    for kind in range(2)
)
# the engine has the completion and its answer is lost: nothing runs again; or the completion never
# arrives until the attempt has run out: a second attempt
LOST_COMPLETION_CASES = (
    *(
        Case(
            name=f"completion-answer-lost-{kind}",
            feeds=("INV-IDEM-3",),
            group=WIRE,
            tenants=kind % 2,
            rpc=(RpcFault(action="lose-answer"),),
            nodes=steps(1, first=kind),
        )
        for kind in (0, 3)
    ),
    *(
        Case(
            name=f"completion-refused-{kind}",
            feeds=("INV-IDEM-1", "INV-IDEM-3", "INV-IDEM-8"),
            group=WIRE,
            tenants=kind % 2,
            rpc=(RpcFault(action="refuse", repeats=True),),
            nodes=[step(kind, "refused.{tenant}", start_to_close_ms=1500)],
        )
        for kind in (1, 2)
    ),
)
# the first attempt runs out of its time, goes on, and comes to the ledger after the second
ZOMBIE_CASES = tuple(
    Case(
        name=f"zombie-{kind}",
        feeds=("INV-IDEM-1", "INV-IDEM-2", "INV-IDEM-8"),
        group=WIRE,
        tenants=kind % 2,
        nodes=[
            step(
                kind,
                "zombie.{tenant}",
                start_to_close_ms=1000,
                retry=Retry(initial_ms=50),
                behaviour=Behaviour(delay_ms=4000, delayed=1),
            ),
            Timer(duration_ms=3500),  # the saga outlasts its first attempt
        ],
    )
    for kind in range(4)
)
# a step of unknown outcome is compensated: one that never was applied, and one that arrives late
UNDONE_CASES = (
    *(
        Case(
            name=f"never-applied-{kind}",
            feeds=("INV-IDEM-9",),
            tenants=kind % 2,
            nodes=[
                *steps(1, first=kind + 1),
                step(
                    kind,
                    "never.{tenant}",
                    behaviour=Behaviour(fail=9),
                    retry=Retry(initial_ms=50, max_attempts=2),
                    compensation_behaviour=Behaviour(lose_answer=1),
                ),
            ],
        )
        for kind in (0, 2)
    ),
    *(
        Case(
            name=f"overtaken-{kind}",
            feeds=("INV-IDEM-9",),
            tenants=kind % 2,
            nodes=[
                # its slow compensation makes the saga outlast the late step
                step(0, "slow-back.{tenant}", compensation_behaviour=Behaviour(delay_ms=1500)),
                step(
                    kind,
                    "overtaken.{tenant}",
                    start_to_close_ms=700,
                    retry=Retry(max_attempts=1),
                    behaviour=Behaviour(delay_ms=2500),
                ),
            ],
        )
        for kind in (1, 3)
    ),
)
SIGNALLED_TWICE = Case(
    name="signalled-twice",
    feeds=("INV-IDEM-7",),
    nodes=[Wait(signal="first"), step(1, "signalled.{tenant}"), Wait(signal="second")],
    script=(
        Signal(name="first", id="a"),
        Signal(name="first", id="a"),
        Signal(name="second", id="b"),
    ),
)
CANCELLED_TWICE = Case(
    name="cancelled-twice",
    feeds=("INV-IDEM-7",),
    nodes=[
        *steps(2),
        step(2, "cancelled.{tenant}", compensation_behaviour=Behaviour(delay_ms=500)),
        Wait(signal="never"),
    ],
    script=(Cancel(after_step=2), Cancel(after_step=2)),
)
SUITE = Suite(
    name="idempotency",
    feeds=tuple(f"INV-IDEM-{n}" for n in range(1, 10)),
    cases=(
        *ZOMBIE_CASES,
        *UNDONE_CASES,
        SIGNALLED_TWICE,
        CANCELLED_TWICE,
        *CRASH_CASES,
        *HEARTBEAT_CASES,
        *CRASH_AFTER_ANSWER_CASES,
        *LOST_COMPLETION_CASES,
        *LOST_CASES,
        *LOST_BACK_CASES,
        *RETRY_CASES,
        CONTINUED,
    ),
    acts=(
        Act(
            name="start-dedupe",
            feeds=("INV-IDEM-6",),
            call="scenarios.conformance.acts.starts:start_many_times",
        ),
        Act(
            name="ask-again",
            feeds=("INV-IDEM-4", "INV-IDEM-5"),
            call="scenarios.conformance.acts.again:ask_again",
            schedules=True,
        ),
    ),
)


def test_verdict(verdict: Any) -> None:
    verdict.show()
