"""The reference saga's policies, and the seam by which a mutant changes one of them."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

import harness.contract
from harness.contract.program import WORKFLOW_TYPE
from scenarios.reference.program import COMPENSATION_RETRY, Retry
from scenarios.reference.worker import Parts
from scenarios.reference.workflow import NOT_RETRIED, NOTHING, ReferenceSaga

DOCUMENT = (Path(harness.contract.__file__).parent / "CONTRACT.md").read_text()


@workflow.defn(name="ReferenceSaga")
class Forgetful(ReferenceSaga):
    """A mutant as its author writes it."""

    @workflow.run
    async def run(self, raw: RawValue = NOTHING) -> dict[str, Any]:
        return await super().run(raw)

    def to_compensate(self, unknown: int | None) -> list[int]:
        return []


def test_a_subclass_is_a_whole_workflow() -> None:
    definition = workflow._Definition.must_from_class(Parts(workflow=Forgetful).workflow)
    assert definition.name == WORKFLOW_TYPE
    assert set(definition.signals) == {"deliver"}
    assert set(definition.queries) >= {"state"}
    assert set(definition.updates) == {"annotate"}


def test_what_is_not_retried_is_the_table_of_the_contract() -> None:
    raised = "(?:workflow|activity|workflow, activity)"
    rows = re.findall(rf"^\| `(\w+)` \| {raised} \| (yes|no) \|$", DOCUMENT, re.M)
    assert rows
    assert {type_ for type_, retried in rows if retried == "no"} == set(NOT_RETRIED)


def test_a_retry_policy_is_in_the_contracts_numbers() -> None:
    policy = ReferenceSaga().retry_policy(COMPENSATION_RETRY)
    assert policy.initial_interval == timedelta(milliseconds=200)
    assert policy.backoff_coefficient == 2.0
    assert policy.maximum_interval == timedelta(seconds=2)
    assert policy.maximum_attempts == 10


def test_an_interval_never_exceeds_the_maximum() -> None:
    """The engine refuses such a policy, and the run would hang."""
    policy = ReferenceSaga().retry_policy(Retry(initial_ms=5_000, max_interval_ms=2_000))
    assert policy.initial_interval == policy.maximum_interval == timedelta(seconds=2)


def test_completed_steps_are_compensated_in_reverse_and_the_doubtful_one_first() -> None:
    saga = ReferenceSaga()
    saga.results = {0: {}, 2: {}, 5: {}}
    assert saga.to_compensate(None) == [5, 2, 0]
    assert saga.to_compensate(6) == [6, 5, 2, 0]


def test_a_signal_id_counts_once() -> None:
    saga = ReferenceSaga()
    for signal_id, name in (("b", "go"), ("a", "go"), ("b", "other")):
        saga.receive(signal_id, name)
    assert saga.signals == {"b": "go", "a": "go"}
