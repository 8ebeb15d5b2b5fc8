"""The certification scenario of AuthZEN: its questions, our PDP that answers them, the verdict."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from harness.checks.authorization import CHECKS
from harness.contract.authzen import JSON, QUESTIONS, REQUEST_ID, TOPICS, Question
from harness.doubles.certified import CertifiedPdp
from harness.doubles.defects import Defect
from harness.doubles.http import Request
from harness.journal.records import Ending, Operation
from harness.outcome import Outcome
from tests.unit.journals import Story

PDP_10 = next(check for check in CHECKS if check.id == "INV-PDP-10")
URL = "http://127.0.0.1:1"
BY_ID = {question.id: question for question in QUESTIONS}
DEFECTS = {
    Defect.PDP_BLIND: "wrong decision",
    Defect.PDP_STRINGS: "answer out of form",
    Defect.PDP_ERRORS_AS_DENY: "error not answered with 400",
    Defect.PDP_NO_ECHO: "request id not echoed",
    Defect.PDP_FLAPS: "same question, other answer",
    Defect.PDP_BATCH_REVERSED: "wrong batch",
    Defect.PDP_WHOLE_BATCH: "error of an item spoils a batch",
    Defect.PDP_NEVER_SHORT: "batch not cut short",
    Defect.PDP_OTHER_METADATA: "wrong metadata",
}


class Line:
    """What a handler writes to."""

    def __init__(self) -> None:
        self.sent = b""

    def write(self, data: bytes) -> None:
        self.sent += data


def asked(pdp: CertifiedPdp, question: Question) -> dict[str, Any]:
    """The answer of our PDP, as the act records it."""
    line: Any = Line()
    fields = {"content-type": question.content_type}
    if question.request_id:
        fields[REQUEST_ID.lower()] = question.request_id
    raw = json.dumps(question.body) if question.raw is None else question.raw
    pdp.serve(
        line,
        Request(
            method=question.method, target=question.path, fields=fields, body=raw.encode(),
            received_ns=1, keep_alive=True,
        ),
    )  # fmt: skip
    head, _, body = line.sent.decode().partition("\r\n\r\n")
    lines = dict(each.split(": ", 1) for each in head.split("\r\n")[1:])
    return {
        "status": int(head.split()[1]),
        "content_type": lines.get("Content-Type", ""),
        "request_id": lines.get(REQUEST_ID, ""),
        "body": body,
    }


def told(*defects: Defect, **other: dict[str, Any]) -> Story:
    """A journal in which every question was asked; `other` are answers to questions instead."""
    story = Story()
    pdp = CertifiedPdp(frozenset(defects))
    pdp.url = URL
    for question in QUESTIONS:
        for number in range(question.times):
            answer = {**asked(pdp, question), **other.get(question.id.replace("/", "_"), {})}
            story.add(
                Operation(
                    **story.at(), name="authzen", case=question.id, ending=Ending.OK, status="OK",
                    invoked_ns=1, args={"pdp": URL, "number": number}, result=answer,
                )
            )  # fmt: skip
    return story


def failing(story: Story) -> list[str]:
    """The clauses that fail."""
    verdict = story.judge(PDP_10)
    return [clause.name for clause in verdict.clauses if clause.outcome is Outcome.FAIL]


def test_questions_are_named_once_and_every_topic_has_one() -> None:
    assert [n for n, count in Counter(q.id for q in QUESTIONS).items() if count > 1] == []
    assert {question.topic for question in QUESTIONS} == set(TOPICS)


def test_our_pdp_is_certified() -> None:
    verdict = told().judge(PDP_10)
    assert verdict.outcome is Outcome.PASS, verdict.reason
    assert verdict.figures["discovery_right"] == "1 of 1"
    assert str(len(QUESTIONS)) in verdict.reason


@pytest.mark.parametrize(("defect", "clause"), DEFECTS.items())
def test_each_defect_fails_its_clause(defect: Defect, clause: str) -> None:
    assert clause in failing(told(defect))


@pytest.mark.parametrize(
    "answer",
    [
        {"body": '{"decision":"true"}'},
        {"body": '{"decision":1}'},
        {"body": "{}"},
        {"body": "[true]"},
        {"body": "no"},
        {"body": '{"decision":true,"context":"ok"}'},
        {"body": '{"decision":false}'},
        {"content_type": "text/plain"},
        {"status": 403},
        {"status": 201},
    ],
)
def test_what_is_no_right_answer_to_a_permitted_question_fails(answer: dict[str, Any]) -> None:
    assert failing(told(basic_permit=answer)) == ["wrong decision"]


@pytest.mark.parametrize(
    "body",
    [
        '{"decision":true}',
        '{"evaluations":[{"decision":true}]}',
        '{"evaluations":[{"decision":true},{"decision":true}]}',
        '{"evaluations":[{"decision":false},{"decision":true}]}',
        '{"evaluations":[{"decision":true},{"decision":0}]}',
        '{"evaluations":[{"decision":true},{"decision":false},{"decision":false}]}',
    ],
)
def test_a_batch_must_be_whole_and_in_order(body: str) -> None:
    assert failing(told(batch_ordered={"body": body})) == ["wrong batch"]


def test_a_question_without_an_answer_leaves_it_open() -> None:
    story = told()
    story.set(Operation, {"ending": Ending.INFO, "result": None}, case="basic/deny")
    verdict = story.judge(PDP_10)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "basic/deny" in verdict.reason


def test_nothing_asked_is_inconclusive() -> None:
    story = Story()
    assert story.judge(PDP_10).outcome is Outcome.INCONCLUSIVE
    story.add(Operation(**story.at(), name="start", ending=Ending.OK, invoked_ns=1))
    assert story.judge(PDP_10).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [("/else", "POST", 404), ("/access/v1/evaluation", "GET", 405)],
)
def test_other_addresses_are_refused(path: str, method: str, status: int) -> None:
    pdp = CertifiedPdp(frozenset())
    other = Question(id="x", level="Basic", clause="", topic="", path=path, method=method)
    assert asked(pdp, other)["status"] == status


def test_our_pdp_takes_a_charset_and_echoes_the_request_id() -> None:
    answer = asked(CertifiedPdp(frozenset()), BY_ID["basic/request-id"])
    assert answer["request_id"] == BY_ID["basic/request-id"].request_id
    assert answer["content_type"] == JSON
