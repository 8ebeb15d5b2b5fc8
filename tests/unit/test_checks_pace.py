"""On a machine that is starved, what comes late is no fault of the platform; nor is it a pass."""

from __future__ import annotations

import pytest

from harness.checks.audit import CHECKS as AUDIT
from harness.checks.authorization import CHECKS as AUTHORIZATION
from harness.checks.check import Check, Evidence
from harness.checks.durability import CHECKS as DURABILITY
from harness.checks.histories import runs
from harness.checks.histories.pace import (
    ENOUGH,
    NEAR_NS,
    SLOW_TASK_MS,
    starved,
    starved_between,
    usual_task_ms,
)
from harness.journal.records import History
from harness.outcome import Outcome
from tests.unit import test_checks_audit as audit
from tests.unit import test_checks_authorization as authorization
from tests.unit import test_checks_durability as durability
from tests.unit import test_checks_limits as limits
from tests.unit import test_checks_restarts as restarts
from tests.unit.journals import MS, Story

CHECKS = {check.id: check for check in (*AUDIT, *AUTHORIZATION, *DURABILITY)}


def evidence_of(story: Story, check: Check, slowest_ms: float, **parameters: float) -> Evidence:
    """What the check sees if half of the runs had a workflow task that slow."""
    evidence = Evidence(story.journal(), frozenset(check.needs), parameters)
    found = list(runs(evidence).values())
    for run in found[: len(found) // 2 + 1]:
        run.slowest_task_ns = int(slowest_ms * MS)
    return evidence


def late_events() -> Story:
    return audit.told()


def late_timeouts() -> Story:
    return limits.limits(**{name: (name, 1501) for name in limits.ASKED})


def long_waits() -> Story:
    story = authorization.told()
    authorization._times_out(story, "s-lasting", 12)
    return story


def stuck_after_a_kill() -> Story:
    story = restarts.disturbed()
    run = restarts.run_of(story, "killed-3")
    run.events = [e for e in run.events if "TIMER" not in e["eventType"]]
    run.events = [e for e in run.events if "WORKFLOW_TASK" not in e["eventType"]]
    run.events[-1]["eventType"] = "EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT"
    return story


@pytest.mark.parametrize(
    ("assertion_id", "story", "parameters"),
    [
        ("INV-AUD-1", late_events, {"event_lag_ms": -1}),
        ("INV-PDP-5", long_waits, {}),
        ("DUR-8", late_timeouts, {"timer_skew_ms": limits.SKEW_MS}),
        ("DUR-1", stuck_after_a_kill, {}),
    ],
)
@pytest.mark.parametrize(
    ("slowest_ms", "outcome"),
    [(SLOW_TASK_MS, Outcome.FAIL), (SLOW_TASK_MS + 1, Outcome.INCONCLUSIVE)],
)
def test_what_is_late_fails_unless_the_machine_is_starved(
    assertion_id: str, story: object, parameters: dict[str, float], slowest_ms: float,
    outcome: Outcome,
) -> None:  # fmt: skip
    """Then it is inconclusive, and says so."""
    check = CHECKS[assertion_id]
    assert callable(story)
    finding = check.judge(evidence_of(story(), check, slowest_ms, **parameters))
    assert finding.outcome is outcome, finding.reason


@pytest.mark.parametrize(("slow_sagas", "expected"), [(0, 0.0), (1, 0.0), (2, 3000.0)])
def test_one_slow_run_of_three_says_nothing(slow_sagas: int, expected: float) -> None:
    """A worker that is killed on purpose has a slow task, too."""
    story = Story()
    for _ in range(3):
        story.saga([durability.step(0, "r")])
    evidence = Evidence(story.journal(), frozenset({History}), {})
    for run in list(runs(evidence).values()):
        run.slowest_task_ns = 0
    for run in list(runs(evidence).values())[:slow_sagas]:
        run.slowest_task_ns = 3000 * MS
    assert usual_task_ms(evidence) == expected
    assert bool(starved(evidence)) == bool(expected)


def test_without_runs_nothing_is_starved() -> None:
    assert not starved(Evidence(Story().journal(), frozenset({History}), {}))


SECOND_NS = 1_000_000_000


def paced(*begun: tuple[int, float]) -> Evidence:
    """Runs that began so many seconds after the first one, each with its slowest task in ms."""
    story = Story()
    for _ in begun:
        story.saga([durability.step(0, "r")])
    evidence = Evidence(story.journal(), frozenset({History}), {})
    for run, (second, slowest_ms) in zip(runs(evidence).values(), begun, strict=True):
        run.started_ns = (1000 + second) * SECOND_NS
        run.slowest_task_ns = int(slowest_ms * MS)
    return evidence


def between(evidence: Evidence, since_s: int, until_s: int) -> str:
    return starved_between(evidence, (1000 + since_s) * SECOND_NS, (1000 + until_s) * SECOND_NS)


SLOW_BEGINNING = paced(*[(0, SLOW_TASK_MS + 1)] * ENOUGH, *[(60, 50.0)] * (ENOUGH + 1))


def test_a_starved_moment_of_a_trial_excuses_what_was_late_then() -> None:
    """Later most runs are quick, so the trial as a whole is not starved."""
    assert not starved(SLOW_BEGINNING)
    assert "the machine was starved" in between(SLOW_BEGINNING, 0, 20)


def test_a_starved_moment_excuses_nothing_that_was_late_at_another() -> None:
    near_s = NEAR_NS // SECOND_NS
    assert between(SLOW_BEGINNING, near_s, 30)
    assert not between(SLOW_BEGINNING, near_s + 1, 90)


def test_a_quick_moment_of_a_starved_trial_excuses_as_the_trial_does() -> None:
    evidence = paced(*[(0, 3000.0)] * (ENOUGH + 1), *[(60, 50.0)] * ENOUGH)
    assert "the machine is starved" in between(evidence, 60, 90)


def test_a_few_slow_runs_say_nothing_of_a_moment() -> None:
    evidence = paced(*[(0, 9000.0)] * (ENOUGH - 1), *[(60, 50.0)] * (ENOUGH + 1))
    assert not between(evidence, 0, 5)
