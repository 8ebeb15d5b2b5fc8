"""The certification scenario of AuthZEN 1.0, as data: what is asked of a PDP, and what is right.

The levels Basic, Batch and Discovery of the OpenID certification scenario for the Authorization
API 1.0, with its fixture (users alice and bob, records record-1 and record-2). `clause` numbers are
the scenario's; those that begin with `api` are of the API's own text. A scenario asks, a check
judges; here is no I/O.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

EVALUATION: Final = "/access/v1/evaluation"
EVALUATIONS: Final = "/access/v1/evaluations"
METADATA: Final = "/.well-known/authzen-configuration"
JSON: Final = "application/json"
REQUEST_ID: Final = "X-Request-ID"

Decisions = tuple[bool | None, ...]  # None: any boolean


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One request and what is right. It is sent `times` times, and answered alike each time.

    `topic` is the part of the verdict that it belongs to. Expected are the `status`, and with 200 a
    `decision` or the `decisions` of a batch, in their order.
    """

    id: str
    level: Literal["Basic", "Batch", "Discovery"]
    clause: str
    topic: str
    path: str = EVALUATION
    method: str = "POST"
    body: Any = None
    raw: str | None = None  # instead of a body in JSON
    content_type: str = JSON
    request_id: str = ""
    times: int = 1
    status: int = 200
    decision: bool | None = None
    decisions: Decisions = ()


DECISIONS: Final = "wrong decision"
FORMAT: Final = "answer out of form"
ERRORS: Final = "error not answered with 400"
ECHO: Final = "request id not echoed"
CHANGING: Final = "same question, other answer"
BATCH: Final = "wrong batch"
ITEM_ERRORS: Final = "error of an item spoils a batch"
SEMANTICS: Final = "batch not cut short"
DISCOVERY: Final = "wrong metadata"
TOPICS: Final = (
    DECISIONS, FORMAT, ERRORS, ECHO, CHANGING, BATCH, ITEM_ERRORS, SEMANTICS, DISCOVERY,
)  # fmt: skip


def _user(name: str, **properties: Any) -> dict[str, Any]:
    return {"type": "user", "id": name, **({"properties": properties} if properties else {})}


def _record(number: int, **properties: Any) -> dict[str, Any]:
    found = {"type": "record", "id": f"record-{number}"}
    return {**found, **({"properties": properties} if properties else {})}


def _ask(
    user: dict[str, Any], action: str, record: dict[str, Any], **properties: Any
) -> dict[str, Any]:
    named = {"name": action, **({"properties": properties} if properties else {})}
    return {"subject": user, "action": named, "resource": record}


ALICE: Final = _user("alice")
BOB: Final = _user("bob")
ADMIN: Final = _user("bob", role="admin")
ACTIVE: Final = _record(1)
ARCHIVED: Final = _record(2, status="archived")
READ: Final = _ask(ALICE, "read", ACTIVE)


def _decided(name: str, clause: str, body: Any, decision: bool) -> Question:
    return Question(
        id=f"basic/{name}", level="Basic", clause=clause, topic=DECISIONS, body=body,
        decision=decision,
    )  # fmt: skip


def _refused(name: str, clause: str, body: Any = None, **fields: Any) -> Question:
    return Question(
        id=f"basic/{name}", level="Basic", clause=clause, topic=ERRORS, body=body, status=400,
        **fields,
    )  # fmt: skip


def _without(part: str, member: str = "") -> dict[str, Any]:
    if not member:
        return {name: value for name, value in READ.items() if name != part}
    holder = {name: value for name, value in READ[part].items() if name != member}
    return {**READ, part: holder}


def _batch(name: str, clause: str, body: Any, *decisions: bool | None, **fields: Any) -> Question:
    return Question(
        id=f"batch/{name}", level="Batch", clause=clause, path=EVALUATIONS, body=body,
        decisions=decisions, **{"topic": BATCH, **fields},
    )  # fmt: skip


def _semantic(name: str) -> dict[str, Any]:
    """Three questions of which the middle one is decided otherwise than the first."""
    actions = ["read", "write", "read"] if name != "permit_on_first_permit" else ["write", "read"]
    return {
        "subject": BOB,
        "resource": ACTIVE,
        "options": {"evaluations_semantic": name},
        "evaluations": [{"action": {"name": each}} for each in [*actions, "read"][:3]],
    }


_BASIC: Final = (
    _decided("permit", "2.2.1", READ, True),
    _decided("permit-write", "1.4", _ask(ALICE, "write", ACTIVE), True),
    _decided("permit-other", "1.4", _ask(BOB, "read", ACTIVE), True),
    _decided("deny", "2.2.2", _ask(BOB, "write", ACTIVE), False),
    _decided("context", "2.2.3", {**READ, "context": {"ip": "192.0.2.1"}}, True),
    _decided("resource-property", "2.2.4", _ask(ALICE, "write", ARCHIVED), False),
    _decided("subject-property", "2.2.5", _ask(ADMIN, "write", ARCHIVED), True),
    _decided("action-property", "2.2.6", _ask(ALICE, "delete", ACTIVE, soft=True), True),
    _decided("action-property-deny", "2.2.7", _ask(ALICE, "delete", ACTIVE, soft=False), False),
    _decided(
        "more-properties",
        "2.2.8",
        _ask(
            _user("alice", department="Sales", role="manager"),
            "read",
            _record(1, status="active", owner="bob"),
            method="GET",
        ),
        True,
    ),
    _decided("unknown-members", "2.2.9", {**READ, "foo": "bar", "later": {"nested": True}}, True),
    Question(
        id="basic/form", level="Basic", clause="2.3.1", topic=FORMAT,
        body=_ask(BOB, "delete", _record(2)),
    ),
    Question(
        id="basic/charset", level="Basic", clause="api 10.1", topic=FORMAT, body=READ,
        content_type=f"{JSON}; charset=utf-8", decision=True,
    ),
    *(
        _refused(f"no-{part}", "2.4.1", _without(part))
        for part in ("subject", "action", "resource")
    ),
    *(
        _refused(f"no-{part}-{member}", "2.4.2", _without(part, member))
        for part, members in (("subject", "type id"), ("action", "name"), ("resource", "type id"))
        for member in members.split()
    ),
    _refused("other-media-type", "2.4.3", READ, content_type="text/plain"),
    _refused("not-json", "2.4.4", raw='{"subject":'),
    _refused("empty", "2.4.5", raw=""),
    _refused("subject-string", "2.4.6", {**READ, "subject": "alice"}),
    _refused("action-number", "2.4.6", {**READ, "action": {"name": 123}}),
    _refused("list", "api 6.1", [READ]),
    Question(
        id="basic/request-id", level="Basic", clause="2.5.1", topic=ECHO, body=READ,
        request_id="bfe9eb29-ab87-4ca3-be83-a1d5d8305716", decision=True,
    ),
    Question(
        id="basic/no-request-id", level="Basic", clause="2.5.2", topic=FORMAT, body=READ,
        decision=True,
    ),
    Question(
        id="basic/again", level="Basic", clause="2.6", topic=CHANGING, body=READ, times=5,
        decision=True,
    ),
)  # fmt: skip

_BATCH: Final = (
    _batch(
        "defaults", "3.2.1",
        {"subject": ALICE, "action": {"name": "read"},
         "evaluations": [{"resource": ACTIVE}, {"resource": _record(2)}]},
        None, None,
    ),
    _batch(
        "ordered", "3.2.2",
        {"subject": BOB, "resource": ACTIVE,
         "evaluations": [{"action": {"name": "read"}}, {"action": {"name": "write"}}]},
        True, False,
    ),
    _batch(
        "resource-properties", "3.2.3",
        {"subject": ALICE, "action": {"name": "write"},
         "evaluations": [{"resource": _record(1, status="active")}, {"resource": ARCHIVED}]},
        True, False,
    ),
    _batch(
        "subject-properties", "3.2.4",
        {"action": {"name": "write"}, "resource": ARCHIVED,
         "evaluations": [{"subject": ALICE}, {"subject": ADMIN}]},
        False, True,
    ),
    _batch(
        "no-defaults", "3.2.5", {"evaluations": [READ, _ask(BOB, "write", ACTIVE)]}, True, False
    ),
    _batch(
        "context", "3.2.6",
        {"subject": ALICE, "action": {"name": "read"}, "context": {"source": "all"},
         "evaluations": [{"resource": ACTIVE}, {"resource": _record(2), "context": {"a": 1}}]},
        None, None,
    ),
    _batch(
        "bad-item", "3.4.1",
        {"subject": ALICE, "action": {"name": "read"}, "evaluations": [{"resource": ACTIVE}, {}]},
        True, False, topic=ITEM_ERRORS,
    ),
    Question(
        id="batch/none", level="Batch", clause="3.4.2", topic=BATCH, path=EVALUATIONS, body=READ,
        decision=True,
    ),
    Question(
        id="batch/empty", level="Batch", clause="3.4.3", topic=BATCH, path=EVALUATIONS,
        body={**READ, "evaluations": []}, decision=True,
    ),
    _batch("execute-all", "api 7.1.2.1", _semantic("execute_all"), True, False, True),
    _batch(
        "deny-on-first-deny", "api 7.1.2.1", _semantic("deny_on_first_deny"), True, False,
        topic=SEMANTICS,
    ),
    _batch(
        "permit-on-first-permit", "api 7.1.2.1", _semantic("permit_on_first_permit"), False, True,
        topic=SEMANTICS,
    ),
)  # fmt: skip

QUESTIONS: Final[tuple[Question, ...]] = (
    *_BASIC,
    *_BATCH,
    Question(
        id="discovery", level="Discovery", clause="6", topic=DISCOVERY, path=METADATA, method="GET"
    ),
)
