"""Suspects in histories, and the memory of keys: what passes, what fails, what is left open."""

from __future__ import annotations

from typing import Any

import pytest

from harness.checks.idempotency import CHECKS
from harness.contract.program import step
from harness.doubles.defects import Defect
from harness.doubles.ledger import Ledger, Order
from harness.journal.records import Disposition, Effect, Ending, Operation, Program
from harness.outcome import Outcome
from tests.unit.journals import Story

BY_ID = {check.id: check for check in CHECKS}
SUSPECTS, MEMORY = BY_ID["INV-IDEM-11"], BY_ID["INV-IDEM-12"]
DAY_S = 24 * 3600
DECLARED = {"key_memory_hours": 90 * 24.0}


def told() -> Story:
    """A saga whose first step is tried again, delivered a second time at the end."""
    story = Story()
    nodes = [step(0, "r"), step(1, "r")]
    plan = {(0, "forward"): ["fail", "ok"]}
    story.saga(nodes, feeds=("INV-IDEM-11", "INV-IDEM-12"), case="s", plan=plan)
    for first in story.all(Effect, disposition=Disposition.APPLIED):
        times: dict[str, Any] = {**story.at(), "received_ns": story.now_ns, "applied_ns": 0}
        again = {f: getattr(first, f) for f in first.__struct_fields__} | times
        again |= {"workflow_id": "again", "run_id": "again", "disposition": Disposition.SUPPRESSED}
        story.add(Effect(**again))
    for tenant in ("alpha", "beta"):
        story.add(
            Operation(
                **story.at(), name="namespace", tenant=tenant, ending=Ending.OK, invoked_ns=1,
                result={"retention_s": 90 * DAY_S},
            )
        )  # fmt: skip
    for run in story.runs:
        for event in run.events:
            attributes = event.get("activityTaskScheduledEventAttributes")
            if attributes is not None:
                attributes["scheduleToCloseTimeout"] = "60s"
    return story


def failing(story: Story, check: Any, **parameters: Any) -> list[str]:
    """The clauses that fail."""
    verdict = story.judge(check, **parameters)
    assert verdict.outcome is Outcome.FAIL, verdict.reason
    return [clause.name for clause in verdict.clauses if clause.outcome is Outcome.FAIL]


def lacks(story: Story, check: Any, **parameters: Any) -> str:
    """The reason of an inconclusive verdict."""
    verdict = story.judge(check, **parameters)
    assert verdict.outcome is Outcome.INCONCLUSIVE, verdict.reason
    return verdict.reason


# --- suspects


def test_a_suspect_that_was_applied_once_is_explained() -> None:
    verdict = told().judge(SUSPECTS)
    assert verdict.outcome is Outcome.PASS
    assert verdict.figures["suspects"] == 1


def test_a_suspect_that_was_applied_twice_is_not() -> None:
    story = told()
    story.set(Effect, {"disposition": Disposition.APPLIED}, step=0)
    assert failing(story, SUSPECTS) == ["suspect applied twice"]


def test_a_suspect_that_no_service_knows_is_not() -> None:
    story = told()
    story.drop(Effect, step=0)
    assert failing(story, SUSPECTS) == ["suspect completed without a trace"]


def test_without_suspects_nothing_is_shown() -> None:
    story = Story()
    story.saga([step(0, "r")], feeds=("INV-IDEM-11",), case="s")
    assert "attempted again" in lacks(story, SUSPECTS)
    lacks(Story(), SUSPECTS)


# --- memory


def test_a_memory_that_outlasts_all_and_was_probed_passes() -> None:
    verdict = told().judge(MEMORY, **DECLARED)
    assert verdict.outcome is Outcome.PASS, verdict.reason
    assert verdict.figures["probed_effects"] == 2


@pytest.mark.parametrize(
    ("hours", "clauses"),
    [
        (90 * 24 - 0.01, ["memory shorter than the retention"]),
        (0.01, ["memory shorter than the retries", "memory shorter than the retention"]),
    ],
)
def test_a_memory_that_is_too_short_fails(hours: float, clauses: list[str]) -> None:
    assert failing(told(), MEMORY, key_memory_hours=hours) == clauses


def test_an_effect_that_is_applied_again_at_the_end_was_forgotten() -> None:
    story = told()
    story.set(Effect, {"disposition": Disposition.APPLIED}, workflow_id="again", step=1)
    assert failing(story, MEMORY, **DECLARED) == ["key forgotten"]


def test_what_nobody_declared_or_probed_is_left_open() -> None:
    assert "not declared" in lacks(told(), MEMORY)
    story = told()
    story.drop(Effect, workflow_id="again")
    assert "asked for again" in lacks(story, MEMORY, **DECLARED)
    story = told()
    story.set(Operation, {"ending": Ending.FAIL, "result": None}, name="namespace")
    assert "retention" in lacks(story, MEMORY, **DECLARED)
    story = told()
    story.set(Program, {"feeds": ["OTHER"]})
    assert "no saga was driven" in lacks(story, MEMORY, **DECLARED)
    lacks(Story(), MEMORY, **DECLARED)


def test_a_ledger_with_a_short_memory_forgets_the_oldest_key() -> None:
    ledger = Ledger(frozenset({Defect.SHORT_MEMORY}))

    def order(key: int) -> Order:
        return Order(
            tenant="a", key=str(key), saga_id="s", step=key, direction="forward", service="rms",
            operation="reserve", resource="r", amount="1",
        )  # fmt: skip

    first = [ledger.apply(order(key)).disposition for key in range(4)]
    assert first == [Disposition.APPLIED] * 4
    assert ledger.apply(order(3)).disposition is Disposition.SUPPRESSED
    assert ledger.apply(order(0)).disposition is Disposition.APPLIED
