"""The policy decision point: AuthZEN 1.0 evaluations, by policy or in a failure mode."""

from __future__ import annotations

import base64
import time
from collections import Counter
from collections.abc import Coroutine
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

import msgspec

from harness.contract.pdp_modes import Mode, play_of
from harness.doubles.authzen import Question, contract_problems, read_question
from harness.doubles.behaviours import Behaviours
from harness.doubles.claims import Claims, ClaimsReader
from harness.doubles.connection import Connection, PeerGone
from harness.doubles.cookies import Cookies
from harness.doubles.holds import Holds
from harness.doubles.http import Request, answer_bytes
from harness.doubles.ledger import Place
from harness.doubles.modes import SCRIPTS
from harness.doubles.recorder import Recorder
from harness.doubles.scripts import ALLOW, DENY, Asked
from harness.journal.records import Answer, Decision

EVALUATION: Final = "/access/v1/evaluation"
_MOVED: Final = "/moved/"
_REQUEST_KEPT: Final = 4096
_WIRE_KEPT: Final = 2048
_BODIES: Final = {Answer.ALLOW: ALLOW, Answer.DENY: DENY}


class _Visit(msgspec.Struct, kw_only=True):
    """One question and what is known so far of its answer; the `Line` that a script writes to."""

    connection: Connection
    recorder: Recorder
    request: Request
    claims: Claims
    question: Question
    mode: str = "policy"
    answer: Answer = Answer.NONE
    problems: list[str]
    seq: int = 0
    wire: bytearray
    answered_ns: int = 0
    ended_by: str = "us"
    ended_ns: int = 0

    def order(self) -> None:
        """Take the place in the sequence, once."""
        self.seq = self.seq or self.recorder.next_seq()

    def write(self, data: bytes) -> None:
        """Send bytes without waiting."""
        self.order()
        if len(self.wire) < _WIRE_KEPT:
            self.wire += data[: _WIRE_KEPT - len(self.wire)]
        self.connection.write(data)
        self.answered_ns = time.monotonic_ns()

    async def send(self, data: bytes) -> None:
        if self.connection.gone:
            raise PeerGone
        self.write(data)
        await self.connection.drained()

    async def wait(self, seconds: float) -> None:
        await self.connection.wait(seconds)

    async def reset(self) -> None:
        await self.connection.reset()

    def close(self) -> None:
        self.connection.close()

    def peer_gone(self) -> None:
        """The peer has closed first: no complete answer reached it."""
        self.ended_by = "peer"
        self.ended_ns = self.connection.gone_ns
        self.answered_ns = 0

    def record(self) -> None:
        """Write the decision."""
        self.order()
        claims, question = self.claims, self.question
        self.recorder.write(
            Decision(
                at_ns=self.ended_ns or time.monotonic_ns(), wall_ns=time.time_ns(), seq=self.seq,
                received_ns=self.request.received_ns, tenant=claims.tenant,
                saga_id=claims.saga_id, step=claims.step, direction=claims.direction,
                workflow_id=claims.workflow_id, run_id=claims.run_id, attempt=claims.attempt,
                idempotency_key=claims.idempotency_key, request_id=claims.request_id,
                action=question.action, resource=question.resource, mode=self.mode,
                answer=self.answer, answered_ns=self.answered_ns, ended_by=self.ended_by,
                request=self.request.body[:_REQUEST_KEPT].decode(errors="replace"),
                wire=base64.b64encode(self.wire).decode(), problems=self.problems,
                others=claims.others,
            )
        )  # fmt: skip


class Pdp:
    """The handlers of the PDP's port (`ask`) and of the host FM-49 redirects to (`bait`)."""

    def __init__(
        self,
        recorder: Recorder,
        claims: ClaimsReader,
        cookies: Cookies,
        behaviours: Behaviours,
        holds: Holds,
        *,
        deadline_ms: int,
    ) -> None:
        self.bait_url = ""
        self._cookies = cookies
        self._recorder = recorder
        self._claims = claims
        self._behaviours = behaviours
        self._holds = holds
        self._deadline_s = deadline_ms / 1000
        self._overrides: dict[tuple[str, str, str], bool] = {}
        self._questions: Counter[Place] = Counter()

    def override(self, tenant: str, resource: str, action: str, decision: bool | None) -> None:
        """Decide an action on a resource otherwise for a tenant; None goes back to the rule."""
        if decision is None:
            self._overrides.pop((tenant, resource, action), None)
        else:
            self._overrides[tenant, resource, action] = decision

    def ask(self, connection: Connection, request: Request) -> Coroutine[Any, Any, None] | None:
        """Handle one request to the PDP."""
        if request.path.startswith(_MOVED):
            self.bait(connection, request)
            return None
        visit = self._visit(connection, request)
        status, problem = _addressing(request)
        mode = None
        if not status:
            try:
                mode = self._mode(visit.question.resource, visit.claims)
            except KeyError:
                status, problem = 400, f"resource.id: {visit.question.resource!r} is no mode"
        if mode is not None:
            return self._play(visit, mode)
        if status or visit.question.malformed:
            self._error(visit, status or 400, problem)
        elif self._behaviours.holds_question(_place(visit.claims)):
            return self._hold(visit)
        else:
            visit.answer = self._decide(visit.question, visit.claims)
            self._answer(visit, 200, _BODIES[visit.answer])
            visit.record()
        return None

    async def _hold(self, visit: _Visit) -> None:
        """Decide, and answer when the harness says so, or never."""
        visit.order()
        visit.answer = Answer.NONE
        try:
            if await self._holds.hold(_place(visit.claims), "asked") == "answer":
                visit.answer = self._decide(visit.question, visit.claims)
                self._answer(visit, 200, _BODIES[visit.answer])
            else:
                visit.close()
        finally:
            visit.record()

    def _mode(self, resource: str, claims: Claims) -> Mode | None:
        """The mode that this question is answered in; None: it is decided by policy."""
        play = play_of(resource)
        if play is None:
            return None
        number = 1
        if play.counts:
            self._questions[_place(claims)] += 1
            number = self._questions[_place(claims)]
        return play.mode if play.answers(claims.direction, number) else None

    def bait(self, connection: Connection, request: Request) -> None:
        """Handle a request that followed a redirect: it is told allow, and recorded."""
        visit = self._visit(connection, request)
        name = request.path.removeprefix(_MOVED).partition("/")[0]
        visit.mode = f"{name} target"
        visit.claims = _with_query(visit.claims, request)
        visit.problems = [f"{request.method} {request.target[:200]}: a redirect was followed"]
        if name == "FM-50":
            visit.write(
                f"HTTP/1.1 302 Found\r\nLocation: {request.target}\r\n"
                "Content-Length: 0\r\n\r\n".encode("latin-1")
            )
        else:
            self._answer(visit, 200, ALLOW)
        visit.record()

    def _visit(self, connection: Connection, request: Request) -> _Visit:
        claims = self._claims.read(request)
        question = read_question(request.body, request.media_type)
        problems = [] if request.reject else [*question.malformed, *claims.problems]
        if not (request.reject or question.malformed):
            problems += contract_problems(question, claims)
        return _Visit(
            connection=connection, recorder=self._recorder, request=request, claims=claims,
            question=question, problems=problems, wire=bytearray(),
        )  # fmt: skip

    def _decide(self, question: Question, claims: Claims) -> Answer:
        decision = self._overrides.get((question.subject_id, question.resource, question.action))
        if decision is None:
            decision = bool(claims.tenant) and (
                claims.tenant == question.subject_id == question.resource_tenant
            )
        return Answer.ALLOW if decision else Answer.DENY

    def _answer(self, visit: _Visit, status: int, body: bytes, kind: str = "") -> None:
        echo = visit.claims.request_id
        visit.write(
            answer_bytes(
                status, body, content_type=kind or "application/json",
                headers=(
                    *((("X-Request-ID", echo),) if echo else ()),
                    *self._cookies.of(visit.claims.tenant),
                ),
                keep_alive=visit.request.keep_alive,
            )
        )  # fmt: skip

    def _error(self, visit: _Visit, status: int, problem: str) -> None:
        if problem:
            visit.problems.insert(0, problem)
        text = "; ".join(visit.problems[:5])
        self._answer(visit, status, text.encode(), "text/plain; charset=utf-8")
        visit.record()

    async def _play(self, visit: _Visit, mode: Mode) -> None:
        visit.mode = mode.id
        visit.answer = mode.answer
        if mode.answer is Answer.NONE:
            visit.order()
        asked = Asked(
            request_id=visit.claims.request_id, deadline_s=self._deadline_s,
            query=_as_query(visit.claims), bait_url=self.bait_url,
        )  # fmt: skip
        try:
            await SCRIPTS[mode.id](asked, visit)
        except PeerGone:
            visit.peer_gone()
        finally:
            visit.record()


def _place(claims: Claims) -> Place:
    return claims.tenant, claims.saga_id, claims.step, claims.direction


def _addressing(request: Request) -> tuple[int, str]:
    """The status that a wrongly addressed request deserves (0: none), and why."""
    if request.reject:
        return request.reject, request.problem
    if request.path != EVALUATION:
        return 404, f"path: {request.path[:200]!r} is not {EVALUATION}"
    if request.method != "POST":
        return 405, f"method: {request.method} is not POST"
    return 0, ""


def _as_query(claims: Claims) -> str:
    return urlencode(
        {
            "tenant": claims.tenant, "saga_id": claims.saga_id, "step": claims.step,
            "direction": claims.direction, "attempt": claims.attempt,
        }
    )  # fmt: skip


def _with_query(claims: Claims, request: Request) -> Claims:
    """A redirect's target: what the headers no longer say is in the address."""
    if claims.tenant and claims.saga_id:
        return claims
    query = dict(parse_qsl(request.target.partition("?")[2]))
    numbers = {
        name: int(query[name]) for name in ("step", "attempt") if query.get(name, "").isdigit()
    }
    texts = {name: query.get(name, "") for name in ("tenant", "saga_id", "direction")}
    return msgspec.structs.replace(claims, **texts, **numbers)
