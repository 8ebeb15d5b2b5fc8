"""Tenant isolation, as far as a cluster without TLS can show it."""

from __future__ import annotations

from typing import Any

from harness.contract.program import Child, ContinueAsNew, SagaProgram, Timer, Wait, step
from harness.scenario import Act, Case, Signal, Suite
from scenarios.conformance.shapes import failing_at, steps

# the same workflow ids and saga ids in every tenant at the same time; only the inputs tell them
# apart, so anything that crosses shows
TWINS = tuple(
    Case(
        name=f"twin-{number}",
        feeds=("INV-ISO-8", "INV-ISO-9", "INV-ISO-11"),
        nodes=[
            step(
                number, f"secret-{number}.{{canary:resource}}", amount=f"{number}.{{canary:amount}}"
            ),
            Wait(signal="go"),
            *steps(2, first=number + 1),
        ],
        script=(Signal(name="go", id=f"go-{number}-{{canary:signal-id}}-{{tenant}}"),),
    )
    for number in range(8)
)
# a saga of seconds in every tenant: the worker turns from one to the other again and again, however
# late the engine hands out the first task of one of them
TURNS = Case(
    name="twin-turns",
    feeds=("INV-ISO-9",),
    nodes=[
        node
        for number in range(12)
        for node in (step(number, f"turn-{number}.{{tenant}}"), Timer(duration_ms=250))
    ],
)
# ids that carry canaries too: nothing of them is meant to be the same in two tenants
OWN_IDS = (
    Case(
        name="own-ids",
        feeds=("INV-ISO-9", "INV-ISO-2", "INV-ISO-11"),
        workflow_id="own-ids-{canary:workflow-id}",
        saga_id="own-ids-{canary:saga-id}",
        nodes=steps(2, amount="{canary:amount}"),
    ),
    Case(
        name="own-child",
        feeds=("INV-ISO-9",),
        needs=frozenset({"children"}),
        nodes=[
            *steps(1),
            Child(
                program=SagaProgram(
                    tenant="", saga_id="", nodes=[step(1, "inner-{canary:child}"), *steps(1)]
                )
            ),
        ],
    ),
)
SUITE = Suite(
    name="isolation",
    feeds=(
        "INV-ISO-1",
        "INV-ISO-2",
        "INV-ISO-5",
        "INV-ISO-6",
        "INV-ISO-7",
        "INV-ISO-8",
        "INV-ISO-9",
        "INV-ISO-10",
        "INV-ISO-11",
        "INV-ISO-15",
    ),
    cases=(
        TURNS,
        *TWINS,
        *OWN_IDS,
        Case(name="twin-undone", feeds=("INV-ISO-8",), nodes=failing_at(3, 2)),
        Case(
            name="twin-continued",
            feeds=("INV-ISO-8",),
            needs=frozenset({"continue_as_new"}),
            nodes=[*steps(1), ContinueAsNew(), *steps(1, first=1)],
        ),
    ),
    acts=(
        Act(
            name="inventory",
            feeds=("INV-ISO-1", "INV-ISO-2"),
            call="scenarios.conformance.acts.inventory:take_inventory",
        ),
        Act(
            name="foreign-polls",
            feeds=("INV-ISO-5",),
            call="scenarios.conformance.acts.polls:poll_as_another",
        ),
        Act(
            name="visibility-across",
            feeds=("INV-ISO-10",),
            call="scenarios.conformance.acts.visibility:look_across",
        ),
        Act(
            name="tenant-lifecycle",
            feeds=("INV-ISO-15",),
            breaks=frozenset({"throwaway-tenants"}),
            call="scenarios.conformance.acts.lifecycle:live_and_die",
            schedules=True,
        ),
        Act(
            name="task-tokens",
            feeds=("INV-ISO-6",),
            call="scenarios.conformance.acts.tokens:replay_tokens",
        ),
        Act(
            name="cross-namespace-commands",
            feeds=("INV-ISO-7",),
            call="scenarios.conformance.acts.crossing:command_across",
        ),
        Act(
            name="interleavings",
            feeds=("INV-ISO-8",),
            call="scenarios.conformance.acts.interleavings:interleave",
        ),
        Act(
            name="twins-queried",
            feeds=("INV-ISO-8", "INV-ISO-9"),
            when="after",
            call="scenarios.conformance.acts.queries:query_twins",
        ),
    ),
)


def test_verdict(verdict: Any) -> None:
    verdict.show()
