"""The AuthZEN PDP with the fixture of the certification scenario, on a port of its own.

It shares the reading of questions with the PDP that workers ask, and none of its policy: what the
scenario asks disturbs no worker's decision and leaves no record among theirs.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from harness.contract import authzen
from harness.doubles.authzen import read_question
from harness.doubles.connection import Connection
from harness.doubles.defects import Defect
from harness.doubles.http import Request, answer_bytes

_PERMITTED: Final = {("alice", "read"), ("alice", "write"), ("bob", "read")}
_ENTITIES: Final = ("subject", "action", "resource", "context")
_DECODER: Final = msgspec.json.Decoder()
_STOPS_AT: Final = {"deny_on_first_deny": False, "permit_on_first_permit": True}


def _properties(entity: Any) -> dict[str, Any]:
    found = entity.get("properties") if isinstance(entity, dict) else None
    return found if isinstance(found, dict) else {}


def decide(question: dict[str, Any], *, blind: bool = False) -> bool:
    """The fixture's policy over a well-formed question; a blind one sees no properties."""
    subject, action, resource = (question[name] for name in ("subject", "action", "resource"))
    if not blind:
        if action["name"] == "delete":
            return subject["id"] == "alice" and _properties(action).get("soft") is True
        if action["name"] == "write" and _properties(resource).get("status") == "archived":
            return _properties(subject).get("role") == "admin"
    return (subject["id"], action["name"]) in _PERMITTED


class CertifiedPdp:
    """The handler of its port; `url` is its own address, which its metadata names."""

    def __init__(self, defects: frozenset[Defect]) -> None:
        self.url = ""
        self._defects = defects
        self._asked = 0

    def serve(self, connection: Connection, request: Request) -> None:
        """Answer one request."""
        status, body = self._answer(request)
        echo = request.fields.get(authzen.REQUEST_ID.lower(), "")
        if Defect.PDP_NO_ECHO in self._defects:
            echo = ""
        connection.write(
            answer_bytes(
                status, msgspec.json.encode(body),
                headers=((authzen.REQUEST_ID, echo),) if echo else (),
                keep_alive=request.keep_alive,
            )
        )  # fmt: skip

    def _answer(self, request: Request) -> tuple[int, Any]:
        if request.reject:
            return request.reject, request.problem
        if request.path == authzen.METADATA and request.method == "GET":
            return 200, self._metadata()
        if request.path not in (authzen.EVALUATION, authzen.EVALUATIONS):
            return 404, "no such endpoint"
        if request.method != "POST":
            return 405, "ask with POST"
        plain = _object(request.body)
        batch = plain.get("evaluations") if request.path == authzen.EVALUATIONS else None
        if isinstance(batch, list) and batch:
            return self._batch(plain, batch)
        problems = read_question(request.body, request.media_type).malformed
        if problems:
            return self._malformed(problems)
        return 200, {"decision": self._decision(plain)}

    def _malformed(self, problems: list[str]) -> tuple[int, Any]:
        if Defect.PDP_ERRORS_AS_DENY in self._defects:
            return 200, {"decision": False}
        return 400, "; ".join(problems)

    def _decision(self, question: dict[str, Any]) -> bool | str:
        self._asked += 1
        decision = decide(question, blind=Defect.PDP_BLIND in self._defects)
        if Defect.PDP_FLAPS in self._defects and self._asked % 3 == 0:
            decision = not decision
        return str(decision).lower() if Defect.PDP_STRINGS in self._defects else decision

    def _batch(self, plain: dict[str, Any], batch: list[Any]) -> tuple[int, Any]:
        answers: list[dict[str, Any]] = []
        options = plain.get("options")
        semantic = options.get("evaluations_semantic") if isinstance(options, dict) else None
        stops_at = None
        if Defect.PDP_NEVER_SHORT not in self._defects:
            stops_at = _STOPS_AT.get(semantic) if isinstance(semantic, str) else None
        for each in batch:
            question = _merged(plain, each)
            problems = read_question(msgspec.json.encode(question), authzen.JSON).malformed
            if problems and Defect.PDP_WHOLE_BATCH in self._defects:
                return 400, "; ".join(problems)
            answers.append(_failed(problems) if problems else {"decision": decide(question)})
            if answers[-1]["decision"] is stops_at:
                break
        if Defect.PDP_BATCH_REVERSED in self._defects:
            answers.reverse()
        return 200, {"evaluations": answers}

    def _metadata(self) -> dict[str, Any]:
        named = "http://127.0.0.1:9" if Defect.PDP_OTHER_METADATA in self._defects else self.url
        return {
            "policy_decision_point": named,
            "access_evaluation_endpoint": f"{named}{authzen.EVALUATION}",
            "access_evaluations_endpoint": f"{named}{authzen.EVALUATIONS}",
        }


def _object(body: bytes) -> dict[str, Any]:
    try:
        plain = _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return plain if isinstance(plain, dict) else {}


def _merged(plain: dict[str, Any], item: Any) -> dict[str, Any]:
    """An item with the batch's defaults: a whole entity of its own, or the default's."""
    own = item if isinstance(item, dict) else {}
    return {
        name: own.get(name, plain.get(name)) for name in _ENTITIES if name in own or name in plain
    }


def _failed(problems: list[str]) -> dict[str, Any]:
    return {
        "decision": False,
        "context": {"error": {"status": 400, "message": "; ".join(problems)}},
    }
