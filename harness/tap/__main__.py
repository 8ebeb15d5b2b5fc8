"""`python -m harness.tap`: taps one or more links to the engine, until SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

import msgspec

from harness.contract.ready import READY
from harness.errors import EXIT_BUG, EXIT_USAGE
from harness.journal.records import Tapped
from harness.journal.write import SegmentWriter
from harness.tap.control import Control
from harness.tap.forward import Link, Tap
from harness.tap.messages import Addresses
from harness.tap.rules import Book

SEGMENT = "tap"


async def _serve(upstream: str, names: list[str], segment: SegmentWriter) -> int:
    """Serve until told to stop; returns the exit code. Only a whole segment gets its footer."""
    stop: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def end(code: int) -> None:
        if not stop.done():
            stop.set_result(code)

    def write(record: Tapped) -> None:
        try:
            segment.write(record)
            segment.flush()
        except OSError:  # what was done to a call must not go unrecorded
            traceback.print_exc(file=sys.stderr)
            end(EXIT_BUG)

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, end, 0)
    tap = Tap(Book(), write)
    links = {name: Link(name, upstream, tap) for name in names}
    control = Control(tap, segment.flush)
    addresses = Addresses(
        links={name: await link.open() for name, link in links.items()},
        control=await control.open(),
    )
    print(f"{READY}{msgspec.json.encode(addresses).decode()}", flush=True)
    code = await stop
    await control.close()
    for link in links.values():
        await link.close()
    if code == 0:
        segment.close()
    return code


def main(arguments: list[str] | None = None) -> int:
    """Parse the options and serve."""
    parser = argparse.ArgumentParser(prog="python -m harness.tap", description=__doc__)
    parser.add_argument("--journal", type=Path, required=True, help="the trial's journal folder")
    parser.add_argument("--trial", required=True, help="the trial's id")
    parser.add_argument("--engine", required=True, help="host:port of the engine's frontend")
    parser.add_argument(
        "--link", action="append", required=True, help="a link to listen for (may be repeated)"
    )
    options: Any = parser.parse_args(arguments)
    try:
        segment = SegmentWriter(options.journal, SEGMENT, options.trial)
    except OSError as error:
        print(f"tap: --journal {options.journal}: {error}", file=sys.stderr)
        return EXIT_USAGE
    return asyncio.run(_serve(options.engine, options.link, segment))


if __name__ == "__main__":
    sys.exit(main())
