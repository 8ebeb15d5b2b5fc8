"""`python -m harness.doubles`: all instruments in one process, until SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from harness.doubles import control, sink
from harness.doubles.behaviours import Behaviours
from harness.doubles.claims import ClaimsReader
from harness.doubles.connection import Port, Traffic
from harness.doubles.control import Control
from harness.doubles.defects import Defect
from harness.doubles.holds import Holds
from harness.doubles.ledger import Ledger
from harness.doubles.messages import Addresses
from harness.doubles.pdp import Pdp
from harness.doubles.recorder import Recorder
from harness.doubles.services import Services
from harness.doubles.sink import Sink
from harness.errors import EXIT_BUG, EXIT_USAGE
from harness.journal.write import SegmentWriter

_BODY_LIMIT = 1024 * 1024
SEGMENT = "doubles"


class Doubles:
    """All instruments, joined. `open` listens; `close` records what is held and ends the segment."""

    def __init__(
        self, segment: SegmentWriter, defects: frozenset[Defect], pdp_deadline_ms: int
    ) -> None:
        self._recorder = Recorder(segment)
        behaviours, holds, traffic = Behaviours(), Holds(), Traffic()
        claims = ClaimsReader()
        self._pdp = Pdp(self._recorder, claims, deadline_ms=pdp_deadline_ms)
        services = Services(self._recorder, claims, Ledger(defects), behaviours, holds)
        audit = Sink(self._recorder)
        commands = Control(
            recorder=self._recorder, behaviours=behaviours, holds=holds, pdp=self._pdp,
            services=services, sink=audit, traffic=traffic,
        )  # fmt: skip
        self._ports = {
            "pdp": Port(self._pdp.ask, body_limit=_BODY_LIMIT, traffic=traffic),
            "bait": Port(self._pdp.bait, body_limit=_BODY_LIMIT, traffic=traffic),
            "services": Port(services.serve, body_limit=_BODY_LIMIT, traffic=traffic),
            "audit": Port(audit.receive, body_limit=sink.BODY_LIMIT, traffic=traffic),
            "control": Port(commands.serve, body_limit=control.BODY_LIMIT, traffic=Traffic()),
        }

    async def open(self) -> Addresses:
        """Listen on free ports."""
        urls = {name: await port.open() for name, port in self._ports.items()}
        self._pdp.bait_url = urls.pop("bait")
        urls["audit"] += sink.EVENTS
        return Addresses(**urls)

    async def close(self) -> None:
        """Give up what is in progress, recording it, and write the footer."""
        for port in self._ports.values():
            await port.close()
        self._recorder.close()

    def abandon(self) -> None:
        """After a bug: keep what was recorded, but without the footer that vouches for it."""
        self._recorder.flush()


async def _serve(doubles: Doubles) -> int:
    """Serve until told to stop; returns the exit code."""
    loop = asyncio.get_running_loop()
    stop: asyncio.Future[int] = loop.create_future()

    def end(code: int) -> None:
        if not stop.done():
            stop.set_result(code)

    def failed(_: asyncio.AbstractEventLoop, problem: dict[str, Any]) -> None:
        # an instrument that may have lost a record must not go on as if nothing had happened
        print(f"doubles: {problem.get('message')}", file=sys.stderr)
        if error := problem.get("exception"):
            traceback.print_exception(error, file=sys.stderr)
        end(EXIT_BUG)

    loop.set_exception_handler(failed)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end, 0)
    addresses = await doubles.open()
    print("HARNESS-READY", msgspec.json.encode(addresses).decode(), flush=True)
    code = await stop
    if code:
        doubles.abandon()
    else:
        await doubles.close()
    return code


def main(arguments: list[str] | None = None) -> int:
    """Parse the options and serve."""
    parser = argparse.ArgumentParser(prog="python -m harness.doubles", description=__doc__)
    parser.add_argument("--journal", type=Path, required=True, help="the trial's journal folder")
    parser.add_argument("--trial", required=True, help="the trial's id")
    parser.add_argument(
        "--defect", action="append", default=[], choices=[str(defect) for defect in Defect],
        help="break a double on purpose (may be repeated)",
    )  # fmt: skip
    parser.add_argument(
        "--pdp-deadline-ms", type=int, default=1000,
        help="the workers' HARNESS_PDP_DEADLINE_MS; late answers are late by this (default 1000)",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    try:
        segment = SegmentWriter(options.journal, SEGMENT, options.trial)
    except (FileExistsError, FileNotFoundError) as error:
        print(f"doubles: --journal {options.journal}: {error}", file=sys.stderr)
        return EXIT_USAGE
    defects = frozenset(Defect(name) for name in options.defect)
    return uvloop.run(_serve(Doubles(segment, defects, options.pdp_deadline_ms)))


if __name__ == "__main__":
    sys.exit(main())
