"""INV-PDP-10: the PDP's answers to the certification scenario of AuthZEN."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from harness.checks.check import Evidence, Finding
from harness.checks.histories.clauses import Broken, conclude
from harness.contract.authzen import (
    JSON,
    QUESTIONS,
    TOPICS,
    Decisions,
    Question,
)
from harness.journal.records import Ending, Operation

_SHOWN: Final = 160
_DECODER: Final = msgspec.json.Decoder()


def pdp_is_certified(evidence: Evidence) -> Finding:
    """ADR, Invariants: "Workflow activities must call PDP for authorization decisions".

    The PDP itself speaks AuthZEN 1.0: the fixed decisions of the certification scenario, the form
    of its answers, 400 for what is malformed, batches, and its metadata. Every question must have
    been answered; that it is asked over TLS is another assertion's matter.
    """
    answers: defaultdict[str, list[Operation]] = defaultdict(list)
    for op in evidence.of(Operation):
        if op.name == "authzen":
            answers[op.case].append(op)
    broken: list[Broken] = []
    right: Counter[str] = Counter()
    unanswered: list[str] = []
    for question in QUESTIONS:
        found = [op for op in answers[question.id] if op.ending is Ending.OK]
        if len(found) < question.times:
            unanswered.append(question.id)
        wrong = [problem for op in found for problem in _problems(question, op)]
        broken += [Broken(question.topic, _text(question, each)) for each in wrong[:1]]
        right[question.level] += bool(found) and not wrong
    asked = Counter(question.level for question in QUESTIONS)
    figures: dict[str, Any] = {
        f"{level.lower()}_right": f"{right[level]} of {count}" for level, count in asked.items()
    }
    figures["pdp"] = next((ops[0].args["pdp"] for ops in answers.values() if ops), "")
    lacks = [
        f"{len(unanswered)} questions were not answered, such as {unanswered[0]}"
        if unanswered
        else ""
    ]
    kept = f"all {len(QUESTIONS)} questions of the levels {', '.join(asked)} were answered right"
    return conclude(TOPICS, broken, lacks, kept, figures)


def _text(question: Question, problem: str) -> str:
    return f"{question.id} (clause {question.clause}): {problem}"


def _problems(question: Question, op: Operation) -> Iterator[str]:
    answer = op.result
    shown = f"{answer['status']} {answer['body'][:_SHOWN]}"
    if answer["status"] != question.status:
        yield f"answered {shown}, and not {question.status}"
        return
    if question.request_id and answer["request_id"] != question.request_id:
        yield f"the request id came back as {answer['request_id']!r}"
    if question.status == 200:
        yield from (f"{each}: {shown}" for each in _content(question, answer, op.args["pdp"]))


def _content(question: Question, answer: dict[str, Any], pdp: str) -> Iterator[str]:
    if answer["content_type"].partition(";")[0].strip().lower() != JSON:
        yield f"its media type is {answer['content_type']!r}"
    body = _object(answer["body"])
    if body is None:
        yield "it is no JSON object"
    elif question.level == "Discovery":
        yield from _metadata(body, pdp)
    elif question.decisions:
        yield from _batch(body, question.decisions)
    else:
        yield from _decision(body, question.decision)


def _object(text: str) -> dict[str, Any] | None:
    try:
        plain = _DECODER.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return plain if isinstance(plain, dict) else None


def _decision(body: Any, expected: bool | None) -> Iterator[str]:
    decision = body.get("decision") if isinstance(body, dict) else None
    if not isinstance(decision, bool):
        yield "it has no boolean decision"
    elif expected is not None and decision is not expected:
        yield f"the decision should be {str(expected).lower()}"
    elif not isinstance(body.get("context", {}), dict):
        yield "its context is no object"


def _batch(body: dict[str, Any], expected: Decisions) -> Iterator[str]:
    items = body.get("evaluations")
    if not isinstance(items, list):
        yield "it has no list of evaluations"
    elif len(items) != len(expected):
        yield f"it has {len(items)} evaluations and should have {len(expected)}"
    else:
        for number, (item, decision) in enumerate(zip(items, expected, strict=True)):
            yield from (f"evaluation {number}: {each}" for each in _decision(item, decision))


def _metadata(body: dict[str, Any], pdp: str) -> Iterator[str]:
    """A document of another PDP must not be used, so that it names this one is the point of it."""
    named = body.get("policy_decision_point")
    if not isinstance(named, str) or named.rstrip("/") != pdp.rstrip("/"):
        yield f"policy_decision_point is {named!r} and not {pdp!r}"
    if not isinstance(body.get("access_evaluation_endpoint"), str):
        yield "it names no access_evaluation_endpoint"
