"""Merging verdicts: the worst wins, whose part it is is kept apart, nothing is left out."""

from __future__ import annotations

from typing import Any

import pytest

from harness.catalogue import load_catalogue
from harness.checks.verdict import Verdict
from harness.journal.read import from_records, hand_made_manifest
from harness.outcome import Outcome
from reports.standing import Board, Row, Standing, Statement, board
from reports.trial import Trial

A, B = "trial-a", "trial-b"


def verdict(outcome: Outcome, trial: str = A, **fields: Any) -> Verdict:
    given: dict[str, Any] = {
        "id": "INV-PDP-1",
        "subject": "worker",
        "ours": True,
        "profile": "core",
        "level": "M",
        "reason": outcome.value,
    }
    return Verdict(**{**given, **fields}, outcome=outcome, trial=trial)


def trial(*verdicts: Verdict, trial_id: str = A, ended: int = 1, **manifest: Any) -> Trial:
    made = hand_made_manifest(trial_id=trial_id, ended_wall_ns=ended, **manifest)
    return Trial(from_records([], manifest=made), list(verdicts))


def merged(*trials: Trial) -> Board:
    return board(load_catalogue(), trials)


def statement(found: Board, assertion_id: str = "INV-PDP-1") -> Statement:
    return next(each for each in found.statements if each.id == assertion_id)


def row(found: Board) -> Row:
    (only,) = statement(found).rows
    return only


@pytest.mark.parametrize(
    ("first", "second", "shown"),
    [
        (Outcome.PASS, Outcome.FAIL, Standing.FAIL),
        (Outcome.FAIL, Outcome.INCONCLUSIVE, Standing.FAIL),
        (Outcome.PASS, Outcome.INCONCLUSIVE, Standing.INCONCLUSIVE),
        (Outcome.PASS, Outcome.WAIVED, Standing.WAIVED),
        (Outcome.WAIVED, Outcome.INCONCLUSIVE, Standing.INCONCLUSIVE),
        (Outcome.PASS, Outcome.NOT_APPLICABLE, Standing.PASS),
        (Outcome.ATTESTED, Outcome.PASS, Standing.PASS),
        (Outcome.ATTESTED, Outcome.NOT_APPLICABLE, Standing.ATTESTED),
    ],
)
def test_the_worst_verdict_decides_whatever_the_order_of_trials(
    first: Outcome, second: Outcome, shown: Standing
) -> None:
    a, b = trial(verdict(first)), trial(verdict(second, B), trial_id=B)
    for trials in ((a, b), (b, a)):
        found = row(merged(*trials))
        assert found.standing is shown
        assert len(found.others) == 1


def test_among_equal_verdicts_the_newest_decides() -> None:
    old = trial(verdict(Outcome.PASS), ended=1)
    new = trial(verdict(Outcome.PASS, B), trial_id=B, ended=2)
    assert row(merged(new, old)).decided.trial is new
    assert row(merged(old, new)).decided.trial is new


def test_what_our_worker_does_is_kept_apart_from_what_yours_does() -> None:
    ours = trial(verdict(Outcome.PASS))
    yours = trial(verdict(Outcome.FAIL, B, ours=False), trial_id=B)
    found = statement(merged(ours, yours))
    assert [each.standing for each in found.rows] == [Standing.PASS, Standing.FAIL]
    assert found.standing is Standing.FAIL


def test_the_same_verdict_given_twice_is_one() -> None:
    same = trial(verdict(Outcome.PASS))
    assert row(merged(same, same)).others == ()


def test_a_failed_informative_row_does_not_decide() -> None:
    found = merged(trial(verdict(Outcome.FAIL, level="I"), verdict(Outcome.PASS, id="INV-PDP-2")))
    assert found.outcome is Outcome.PASS
    assert found.counts[Standing.FAIL] == 1


def test_nothing_judged_is_inconclusive_never_a_pass() -> None:
    assert merged().outcome is Outcome.INCONCLUSIVE
    assert merged(trial()).outcome is Outcome.INCONCLUSIVE
    assert merged(trial(verdict(Outcome.WAIVED))).outcome is Outcome.INCONCLUSIVE


def test_what_was_asked_for_and_got_no_verdict_is_inconclusive() -> None:
    found = merged(trial(asked=["INV-PDP-1"]))
    assert statement(found).standing is Standing.INCONCLUSIVE
    assert row(found).decided.verdict.reason == "asked for, but no verdict was reached"
    assert row(found).whose == "no subject"


def test_every_statement_stands_somewhere_and_the_counts_add_up() -> None:
    found = merged(trial(verdict(Outcome.PASS)))
    assert [each.id for each in found.statements] == list(load_catalogue().ids)
    assert sum(found.counts.values()) == len(load_catalogue())
    assert all(each.rows or each.why for each in found.statements)


def test_what_has_no_verdict_says_why() -> None:
    found = merged(trial(not_driven={"INV-PDP-2": "no PDP address"}))
    for assertion in load_catalogue():
        each = statement(found, assertion.id)
        if assertion.attest:
            assert each.standing is Standing.TO_ATTEST
        elif assertion.not_yet:
            assert (each.standing, each.why) == (Standing.NOT_YET, assertion.not_yet)
        else:
            assert each.standing is Standing.OUT_OF_PROFILE
    assert statement(found, "INV-PDP-2").why == "not driven: no PDP address"


def test_a_verdict_on_an_unknown_statement_is_shown_and_counts() -> None:
    found = merged(trial(verdict(Outcome.FAIL, id="INV-OLD-1")))
    assert found.outcome is Outcome.FAIL
    assert found.statements[-1].id == "INV-OLD-1"
    assert found.statements[-1].title == "not in this catalogue"
