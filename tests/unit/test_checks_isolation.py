"""INV-ISO-8: what of one tenant shows in another, from journals told by hand."""

from __future__ import annotations

from typing import Any

from harness.checks.isolation import CHECKS
from harness.contract.program import step
from harness.journal.records import Ending, Operation
from harness.outcome import Outcome
from tests.unit.journals import Story

(TWINS,) = (check for check in CHECKS if check.id == "INV-ISO-8")


def twins() -> Story:
    """The same saga in two tenants, each with its own amount, asked for all it can tell."""
    story = Story()
    for tenant in ("alpha", "beta"):
        told = story.saga(
            [step(0, "room", amount=f"1-{tenant}")], feeds=["INV-ISO-8"], case="twin", tenant=tenant
        )
        own = {"tenant": tenant, "saga_id": told.saga_id, "signals": [f"go-{tenant}"]}
        value = {**own, "steps": [{"step": 0, "result": told.results[0]}]}
        for name, result in (
            ("result", {"status": "COMPLETED", "value": value}),
            ("state", own),
            ("signal", None),
        ):
            story.add(
                Operation(
                    **story.at(),
                    name=name,
                    tenant=tenant,
                    workflow_id=told.run.workflow_id,
                    run_id=told.run.run_id,
                    ending=Ending.OK,
                    invoked_ns=story.now_ns,
                    result=result,
                )
            )
    return story


def edited(story: Story, tenant: str, **fields: Any) -> Story:
    """The story with other members in a tenant's result."""
    story.change(
        Operation,
        lambda op: {"result": {**op.result, "value": {**op.result["value"], **fields}}},
        name="result",
        tenant=tenant,
    )
    return story


def test_twins_that_keep_apart_pass() -> None:
    assert twins().judge(TWINS).outcome is Outcome.PASS


def test_a_result_that_the_service_gave_to_another_tenant_fails() -> None:
    story = twins()
    (foreign,) = story.all(Operation, name="result", tenant="alpha")
    verdict = edited(story, "beta", steps=foreign.result["value"]["steps"]).judge(TWINS)
    assert verdict.outcome is Outcome.FAIL
    assert "gave to ['alpha']" in verdict.witnesses[0].text


def test_a_result_that_no_service_gave_is_not_this_checks_matter() -> None:
    story = edited(twins(), "beta", steps=[{"step": 0, "result": {"made": "up"}}, "nothing"])
    assert story.judge(TWINS).outcome is Outcome.PASS


def test_a_signal_of_another_tenant_fails() -> None:
    story = edited(twins(), "beta", signals=["go-beta", "go-alpha"])
    assert story.judge(TWINS).outcome is Outcome.FAIL
