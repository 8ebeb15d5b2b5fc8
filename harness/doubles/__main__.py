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

from harness.contract.ready import READY
from harness.doubles.defects import Defect
from harness.doubles.instruments import Doubles, Place
from harness.errors import EXIT_BUG, EXIT_USAGE, UnavailableError
from harness.journal.write import SegmentWriter

SEGMENT = "doubles"


async def _serve(doubles: Doubles, place: Place) -> int:
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
    try:
        addresses = await doubles.open(place)
    except UnavailableError as error:
        print(error, flush=True)
        return error.exit_code
    print(f"{READY}{msgspec.json.encode(addresses).decode()}", flush=True)
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
    parser.add_argument("--bind", default="127.0.0.1", help="the address to listen on")
    parser.add_argument("--known-as", default="", help="the host in the URLs (default: --bind)")
    for double in ("pdp", "services", "audit"):
        parser.add_argument(f"--{double}-port", type=int, default=0, help="0: any free port")
    options = parser.parse_args(arguments)
    try:
        segment = SegmentWriter(options.journal, SEGMENT, options.trial)
    except (FileExistsError, FileNotFoundError) as error:
        print(f"doubles: --journal {options.journal}: {error}", file=sys.stderr)
        return EXIT_USAGE
    defects = frozenset(Defect(name) for name in options.defect)
    place = Place(
        bind=options.bind, known_as=options.known_as,
        ports={"pdp": options.pdp_port, "services": options.services_port,
               "audit": options.audit_port},
    )  # fmt: skip
    return uvloop.run(
        _serve(Doubles(segment, defects, options.pdp_deadline_ms, options.trial), place)
    )


if __name__ == "__main__":
    sys.exit(main())
