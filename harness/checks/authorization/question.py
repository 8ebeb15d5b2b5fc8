"""INV-PDP-6: what the PDP is asked is what is about to be done, for the tenant it is done for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from harness.checks.authorization.attempts import followed_redirect, named
from harness.checks.check import Evidence, Finding
from harness.checks.histories import Saga, coverage, runs, sagas
from harness.checks.histories.clauses import Broken, conclude
from harness.contract.program import ACTIVITY_TYPES, COMPENSATION
from harness.journal.records import Decision, Operation

NOT_AUTHZEN: Final = "no AuthZEN request"
SUBJECT: Final = "another subject"
ACTION: Final = "another action or resource"
VAGUE: Final = "empty or a wildcard"
NOBODYS: Final = "asked for nobody"
REFUSED_STARTS: Final = "start-for-nobody"
_KEPT_BYTES: Final = 4096  # of a request's body; a longer one is not whole
_ENTITIES: Final = (
    ("subject", ("type", "id")),
    ("action", ("name",)),
    ("resource", ("type", "id")),
)
_ADDRESS: Final = ("path:", "method:", "Content-Type:")


def the_right_question_is_asked(evidence: Evidence) -> Finding:
    """ADR, Invariants: "Workflow activities must call PDP for authorization decisions".

    Each request is an AuthZEN evaluation; its subject is the tenant in whose namespace the run
    lies; action and resource are those of the activity that the program has at that step; no name
    is empty or a wildcard. A saga without a tenant is refused before anything is asked.
    """
    judge = _QuestionJudge(evidence)
    questions = [each for each in evidence.of(Decision) if not followed_redirect(each)]
    broken = [each for question in questions for each in judge.broken(question)]
    nobodys = [o for o in evidence.of(Operation) if o.name == REFUSED_STARTS]
    broken += _asked_for_nobody(questions, {o.workflow_id for o in nobodys})
    types = Counter(each.action for each in questions)
    unseen = [name for name in ACTIVITY_TYPES if not types[name]]
    lacks = [
        coverage(evidence, "INV-PDP-6").lacks,
        f"never asked for: {', '.join(unseen)}" if unseen else "",
        "" if nobodys else "no saga without a tenant was started",
    ]
    figures: dict[str, Any] = {
        "questions": len(questions),
        "not_whole": judge.not_whole,
        "sagas_without_a_tenant": len(nobodys),
        "by_action": dict(sorted(types.items())),
    }
    kept = (
        f"{len(questions)} questions were AuthZEN requests for the run's own tenant and the "
        f"activity's own action; {len(nobodys)} sagas without a tenant asked nothing"
    )
    clauses = (NOT_AUTHZEN, SUBJECT, ACTION, VAGUE, NOBODYS)
    return conclude(clauses, broken, lacks, kept, figures)


class _QuestionJudge:
    """Judges one question at a time; `not_whole` are those too long to have been kept."""

    def __init__(self, evidence: Evidence) -> None:
        self.not_whole = 0
        self._runs = runs(evidence)
        self._tenants = {run_id: tenant for tenant, run_id in self._runs}
        self._sagas = sagas(evidence)

    def broken(self, question: Decision) -> Iterator[Broken]:
        """What is wrong with a question."""
        if len(question.request.encode()) >= _KEPT_BYTES:
            self.not_whole += 1
            return
        told = _read(question)
        if isinstance(told, str):
            yield Broken(NOT_AUTHZEN, f"{named(question)}: {told}")
            return
        vague = [name for name, value in told.items() if not value.strip() or "*" in value]
        if vague:
            yield Broken(VAGUE, f"{named(question)}: {vague[0]} is {told[vague[0]]!r}")
        tenant = self._tenants.get(question.run_id, question.tenant)
        if (told["subject.type"], told["subject.id"]) != ("tenant", tenant):
            text = f"{told['subject.type']} {told['subject.id']!r}, the run is of {tenant!r}"
            yield Broken(SUBJECT, f"{named(question)}: subject {text}")
        saga = self._sagas.get((tenant, question.saga_id))
        if saga is not None:
            yield from _mapping(question, told, saga)


def _mapping(question: Decision, told: Mapping[str, str], saga: Saga) -> Iterator[Broken]:
    node = saga.node(question.step)
    service, operation = node.get("service", ""), node.get("operation", "")
    back = question.direction == "compensation"
    action = f"{service}.{COMPENSATION.get((service, operation)) if back else operation}"
    expected = {
        "action.name": action,
        "resource.type": service,
        "resource.id": node.get("resource", ""),
    }
    for name, right in expected.items():
        if told[name] != right:
            text = f"{name} is {told[name]!r}, the program says {right!r}"
            yield Broken(ACTION, f"{named(question)}: {text}")


def _read(question: Decision) -> dict[str, str] | str:
    """The names in a request by their place, or why it is no AuthZEN request."""
    for problem in question.problems:
        if problem.startswith(_ADDRESS):
            return problem
    try:
        plain = msgspec.json.decode(question.request)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return f"not JSON: {error}"
    if not isinstance(plain, dict):
        return "not a JSON object"
    told = {}
    for entity, members in _ENTITIES:
        for member in members:
            holder = plain.get(entity)
            value = holder.get(member) if isinstance(holder, dict) else None
            if not isinstance(value, str):
                return f"{entity}.{member} is no string"
            told[f"{entity}.{member}"] = value
    context = plain.get("context", {})
    return told if isinstance(context, dict) else "context is no object"


def _asked_for_nobody(questions: list[Decision], workflow_ids: set[str]) -> Iterator[Broken]:
    for question in questions:
        if question.workflow_id in workflow_ids:
            text = f"{named(question)}: its saga has no tenant, and the PDP was asked"
            yield Broken(NOBODYS, text)
