"""An AuthZEN 1.0 evaluation request: what it asks, and where it departs from the specification."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from harness.contract.program import ACTIVITY_TYPES, COMPENSATION
from harness.doubles import claims as claimed
from harness.doubles.claims import Claims

_DECODER: Final = msgspec.json.Decoder()
_ENTITIES: Final = (
    ("subject", ("type", "id")),
    ("action", ("name",)),
    ("resource", ("type", "id")),
)
_DIRECTIONS: Final = {
    **{f"{service}.{name}": claimed.FORWARD for service, name in COMPENSATION},
    **{f"{service}.{back}": claimed.COMPENSATION for (service, _), back in COMPENSATION.items()},
}
assert set(_DIRECTIONS) == set(ACTIVITY_TYPES)


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked. `malformed` (not empty: the PDP answers 400) is what AuthZEN forbids."""

    subject_type: str = ""
    subject_id: str = ""
    action: str = ""
    resource_type: str = ""
    resource: str = ""
    resource_tenant: Any = None
    context: Any = None
    malformed: list[str] = []


def read_question(body: bytes, media_type: str) -> Question:
    """Read a request's body; never raises."""
    malformed = []
    if media_type != "application/json":
        malformed.append(f"Content-Type: {media_type!r} is not application/json")
    try:
        plain = _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Question(malformed=[*malformed, f"body: not JSON: {error}"])
    if not isinstance(plain, dict):
        return Question(malformed=[*malformed, "body: not a JSON object"])
    found = {
        (entity, member): _string(plain, entity, member, malformed)
        for entity, members in _ENTITIES
        for member in members
    }
    for place in ("subject", "action", "resource"):
        _object(plain.get(place), "properties", f"{place}.properties", malformed)
    _object(plain, "context", "context", malformed)
    resource = plain.get("resource")
    properties = resource.get("properties") if isinstance(resource, dict) else None
    return Question(
        subject_type=found["subject", "type"], subject_id=found["subject", "id"],
        action=found["action", "name"], resource_type=found["resource", "type"],
        resource=found["resource", "id"], context=plain.get("context"),
        resource_tenant=properties.get("tenant") if isinstance(properties, dict) else None,
        malformed=malformed,
    )  # fmt: skip


def _string(plain: dict[str, Any], entity: str, member: str, malformed: list[str]) -> str:
    holder = plain.get(entity)
    if not isinstance(holder, dict):
        malformed.append(f"{entity}: {'not an object' if entity in plain else 'missing'}")
        return ""
    value = holder.get(member)
    if not isinstance(value, str):
        wrong = "not a string" if member in holder else "missing"
        malformed.append(f"{entity}.{member}: {wrong}")
        return ""
    return value


def _object(holder: Any, member: str, name: str, malformed: list[str]) -> None:
    if isinstance(holder, dict) and not isinstance(holder.get(member, {}), dict):
        malformed.append(f"{name}: not an object")


def contract_problems(question: Question, claims: Claims) -> list[str]:
    """Where a question departs from `CONTRACT.md` §5.2 or from the headers it came with."""
    expected: list[tuple[str, Any, Any]] = [
        ("subject.type", question.subject_type, "tenant"),
        ("subject.id", question.subject_id, claims.tenant),
        ("resource.properties.tenant", question.resource_tenant, claims.tenant),
        ("resource.type", question.resource_type, question.action.partition(".")[0]),
    ]
    context = question.context if isinstance(question.context, dict) else {}
    expected += [
        ("context.saga_id", context.get("saga_id"), claims.saga_id),
        ("context.step", context.get("step"), claims.step),
        ("context.direction", context.get("direction"), claims.direction),
    ]
    problems = [
        f"{name}: {given!r}, should be {right!r}" for name, given, right in expected
        if given != right or isinstance(given, bool)
    ]  # fmt: skip
    if question.action not in _DIRECTIONS:
        problems.append(f"action.name: {question.action!r} is no activity of the contract")
    elif claims.direction and _DIRECTIONS[question.action] != claims.direction:
        problems.append(f"action.name: {question.action!r} is not {claims.direction}")
    if not question.resource:
        problems.append("resource.id: empty")
    return problems
