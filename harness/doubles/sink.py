"""The audit sink: it keeps what it gets, byte for byte, and judges nothing."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Coroutine, Iterator
from typing import Any, Final

import msgspec

from harness.contract.transitions import AUDITED, CHANGES, SECOND_FAMILY, second_of
from harness.doubles.connection import Connection
from harness.doubles.happened import Happened
from harness.doubles.http import Request, answer_bytes
from harness.doubles.messages import SinkState
from harness.doubles.recorder import Recorder
from harness.journal.records import AuditEvent, now

EVENTS: Final = "/events"
BODY_LIMIT: Final = 1024 * 1024
KEPT_LIMIT: Final = 1024 * BODY_LIMIT
"""Of all bodies together; beyond it the sink refuses with 507 and keeps none."""
_DECODER: Final = msgspec.json.Decoder()
_SECOND: Final = tuple(SECOND_FAMILY.values())
_TYPES: Final = (*AUDITED.values(), *CHANGES.values())


class Sink:
    """The handler of the sink's port. `reached` are the (run id, event id) acknowledged."""

    def __init__(self, recorder: Recorder) -> None:
        self.state = SinkState()
        self.reached: Happened[tuple[str, int]] = Happened()
        self._recorder = recorder
        self._kept_bytes = 0

    def receive(self, connection: Connection, request: Request) -> Coroutine[Any, Any, None] | None:
        """Handle one request."""
        if self.state.delay_ms:
            return self._receive_late(connection, request, self.state.delay_ms / 1000)
        self._receive(connection, request)
        return None

    async def _receive_late(self, connection: Connection, request: Request, delay_s: float) -> None:
        status = 0
        try:
            await asyncio.sleep(delay_s)
            status = self._answer(connection, request)
        finally:
            self._record(request, status)

    def _receive(self, connection: Connection, request: Request) -> None:
        self._record(request, self._answer(connection, request))

    def _answer(self, connection: Connection, request: Request) -> int:
        status = self._status(request)
        if connection.gone:
            return 0
        if status == 0:
            connection.close()
        else:
            connection.write(answer_bytes(status, keep_alive=request.keep_alive))
        return status

    def _status(self, request: Request) -> int:
        if request.reject:
            return request.reject
        if request.path != EVENTS:
            return 404
        if self._kept_bytes + len(request.body) > KEPT_LIMIT:
            return 507
        return self.state.status if request.method in ("POST", "PUT") else 405

    def _record(self, request: Request, status: int) -> None:
        body = b"" if status == 507 else request.body
        self._kept_bytes += len(body)
        self._recorder.write(
            AuditEvent(
                **now(), seq=self._recorder.next_seq(), headers=request.headers,
                body=base64.b64encode(body).decode(), status=status,
            )
        )  # fmt: skip
        if status == 204:
            for key in transitions(request):
                self.reached.add(key)


def transitions(request: Request) -> Iterator[tuple[str, int]]:
    """The (run id, event id) of the events in a request, as far as it can be read.

    An event of a type that the contract does not name reports no transition: what it is about is
    still waited for.
    """
    try:
        plain = _DECODER.decode(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    header_type = next((value for name, value in request.headers if name.lower() == "ce-type"), "")
    enveloped = request.media_type.startswith("application/cloudevents")
    for event in plain if isinstance(plain, list) else [plain]:
        data = event.get("data") if enveloped and isinstance(event, dict) else event
        kind = event.get("type") if enveloped and isinstance(event, dict) else header_type
        second = str(kind).endswith(_SECOND)
        if not isinstance(data, dict) or not (second or str(kind).endswith(_TYPES)):
            continue
        run_id, event_id = data.get("run_id"), data.get("event_id")
        if isinstance(run_id, str) and isinstance(event_id, (int, float)):
            yield second_of(run_id) if second else run_id, int(event_id)
