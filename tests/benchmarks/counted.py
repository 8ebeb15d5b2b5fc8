"""What the counting proxy costs: time added to a round trip, and bytes that go through in a second.

`python -m tests.benchmarks.counted` prints JSON; with the argument `serve` it is the server behind,
a plain asyncio echo on the loop of the proxy, which prints its port.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from harness.contract.ready import READY
from harness.counting.messages import Addresses

MESSAGE = b"x" * 2000  # about what a task of a saga takes on the wire
TRIPS = 4000
PAUSE_S = 0.001
BULK_BYTES = 256 << 20
PIECE = b"x" * (64 << 10)


def main() -> None:
    with serving() as (direct, counted):
        one, other = round_trips([direct, counted])
        print(
            json.dumps(
                {
                    "direct_p50_ms": quantile(one, 0.5),
                    "direct_p99_ms": quantile(one, 0.99),
                    "counted_p50_ms": quantile(other, 0.5),
                    "counted_p99_ms": quantile(other, 0.99),
                    "direct_mb_per_s": bulk(direct),
                    "counted_mb_per_s": bulk(counted),
                }
            )
        )


@contextlib.contextmanager
def serving() -> Iterator[tuple[int, int]]:
    """The ports of the server and of the proxy before it, each a process."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as ends:
        server = started(ends, "tests.benchmarks.counted", "serve")
        port = int(line_of(server))
        proxy = started(
            ends, "harness.counting", "--journal", folder, "--trial", Path(folder).name, "--engine",
            f"127.0.0.1:{port}", "--link", "worker",
        )  # fmt: skip
        told = msgspec.json.decode(line_of(proxy).removeprefix(READY), type=Addresses)
        yield port, int(told.links["worker"].rpartition(":")[2])


def started(ends: contextlib.ExitStack, module: str, *argv: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", module, *argv],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    ends.callback(process.wait, 10)
    ends.callback(process.send_signal, signal.SIGTERM)
    return process


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def round_trips(ports: list[int]) -> list[list[float]]:
    """Milliseconds of each round trip by port, in turns, so that what disturbs disturbs all."""
    clients = [connected(port) for port in ports]
    taken: list[list[float]] = [[] for _ in ports]
    for _ in range(TRIPS):
        for client, into in zip(clients, taken, strict=True):
            time.sleep(PAUSE_S)  # the other side sleeps by then, as it does at the rates of a load
            began = time.perf_counter()
            client.sendall(MESSAGE)
            left = len(MESSAGE)
            while left:
                left -= len(client.recv(left))
            into.append((time.perf_counter() - began) * 1000)
    for client in clients:
        client.close()
    return taken


def bulk(port: int) -> float:
    """Megabytes that come back in a second, while as many go."""
    client = connected(port)

    def pour() -> None:
        for _ in range(BULK_BYTES // len(PIECE)):
            client.sendall(PIECE)

    sender = threading.Thread(target=pour)
    began = time.perf_counter()
    sender.start()
    left = BULK_BYTES
    while left:
        left -= len(client.recv(min(left, 1 << 20)))
    taken = time.perf_counter() - began
    sender.join()
    client.close()
    return BULK_BYTES / taken / 1e6


def connected(port: int) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port))
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[int(len(values) * share)]


class Echo(asyncio.Protocol):
    """Answers with what it gets; reads no more than it can write."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)

    def pause_writing(self) -> None:
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self.transport.resume_reading()


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        uvloop.run(serve())
    else:
        main()
