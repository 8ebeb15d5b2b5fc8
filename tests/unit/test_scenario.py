"""What a case breaks on purpose, and that nothing is broken which the target does not allow."""

from __future__ import annotations

import importlib

import pytest

from harness.contract.program import Behaviour, Child, Node, SagaProgram, Timer, step
from harness.scenario import (
    Act,
    Case,
    KillWorker,
    RpcFault,
    Signal,
    Suite,
    act_breaks,
    breaks,
    not_allowed,
)
from harness.target.parse import reference_target
from scenarios.chaos import SUITES as CHAOS
from scenarios.conformance import SUITES as CONFORMANCE


def case(*nodes: Node, **fields: object) -> Case:
    return Case(name="c", feeds=("X-1",), nodes=nodes, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "broken"),
    [
        (case(step(0, "item"), Timer(duration_ms=1)), set()),
        (case(step(0, "item"), script=(Signal(name="go", id="1"),)), set()),
        (case(step(0, "item", behaviour=Behaviour(business_failure=True))), set()),
        (case(step(0, "fm-01.{tenant}"), step(1, "fm-02.{tenant}")), set()),
        (case(step(0, "fm-08.{tenant}")), {"pdp-failure-modes"}),
        (case(step(0, "ok-slow.{tenant}")), set()),
        (case(step(0, "item", behaviour=Behaviour(fail=1))), {"service-faults"}),
        (case(step(0, "item", behaviour=Behaviour(delay_ms=1))), {"service-faults"}),
        (
            case(step(0, "item", compensation_behaviour=Behaviour(lose_answer=1))),
            {"service-faults"},
        ),
        (case(step(0, "item", behaviour=Behaviour(hold="after"))), {"kill-worker"}),
        (case(step(0, "item"), script=(KillWorker(at_step=0),)), {"kill-worker"}),
        (case(step(0, "item"), rpc=(RpcFault(action="refuse"),)), {"rpc-faults"}),
        (case(step(0, "item"), rpc=(RpcFault(action="hold"),)), {"rpc-faults", "kill-worker"}),
        (
            case(
                Child(
                    program=SagaProgram(
                        tenant="t", saga_id="s", nodes=[step(0, "i", behaviour=Behaviour(fail=1))]
                    )
                )
            ),
            {"service-faults"},
        ),
    ],
)
def test_a_case_says_what_it_breaks(given: Case, broken: set[str]) -> None:
    assert breaks(given) == broken


def test_an_act_that_wants_a_restarted_worker_has_one_killed() -> None:
    assert act_breaks(Act(name="a", feeds=("X-1",), call="m:f", when="restarted")) == {
        "kill-worker"
    }
    assert act_breaks(Act(name="a", feeds=("X-1",), call="m:f", when="after")) == set()


FAILING = case(step(0, "item", behaviour=Behaviour(fail=1)))
SOUND = case(step(0, "item"))


@pytest.mark.parametrize(
    ("cases", "allowed", "told"),
    [
        ((FAILING,), (), True),
        ((FAILING,), ("kill-worker",), True),
        ((FAILING,), ("service-faults",), False),
        ((FAILING, FAILING, SOUND), (), True),
        ((FAILING, SOUND), (), False),  # its check says whether that is enough
        ((SOUND,), (), False),
        ((), (), False),
    ],
)
def test_an_id_that_is_fed_mostly_by_what_may_not_be_broken_is_not_driven(
    cases: tuple[Case, ...], allowed: tuple[str, ...], told: bool
) -> None:
    suite = Suite(name="s", feeds=("X-1",), cases=cases)
    found = not_allowed([suite], ["X-1"], allowed)
    assert set(found) == ({"X-1"} if told else set())
    assert all("service-faults" in reason for reason in found.values())


def test_the_reference_platform_allows_all_that_the_suites_break() -> None:
    suites = [importlib.import_module(name).SUITE for name in (*CONFORMANCE, *CHAOS)]
    wanted = {each for suite in suites for given in suite.cases for each in breaks(given)}
    assert wanted <= set(reference_target().allow.faults)
    assert wanted == {"kill-worker", "pdp-failure-modes", "rpc-faults", "service-faults"}
