"""Idempotency: whatever runs twice is applied once, under the same key, with the same result."""

from __future__ import annotations

from typing import Any

from harness.contract.program import Behaviour, ContinueAsNew, Retry, step
from harness.groups import CRASH, WIRE
from harness.scenario import Act, Case, KillWorker, RpcFault, Suite
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
# compensations have the contract's own timeouts, so only one of each is worth its wait
LOST_BACK_CASES = tuple(
    Case(
        name=f"lost-answer-back-{kind}",
        feeds=IDS,
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
    feeds=IDS,
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
            feeds=("INV-IDEM-1",),
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
            feeds=("INV-IDEM-1", "INV-IDEM-8"),
            group=WIRE,
            tenants=kind % 2,
            rpc=(RpcFault(action="refuse", repeats=True),),
            nodes=[step(kind, "refused.{tenant}", start_to_close_ms=1500)],
        )
        for kind in (1, 2)
    ),
)
SUITE = Suite(
    name="idempotency",
    feeds=("INV-IDEM-1", "INV-IDEM-4", "INV-IDEM-6", "INV-IDEM-8"),
    cases=(
        *CRASH_CASES,
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
    ),
)


def test_verdict(verdict: Any) -> None:
    verdict.show()
