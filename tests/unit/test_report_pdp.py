"""The matrix of PDP failures: what a cell says, from decisions and effects made by hand."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from harness.catalogue import load_catalogue
from harness.journal.read import from_records
from harness.journal.records import Answer, Decision, Disposition, Effect, Record
from reports.sections.pdp import Cell, Matrix, matrices
from reports.trial import Trial

MS = 1_000_000
WHERE: dict[str, Any] = {
    "tenant": "alpha", "saga_id": "s-1", "step": 0, "workflow_id": "wf-1", "run_id": "r-1",
    "idempotency_key": "s-1:0:forward",
}  # fmt: skip


def asked(mode: str = "FM-32", answer: Answer = Answer.NONE, **fields: Any) -> Decision:
    given = {**WHERE, "direction": "forward", "attempt": 1, "at_ns": 5 * MS, **fields}
    return Decision(
        **given, wall_ns=0, seq=1, received_ns=0, action="rms.reserve", resource="r", mode=mode,
        answer=answer,
    )  # fmt: skip


def reached(**fields: Any) -> Effect:
    given = {**WHERE, "direction": "forward", "attempt": 1, **fields}
    return Effect(
        **given, at_ns=0, wall_ns=0, seq=2, received_ns=0, service="rms", operation="reserve",
        disposition=Disposition.REFUSED, status=422,
    )  # fmt: skip


def matrix(*records: Record) -> Matrix:
    (only,) = matrices([Trial(from_records(records), [])], load_catalogue())
    return only


def cell(*records: Record) -> Cell:
    found = matrix(*records).rows[0].cells[0]
    assert found is not None
    return found


def test_no_request_after_a_broken_answer_is_denied() -> None:
    found = cell(asked(), asked(attempt=2), asked(attempt=3))
    assert found == Cell((("denied", 1),), 2)
    assert not found.bad


def test_any_request_after_a_broken_answer_is_a_false_allow_even_a_refused_one() -> None:
    found = cell(asked(), reached())
    assert found.counts == (("false allow", 1),)
    assert found.bad


def test_a_request_in_another_attempt_says_nothing_about_this_one() -> None:
    allowed = asked(mode="policy", answer=Answer.ALLOW, attempt=2)
    assert cell(asked(), allowed, reached(attempt=2)).counts == (("denied", 1),)
    assert cell(asked(), allowed, reached(run_id="r-2")).counts == (("denied", 1),)


@pytest.mark.parametrize(("waited_ms", "became"), [(1500, "denied"), (1501, "hung")])
def test_waiting_longer_than_one_and_a_half_deadlines_is_hanging(
    waited_ms: int, became: str
) -> None:
    assert cell(asked("FM-16", at_ns=waited_ms * MS)).counts == ((became, 1),)


def test_a_giant_answer_that_takes_its_time_is_no_hanging() -> None:
    assert cell(asked("FM-45", at_ns=9000 * MS)).counts == (("denied", 1),)


def test_a_valid_allow_is_used_or_unused() -> None:
    assert cell(asked("FM-01", Answer.ALLOW), reached()).counts == (("allowed", 1),)
    unused = cell(asked("FM-01", Answer.ALLOW))
    assert unused.counts == (("allow unused", 1),)
    assert not unused.bad


def test_the_worst_activity_leads_the_cell() -> None:
    found = cell(asked(), asked(saga_id="s-2"), asked(saga_id="s-3"), reached(saga_id="s-3"))
    assert found.counts == (("false allow", 1), ("denied", 2))


def test_a_redirect_that_was_followed_is_no_question_of_its_own() -> None:
    target = asked("FM-48 target", Answer.ALLOW)
    found = matrix(asked("FM-48"), target, reached())
    assert [row.mode for row in found.rows] == ["FM-48"]
    assert (found.asked, found.redirects) == (1, 1)
    assert found.rows[0].bad


def test_a_direction_that_was_not_met_is_empty_not_green() -> None:
    found = matrix(asked())
    assert found.rows[0].cells[1] is None
    assert found.tally == (("denied", 1), ("not met", 1))


def test_ordinary_decisions_make_no_matrix() -> None:
    policy = [asked(mode="policy", answer=Answer.ALLOW)]
    assert matrices([Trial(from_records(policy), [])], load_catalogue()) == []


def test_the_bytes_of_an_answer_can_be_read() -> None:
    """Line ends stay; what cannot be printed is an escape."""
    sent = base64.b64encode(b"HTTP/1.1 200 OK\r\n\r\n\xff<b>").decode()
    (row,) = matrix(asked(wire=sent)).rows
    assert row.wire == "HTTP/1.1 200 OK\n\n\\xff<b>"


def test_every_number_is_told() -> None:
    assert [row.number for row in matrix(asked()).numbers] == list(range(1, 65))
