"""PDP, services, audit sink and control, joined on one recorder and one ledger."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.doubles import control, sink
from harness.doubles.behaviours import Behaviours
from harness.doubles.certified import CertifiedPdp
from harness.doubles.claims import ClaimsReader
from harness.doubles.connection import Connection, Handler, Port, Traffic
from harness.doubles.control import Control
from harness.doubles.cookies import Cookies
from harness.doubles.defects import SLOW_MS, SLOW_SINK_MS, Defect
from harness.doubles.holds import Holds
from harness.doubles.http import Request
from harness.doubles.ledger import Ledger
from harness.doubles.links import LINKS, Link
from harness.doubles.messages import Addresses
from harness.doubles.pdp import Pdp
from harness.doubles.recorder import Recorder
from harness.doubles.services import Services
from harness.doubles.sink import Sink
from harness.errors import DriveError, UnavailableError
from harness.journal.write import SegmentWriter

_BODY_LIMIT = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the doubles listen, and the host by which a worker knows them; ports by double."""

    bind: str = "127.0.0.1"
    known_as: str = ""
    ports: Mapping[str, int] = field(default_factory=dict)


HERE = Place()


class Doubles:
    """All of them, joined. `open` listens; `close` records what is held and ends the segment."""

    def __init__(
        self,
        segment: SegmentWriter,
        defects: frozenset[Defect],
        pdp_deadline_ms: int,
        trial_id: str = "",
    ) -> None:
        self._recorder = Recorder(segment)
        behaviours, holds, traffic = Behaviours(), Holds(), Traffic()
        claims, cookies = ClaimsReader(), Cookies(trial_id)
        self._pdp = Pdp(
            self._recorder, claims, cookies, behaviours, holds, deadline_ms=pdp_deadline_ms
        )
        self._services = services = Services(
            self._recorder, claims, Ledger(defects), behaviours, holds, cookies
        )
        audit = Sink(self._recorder)
        self._links = {
            how: Link(self._pdp.ask, how, body_limit=_BODY_LIMIT, traffic=traffic) for how in LINKS
        }
        commands = Control(
            recorder=self._recorder, behaviours=behaviours, holds=holds, pdp=self._pdp,
            services=services, sink=audit, traffic=traffic,
            links=self._links,
        )  # fmt: skip
        self._certified = CertifiedPdp(defects)
        slow = Defect.SLOW in defects
        ask = _later(self._pdp.ask, SLOW_MS * slow)
        serve = _later(services.serve, SLOW_MS * slow)
        receive = _later(audit.receive, SLOW_SINK_MS * slow)
        self._ports = {
            "pdp": Port(ask, body_limit=_BODY_LIMIT, traffic=traffic),
            "bait": Port(self._pdp.bait, body_limit=_BODY_LIMIT, traffic=traffic),
            "certified": Port(self._certified.serve, body_limit=_BODY_LIMIT, traffic=Traffic()),
            "services": Port(serve, body_limit=_BODY_LIMIT, traffic=traffic),
            "audit": Port(receive, body_limit=sink.BODY_LIMIT, traffic=traffic),
            "control": Port(commands.serve, body_limit=control.BODY_LIMIT, traffic=Traffic()),
        }

    async def open(self, place: Place = HERE) -> Addresses:
        """Listen; raises `UnavailableError` for a port in use. Control stays on this machine."""
        urls = {}
        for name, port in self._ports.items():
            fixed = place.ports.get(name, 0)
            bind, known_as = (
                (place.bind, place.known_as) if name != "control" else ("127.0.0.1", "")
            )
            try:
                urls[name] = await port.open(bind, fixed, known_as)
            except OSError as error:
                raise UnavailableError(
                    f"doubles: {name} cannot listen on {bind}:{fixed or 'a free port'} "
                    f"({error.strerror}); correct `doubles` in the target file"
                ) from None
        links = {
            how: await link.open(place.bind, place.known_as) for how, link in self._links.items()
        }
        self._certified.url = urls["certified"]
        self._pdp.bait_url = urls.pop("bait")
        urls["audit"] += sink.EVENTS
        return Addresses(**urls, pdp_links=links)

    async def close(self) -> None:
        """Give up what is in progress, recording it, then the balances, and write the footer."""
        for port in self._ports.values():
            await port.close()
        for link in self._links.values():
            await link.close()
        for balance in self._services.accounts.balances():
            self._recorder.write(balance)
        self._recorder.close()

    def abandon(self) -> None:
        """After a bug: keep what was recorded, but without the footer that vouches for it."""
        with contextlib.suppress(DriveError):
            self._recorder.flush()


def _later(handler: Handler, delay_ms: int) -> Handler:
    """The same, begun that much later."""
    if not delay_ms:
        return handler

    async def handle(connection: Connection, request: Request) -> None:
        await asyncio.sleep(delay_ms / 1000)
        work = handler(connection, request)
        if work is not None:
            await work

    return handle
