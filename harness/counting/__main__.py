"""`python -m harness.counting`: counts what passes one or more links to the engine, until SIGTERM.

Each second, at the beginning and the end of a stretch, and at its own end, it writes one `Traffic`
record for each link. A line `stretch NAME` on its standard input begins another stretch. It goes on
forwarding whatever happens to the engine, to those who call, and to the disk.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
import traceback
from pathlib import Path
from typing import Any, Final

import msgspec
import uvloop

from harness.contract.ready import READY
from harness.counting.forward import Link
from harness.counting.messages import STRETCH, Addresses
from harness.errors import EXIT_UNAVAILABLE, EXIT_USAGE
from harness.journal.records import Subject, Traffic, now
from harness.journal.write import SegmentWriter

SEGMENT: Final = "counting"
EVERY_S: Final = 1.0


class Ledger:
    """Writes the counts of all links; a disk that is full ends the writing, not the forwarding."""

    def __init__(self, links: dict[Subject, Link], segment: SegmentWriter) -> None:
        self.broken = False
        self._links = links
        self._segment = segment
        self._stretch = ""

    def begin(self, stretch: str) -> None:
        """What is counted from now on belongs to another stretch."""
        self.write()
        self._stretch = stretch
        self.write()

    def write(self) -> None:
        """The counts at this moment."""
        times = now()
        for name, link in self._links.items():
            counts = link.counts
            self._put(
                Traffic(
                    **times,
                    link=name,
                    stretch=self._stretch,
                    to_engine_bytes=counts.to_engine_bytes,
                    from_engine_bytes=counts.from_engine_bytes,
                    connections=counts.connections,
                    refused=counts.refused,
                    open=counts.open,
                )
            )
        self._safely(self._segment.flush)

    def close(self) -> None:
        """The last counts, and the end of the segment."""
        self.write()
        self._safely(self._segment.close)

    def _put(self, record: Traffic) -> None:
        self._safely(lambda: self._segment.write(record))

    def _safely(self, write: Any) -> None:
        if self.broken:
            return
        try:
            write()
        except OSError:
            self.broken = True  # the segment has no footer, which tells that counts are missing
            traceback.print_exc(file=sys.stderr)


async def _serve(engine: str, names: list[str], segment: SegmentWriter) -> int:
    """Serve until told to stop; returns the exit code."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    links = {Subject(name): Link(engine) for name in names}
    ledger = Ledger(links, segment)
    listening = asyncio.create_task(_listen(ledger))
    addresses = Addresses(links={name: await link.open() for name, link in links.items()})
    print(f"{READY}{msgspec.json.encode(addresses).decode()}", flush=True)
    while not stop.is_set():
        ledger.write()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), EVERY_S)
    listening.cancel()
    ledger.close()
    for link in links.values():
        await link.close()
    return EXIT_UNAVAILABLE if ledger.broken else 0


async def _listen(ledger: Ledger) -> None:
    """Take commands from standard input, which may end before we do."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while line := (await reader.readline()).decode():
        if line.startswith(STRETCH):
            ledger.begin(line.removeprefix(STRETCH).strip())


def main(arguments: list[str] | None = None) -> int:
    """Parse the options and serve."""
    parser = argparse.ArgumentParser(prog="python -m harness.counting", description=__doc__)
    parser.add_argument("--journal", type=Path, required=True, help="the trial's journal folder")
    parser.add_argument("--trial", required=True, help="the trial's id")
    parser.add_argument("--engine", required=True, help="host:port of the engine's frontend")
    parser.add_argument(
        "--link",
        action="append",
        required=True,
        choices=[each.value for each in Subject],
        help="whose calls to listen for (may be repeated)",
    )
    options: Any = parser.parse_args(arguments)
    try:
        segment = SegmentWriter(options.journal, SEGMENT, options.trial)
    except OSError as error:
        print(f"counting: --journal {options.journal}: {error}", file=sys.stderr)
        return EXIT_USAGE
    return uvloop.run(_serve(options.engine, options.link, segment))


if __name__ == "__main__":
    sys.exit(main())
