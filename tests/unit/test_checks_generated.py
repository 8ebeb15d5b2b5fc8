"""INV-IDEM-10: what was drawn is judged by case, and too few of them prove nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.checks.check import Evidence
from harness.checks.idempotency import CHECKS
from harness.checks.idempotency.generated import (
    ID,
    KEY,
    LEAST_SAGAS,
    NOT_ONCE,
    NOT_UNDONE,
    RESULT,
    TWICE,
    broken_by_case,
)
from harness.contract.program import step
from harness.journal.records import Disposition, Effect, Process
from harness.outcome import Outcome
from tests.unit.journals import Story

(CHECK,) = [check for check in CHECKS if check.id == ID]
FIRST = {"saga_id": "s-drawn-00", "step": 0, "direction": "forward"}
LAST = {"saga_id": "s-drawn-13", "direction": "compensation"}


def crash(story: Story, case: str) -> None:
    """The answer to a saga is held while its worker is killed."""
    effect = story.all(Effect, saga_id=f"s-{case}")[0]
    story.set(Effect, {"fault": "held after"}, saga_id=f"s-{case}", seq=effect.seq)
    story.add(
        Process(
            at_ns=effect.received_ns, wall_ns=effect.wall_ns, role="worker", group="calm",
            pid=1, event="killed",
        )
    )  # fmt: skip


def told(count: int = 14, lost: int = 14, crashes: int = 2) -> Story:
    """Drawn sagas with lost answers; the last one is refused and undone."""
    story = Story()
    for number in range(count):
        plan = {(0, "forward"): ["lost", "ok"] if number < lost else ["ok"]}
        if number == 13:
            plan[1, "forward"] = ["refuse"]
        story.saga([step(0, "r"), step(1, "r")], feeds=[ID], case=f"drawn-{number:02}", plan=plan)
    for number in range(crashes):
        crash(story, f"drawn-{number:02}")
    return story


def test_drawn_sagas_that_are_sound_pass() -> None:
    verdict = told().judge(CHECK)
    assert verdict.outcome is Outcome.PASS, verdict.reason
    assert verdict.figures["duplicates_provoked"] == 14
    assert verdict.figures["crashes_provoked"] == 2


@pytest.mark.parametrize(
    ("story", "said"),
    [
        (Story(), "not enough"),
        (told(count=LEAST_SAGAS - 1), "came to one end"),
        (told(lost=7), "requested again"),
        (told(crashes=1), "met a crash"),
    ],
)
def test_too_little_evidence_is_inconclusive(story: Story, said: str) -> None:
    verdict = story.judge(CHECK)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert said in verdict.reason


def twice(story: Story) -> None:
    effect = story.all(Effect, **FIRST)[1]
    changed = {"disposition": Disposition.APPLIED, "applied_ns": effect.received_ns}
    story.set(Effect, changed, seq=effect.seq)


def never(story: Story) -> None:
    story.drop(Effect, saga_id="s-drawn-00", step=1)


def not_undone(story: Story) -> None:
    story.drop(Effect, **LAST)


def other_key(story: Story) -> None:
    effect = story.all(Effect, **FIRST)[1]
    story.set(Effect, {"idempotency_key": "another"}, seq=effect.seq)


def other_result(story: Story) -> None:
    effect = story.all(Effect, **FIRST)[1]
    story.set(Effect, {"result_sha256": "another"}, seq=effect.seq)


@pytest.mark.parametrize(
    ("breaking", "clause", "case"),
    [
        (twice, TWICE, "drawn-00"),
        (never, NOT_ONCE, "drawn-00"),
        (not_undone, NOT_UNDONE, "drawn-13"),
        (other_key, KEY, "drawn-00"),
        (other_result, RESULT, "drawn-00"),
    ],
)
def test_each_clause_fails_and_names_the_case_and_the_seed(
    breaking: Callable[[Story], None], clause: str, case: str
) -> None:
    story = told()
    breaking(story)
    verdict = story.judge(CHECK)
    assert [c.name for c in verdict.clauses if c.outcome is Outcome.FAIL] == [clause]
    assert f"case {case}, seed 0" in verdict.witnesses[0].text
    evidence = Evidence(story.journal(), frozenset(CHECK.needs), {})
    assert set(broken_by_case(evidence)) == {case}


def test_a_result_that_the_history_has_otherwise_fails() -> None:
    story = told()
    story.set(Effect, {"result_sha256": "another"}, **FIRST)
    assert RESULT in story.judge(CHECK).reason
