"""The 64 failures of the PDP: each has a row, and what a row says is driven is driven."""

from __future__ import annotations

import fnmatch
from collections import Counter

import pytest

from harness.contract.pdp_matrix import ROWS, Row
from harness.contract.pdp_modes import LINKS, MODES
from harness.contract.program import Step
from harness.journal.records import Answer
from scenarios.conformance.test_authorization import SUITE

EACH = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
ASKED = [
    node.resource for case in SUITE.cases for node in case.nodes if isinstance(node, Step)
]  # fmt: skip


def of(row: Row) -> list[str]:
    """The modes of a number."""
    return [mode.id for mode in MODES if mode.id[:5] == row.name]


def test_there_are_sixty_four_in_order() -> None:
    assert [row.number for row in ROWS] == list(range(1, 65))


def test_every_mode_and_every_link_has_a_row() -> None:
    numbered = {mode.id[:5] for mode in (*MODES, *LINKS) if mode.id.startswith("FM")}
    assert numbered <= {row.name for row in ROWS}


@EACH
def test_a_row_says_how_and_what_is_not_driven_why(row: Row) -> None:
    assert bool(row.reason) == (row.how in ("idle", "absent", "unseen"))
    assert bool(row.cases) == (row.how in ("course", "link"))
    assert bool(of(row)) == (row.how == "answer")


@pytest.mark.parametrize("row", [r for r in ROWS if r.how == "answer"], ids=lambda row: row.name)
@pytest.mark.parametrize("direction", ["forward", "compensation"])
def test_each_answer_is_asked_in_both_directions(row: Row, direction: str) -> None:
    """A compensation asks for what was allowed forward, at least at the second question."""
    for mode in of(row):
        answer = next(each.answer for each in MODES if each.id == mode)
        back = f"{mode.lower()}-back."
        both = f"{mode.lower()}-x1."
        there = f"{mode.lower()}."
        wanted = (both, back) if direction == "compensation" else (both, there)
        assert any(resource.startswith(wanted) for resource in ASKED), (mode, answer)


@pytest.mark.parametrize("row", [r for r in ROWS if r.cases], ids=lambda row: row.name)
def test_each_course_is_driven_by_cases_that_feed_its_check(row: Row) -> None:
    driven = [*SUITE.cases, *SUITE.acts]
    for pattern in row.cases:
        found = [each for each in driven if fnmatch.fnmatchcase(each.name, pattern)]
        assert found, pattern
        fed = {assertion for each in found for assertion in each.feeds}
        assert fed & {*row.ids, "INV-PDP-11"}


def test_the_plain_answers_are_the_only_ones_that_entitle_to_anything() -> None:
    said = Counter(mode.answer for mode in MODES if mode.id.startswith("FM"))
    assert (said[Answer.ALLOW], said[Answer.DENY]) == (1, 1)
