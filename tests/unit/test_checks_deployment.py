"""Retention, smoke and census, from journals told by hand."""

from __future__ import annotations

from typing import Any

import pytest

from harness.checks.deployment import CHECKS
from harness.journal.records import Ending, Operation
from harness.outcome import Outcome
from tests.unit.journals import Story

BY_ID = {check.id: check for check in CHECKS}
DAY_S = 86_400


def op(story: Story, name: str, result: Any = None, **fields: Any) -> None:
    given: dict[str, Any] = {"ending": Ending.OK, "status": "OK", **fields}
    story.add(Operation(**story.at(), name=name, invoked_ns=story.now_ns, result=result, **given))


def kept(**days: float) -> Story:
    """The retention of tenants, in days."""
    story = Story()
    for tenant, each in days.items():
        op(story, "namespace", {"retention_s": each * DAY_S}, tenant=tenant)
        op(story, "closed-before", {"count": 0}, tenant=tenant, args={"days": 91})
    return story


def outcome(story: Story, assertion_id: str, **parameters: Any) -> tuple[Outcome, list[str]]:
    verdict = story.judge(BY_ID[assertion_id], **parameters)
    failed = [each.name for each in verdict.clauses if each.outcome is Outcome.FAIL]
    return verdict.outcome, failed


def test_ninety_days_pass_and_say_whether_deletion_was_shown() -> None:
    story = kept(alpha=90, beta=90)
    assert outcome(story, "CAP-2") == (Outcome.PASS, [])
    assert "was not shown" in story.judge(BY_ID["CAP-2"]).reason
    op(
        story,
        "short-retention",
        {"gone": True, "seconds": 1.7, "slowest_s": 0.1},
        args={"retention_s": 1.0},
    )
    assert "was gone after 1.7 s" in story.judge(BY_ID["CAP-2"]).reason


def test_a_refused_probe_says_why() -> None:
    story = kept(alpha=90)
    op(story, "short-retention", ending=Ending.FAIL, message="at least an hour", args={})
    assert "not shown: at least an hour" in story.judge(BY_ID["CAP-2"]).reason


@pytest.mark.parametrize("days", [89.99, 90.01, 7, 365])
def test_any_other_retention_fails(days: float) -> None:
    expected = (Outcome.FAIL, ["retention is not as promised"])
    assert outcome(kept(alpha=90, beta=days), "CAP-2") == expected


def test_the_retention_is_a_declared_meaning() -> None:
    assert outcome(kept(alpha=30), "CAP-2", retention_days=30) == (Outcome.PASS, [])


def test_runs_that_outlive_their_retention_fail() -> None:
    story = kept(alpha=90)
    story.set(Operation, {"result": {"count": 3}}, name="closed-before")
    expected = (Outcome.FAIL, ["closed run outlives its retention"])
    assert outcome(story, "CAP-2") == expected
    probed = kept(alpha=90)
    seen = {"gone": False, "seconds": 60, "slowest_s": 0.1}
    op(probed, "short-retention", seen, args={"retention_s": 1.0})
    assert outcome(probed, "CAP-2") == expected


def test_an_engine_that_is_starved_is_not_blamed_for_a_late_deletion() -> None:
    story = kept(alpha=90)
    seen = {"gone": False, "seconds": 60, "slowest_s": 2.0}
    op(story, "short-retention", seen, args={"retention_s": 1.0})
    assert outcome(story, "CAP-2") == (Outcome.INCONCLUSIVE, [])


def test_a_tenant_whose_retention_is_not_known_is_inconclusive() -> None:
    story = kept(alpha=90, beta=90)
    story.set(Operation, {"ending": Ending.FAIL}, name="namespace", tenant="beta")
    verdict = story.judge(BY_ID["CAP-2"])
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "beta" in verdict.reason


def answering(version: str, *, serving: bool = True) -> Story:
    story = Story()
    op(story, "health", {"serving": serving})
    op(story, "system-info", {"version": version})
    return story


@pytest.mark.parametrize(
    ("version", "expected"),
    [("1.29.1", Outcome.PASS), ("1.32.0", Outcome.PASS), ("1.29.0", Outcome.FAIL)],
)
def test_the_least_version_of_the_engine(version: str, expected: Outcome) -> None:
    assert outcome(answering(version), "ASM-1")[0] is expected


def test_an_engine_that_does_not_serve_fails() -> None:
    expected = (Outcome.FAIL, ["engine is not serving"])
    assert outcome(answering("1.32.0", serving=False), "ASM-1") == expected
    story = answering("1.32.0")
    story.set(Operation, {"ending": Ending.INFO, "status": "UNAVAILABLE"}, name="health")
    assert outcome(story, "ASM-1") == expected


def test_what_was_not_asked_is_inconclusive() -> None:
    story = answering("1.32.0")
    story.drop(Operation, name="system-info")
    assert outcome(story, "ASM-1")[0] is Outcome.INCONCLUSIVE


def runs_by(*sdks: str) -> Story:
    """A run by each of these SDKs; an empty name says nothing."""
    story = Story()
    for sdk in sdks:
        told = story.saga([], end="open")
        metadata = {"sdkMetadata": {"sdkName": sdk, "sdkVersion": "1.0"}} if sdk else {}
        story.event(told.run, "WORKFLOW_TASK_COMPLETED", identity="w", **metadata)
    return story


def test_the_census_counts_sdks_and_the_share_of_rust() -> None:
    story = runs_by("temporal-rust", "temporal-go", "temporal-go", "temporal-python")
    verdict = story.judge(BY_ID["IFC-1"])
    assert verdict.outcome is Outcome.PASS
    assert verdict.figures["share_of_rust"] == 0.25
    assert [row["runs"] for row in verdict.figures["table"]] == [2, 1, 1]


@pytest.mark.parametrize(
    ("sdks", "expected"),
    [
        (("temporal-php",), Outcome.FAIL),
        (("temporal-python", ""), Outcome.INCONCLUSIVE),
        ((), Outcome.INCONCLUSIVE),
    ],
)
def test_other_sdks_fail_and_silent_ones_are_inconclusive(
    sdks: tuple[str, ...], expected: Outcome
) -> None:
    assert outcome(runs_by(*sdks), "IFC-1")[0] is expected
