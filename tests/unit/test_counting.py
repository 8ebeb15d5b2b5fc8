"""The counting proxy: what it counts, and that it hides nothing of how connections end."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec
import pytest
import uvloop

from harness.contract.ready import READY
from harness.counting.forward import Counts, Link
from harness.counting.messages import STRETCH, Addresses
from harness.journal.manifest import file_entry, write_manifest
from harness.journal.read import hand_made_manifest, read_trial
from harness.journal.records import Traffic
from harness.platform.ports import free_ports

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
LARGE = 20 << 20
PATIENCE_S = 20.0


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers with what it gets, and ends when the other does."""
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    writer.close()


def on_both_loops(test: Callable[[], Coroutine[Any, Any, None]]) -> Any:
    """On asyncio's own loop, and on the one of the process, which reads at other times."""

    @pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
    @functools.wraps(test)
    def both(run: Callable[[Coroutine[Any, Any, None]], None]) -> None:
        run(test())

    vars(both).pop("__wrapped__")  # pytest would look for its arguments there
    return both


@contextlib.asynccontextmanager
async def linked(serve: Serve = echo) -> AsyncIterator[tuple[Link, int, asyncio.Server]]:
    """A link before a server of its own; gives the link, its port, and the server."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    link = Link(f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
    try:
        async with asyncio.timeout(PATIENCE_S):
            address = await link.open()
            yield link, int(address.rpartition(":")[2]), server
    finally:
        await link.close()
        server.close()


async def until(holds: Callable[[], bool]) -> None:
    """What the other side of a socket learns a moment later."""
    while not holds():  # noqa: ASYNC110 - of another task
        await asyncio.sleep(0.005)


@on_both_loops
async def test_what_passes_arrives_and_is_counted_both_ways() -> None:
    async def doubled(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            writer.write(data + data)
        writer.close()

    async with linked(doubled) as (link, port, _):
        for text in (b"ping", b"more"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(text)
            assert await reader.readexactly(2 * len(text)) == text + text
            writer.close()
        await until(lambda: link.counts.open == 0)
        assert link.counts == Counts(to_engine_bytes=8, from_engine_bytes=16, connections=2)


@on_both_loops
async def test_a_side_that_sends_no_more_still_gets_all_that_comes() -> None:
    async def answers_at_the_end(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        said = await reader.read()
        writer.write(b"x" * LARGE + said)
        await writer.drain()
        writer.close()

    async with linked(answers_at_the_end) as (link, port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"last word")
        writer.write_eof()
        told = await reader.read()
        assert told == b"x" * LARGE + b"last word"
        await until(lambda: link.counts.open == 0)
        assert link.counts.from_engine_bytes == len(told)


@on_both_loops
async def test_a_reader_that_does_not_read_holds_its_writer_back() -> None:
    sent = 0

    async def pours(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b"x" * (1 << 16))
                await writer.drain()
                sent += 1 << 16

    async with linked(pours) as (link, port, _):
        _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 10)
        await until(lambda: sent > 0)
        before = -1
        while before != sent:  # until nothing moves any more
            before = sent
            await asyncio.sleep(0.2)
        assert link.counts.from_engine_bytes < 64 << 20
        writer.transport.abort()
        await until(lambda: link.counts.open == 0)


@on_both_loops
async def test_a_reset_by_the_client_is_a_reset_for_the_engine() -> None:
    seen: list[BaseException | bytes] = []

    async def watches(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        try:
            seen.append(await reader.read())
        except ConnectionError as error:
            seen.append(error)
        writer.close()

    async with linked(watches) as (link, port, _):
        raw = await asyncio.to_thread(socket.create_connection, ("127.0.0.1", port))
        assert await asyncio.to_thread(raw.recv, 5) == b"hello"
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raw.close()
        await until(lambda: bool(seen) and link.counts.open == 0)
        assert isinstance(seen[0], ConnectionResetError)
        assert link.counts.from_engine_bytes == 5


@on_both_loops
async def test_a_reset_by_the_engine_is_a_reset_for_the_client() -> None:
    async def resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(5)
        own = writer.get_extra_info("socket")
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async with linked(resets) as (link, port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"hello")
        with pytest.raises(ConnectionResetError):
            await reader.read()
        await until(lambda: link.counts.open == 0)
        assert link.counts.to_engine_bytes == 5


@on_both_loops
async def test_an_engine_that_is_not_there_is_no_connection_for_the_client_either() -> None:
    async with linked() as (link, port, server):
        server.close()
        await server.wait_closed()
        reader, _ = await asyncio.open_connection("127.0.0.1", port)
        with pytest.raises(ConnectionResetError):
            await reader.read()  # an orderly end would be a lie
        await until(lambda: link.counts.open == 0)
        assert (link.counts.connections, link.counts.refused) == (1, 1)


# --- the process


def counting(folder: Path, engine: str, *links: str) -> subprocess.Popen[str]:
    (folder / "journal").mkdir()
    command = [sys.executable, "-m", "harness.counting", "--journal", str(folder / "journal")]
    command += ["--trial", folder.name, "--engine", engine]
    for link in links:
        command += ["--link", link]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )


def told(process: subprocess.Popen[str]) -> dict[str, int]:
    assert process.stdout is not None
    line = process.stdout.readline()
    addresses = msgspec.json.decode(line.removeprefix(READY), type=Addresses)
    return {name: int(each.rpartition(":")[2]) for name, each in addresses.links.items()}


def recorded(folder: Path) -> list[Traffic]:
    files = [file_entry(folder, folder / "journal" / "counting.jsonl", 0)]
    write_manifest(folder, hand_made_manifest(trial_id=folder.name, arm="load", files=files))
    return list(read_trial(folder).of(Traffic))


def test_counts_belong_to_the_stretch_in_which_they_came(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as engine:
        process = counting(tmp_path, f"127.0.0.1:{engine.getsockname()[1]}", "worker", "generator")
        try:
            ports = told(process)
            assert process.stdin is not None
            with socket.create_connection(("127.0.0.1", ports["worker"])) as client:
                served, _ = engine.accept()
                for stretch, size in (("idle", 10), ("load", 1000), ("", 5)):
                    process.stdin.write(f"{STRETCH}{stretch}\n")
                    process.stdin.flush()
                    while not any(
                        record.get("stretch", "") == stretch for record in lines(tmp_path)
                    ):
                        time.sleep(0.01)
                    client.sendall(b"x" * size)
                    assert len(received(served, size)) == size
                served.close()
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    by_stretch: dict[str, list[int]] = {}
    for record in recorded(tmp_path):
        if record.link == "worker":
            by_stretch.setdefault(record.stretch, []).append(record.to_engine_bytes)
    passed = {name: counts[-1] - counts[0] for name, counts in by_stretch.items()}
    assert (passed["idle"], passed["load"]) == (10, 1000)
    assert {r.to_engine_bytes for r in recorded_links(tmp_path, "generator")} == {0}


def lines(folder: Path) -> list[dict[str, object]]:
    """The last record of the segment as far as it is written."""
    written = (folder / "journal" / "counting.jsonl").read_bytes().splitlines()
    with contextlib.suppress(msgspec.DecodeError):
        return [msgspec.json.decode(written[-1])]
    return []


def received(served: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        found += served.recv(size - len(found))
    return found


def recorded_links(folder: Path, link: str) -> list[Traffic]:
    return [record for record in read_trial(folder).of(Traffic) if record.link == link]


def test_it_goes_on_when_the_engine_is_gone_and_ends_when_told(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    process = counting(tmp_path, f"127.0.0.1:{port}", "worker")
    try:
        ports = told(process)
        for _ in range(3):
            with (
                contextlib.suppress(ConnectionError),
                socket.create_connection(("127.0.0.1", ports["worker"]), timeout=5) as client,
            ):
                assert client.recv(1) == b""
    finally:
        process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 0
    last = recorded(tmp_path)[-1]
    assert (last.connections, last.refused, last.open) == (3, 3, 0)


def test_a_journal_that_cannot_be_written_is_said_at_once(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "harness.counting", "--journal", os.devnull + "/nowhere"]
    command += ["--trial", "t", "--engine", "127.0.0.1:1", "--link", "worker"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 64
    assert done.stderr.count("\n") == 1
