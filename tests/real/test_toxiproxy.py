"""A real toxiproxy-server in front of a small echo server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import requests

from harness.errors import UsageError
from harness.faults import toxiproxy as adapter
from harness.faults.evidence import ACCEPTED, REFUSED, Witness, nobody_knows, peers_of
from harness.faults.inject import inject
from harness.faults.schedule import LinkCut
from harness.faults.toxics import TOXICS, Toxic
from harness.faults.toxiproxy import PORTS, Link, Toxiproxy, ToxiproxyError, toxiproxy_command
from harness.journal.records import Fault, Record
from harness.tools.toxiproxy import find_toxiproxy

pytestmark = pytest.mark.real

WITHIN_S = 5.0  # of things that happen at once, or never


@pytest.fixture(scope="module")
def program() -> Path:
    return find_toxiproxy(print)


@contextlib.contextmanager
def running(program: Path) -> Iterator[tuple[Toxiproxy, int]]:
    """A server in a session of its own, with its process id; SIGKILLed by that id."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        toxiproxy_command(program, port),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        server = Toxiproxy("127.0.0.1", port)
        server.wait_ready(10)
        yield server, process.pid
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def started(program: Path) -> Iterator[tuple[Toxiproxy, int]]:
    with running(program) as server:
        yield server


@pytest.fixture
def server(started: tuple[Toxiproxy, int]) -> Toxiproxy:
    return started[0]


@pytest.fixture
async def echo() -> AsyncIterator[str]:
    """The address of a server that sends back what it gets."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(4096):
                writer.write(data)
                await writer.drain()
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    yield f"127.0.0.1:{port}"
    listening.close()


@pytest.fixture
async def link(server: Toxiproxy, echo: str) -> Link:
    return await asyncio.to_thread(server.create, "worker-engine", echo)


class Client:
    """A connection through a link."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def echoes(self) -> bool:
        """Whether it still works: what it sends comes back."""
        self._writer.write(b"ping")
        async with asyncio.timeout(WITHIN_S):
            return await self._reader.readexactly(4) == b"ping"

    async def dropped(self) -> bool:
        """Whether the other side has ended it."""
        try:
            async with asyncio.timeout(WITHIN_S):
                return await self._reader.read() == b""
        except ConnectionError:
            return True
        except TimeoutError:
            return False

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


@contextlib.asynccontextmanager
async def client(link: Link) -> AsyncIterator[Client]:
    host, port = link.listen.split(":")
    made = Client(*await asyncio.open_connection(host, int(port)))
    try:
        assert await made.echoes()
        yield made
    finally:
        await made.close()


def answer(link: Link) -> str:
    return Witness(listen=link.listen, peers=nobody_knows).knock()


async def test_a_link_is_made_up_and_clean_on_a_port_that_no_connection_takes(
    server: Toxiproxy, link: Link, echo: str
) -> None:
    state = await asyncio.to_thread(link.state)
    assert (state.name, state.upstream, state.enabled, state.toxics) == (
        "worker-engine", echo, True, (),
    )  # fmt: skip
    assert state.listen == link.listen
    assert (await asyncio.to_thread(server.version)).startswith("2.")
    assert int(link.listen.rpartition(":")[2]) in PORTS
    assert (await asyncio.to_thread(server.version)).startswith("2.")
    async with client(link):
        pass


async def test_a_cut_drops_open_connections_and_refuses_new_ones_until_it_is_healed(
    link: Link,
) -> None:
    async with client(link) as before:
        await asyncio.to_thread(link.cut)
        assert await before.dropped()
    assert await asyncio.to_thread(answer, link) == REFUSED
    listen = link.listen
    await asyncio.to_thread(link.heal)
    assert link.listen == listen
    assert await asyncio.to_thread(answer, link) == ACCEPTED
    async with client(link):
        pass


async def test_cutting_or_healing_twice_is_the_same_as_once(link: Link) -> None:
    for _ in range(2):
        await asyncio.to_thread(link.cut)
    for _ in range(2):
        await asyncio.to_thread(link.heal)
    async with client(link) as kept:
        await asyncio.to_thread(link.heal)
        assert await kept.echoes()


async def test_the_links_of_one_server_have_ports_of_their_own_also_while_cut(
    server: Toxiproxy, link: Link, echo: str
) -> None:
    await asyncio.to_thread(link.cut)
    other = await asyncio.to_thread(server.create, "worker-pdp", echo)
    assert other.listen != link.listen
    async with client(other) as bystander:
        await asyncio.to_thread(link.heal)
        assert await bystander.echoes()


async def test_a_port_that_another_program_took_meanwhile_is_passed_over(
    server: Toxiproxy, echo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as other,
        socket.create_server(("127.0.0.1", 0)) as free,
    ):
        ports = [each.getsockname()[1] for each in (other, free)]
        free.close()
        monkeypatch.setattr(adapter, "_free_ports", lambda: iter(ports))
        link = await asyncio.to_thread(server.create, "worker-engine", echo)
    assert link.listen == f"127.0.0.1:{ports[1]}"
    assert (await asyncio.to_thread(server.snapshot)).leftovers == ()


async def test_a_second_link_of_the_same_name_is_refused(
    server: Toxiproxy, link: Link, echo: str
) -> None:
    with pytest.raises(ToxiproxyError, match="already exists"):
        await asyncio.to_thread(server.create, "worker-engine", echo)


async def test_every_toxic_is_taken_by_the_server_as_it_was_meant_and_goes_again(
    server: Toxiproxy, link: Link
) -> None:
    for type_, limits in TOXICS.items():
        toxic = Toxic(
            type=type_,
            attributes={name: limit.least + 1 for name, limit in limits.items()},
            stream="upstream",
        )
        await asyncio.to_thread(link.add, toxic)
        (active,) = (await asyncio.to_thread(link.state)).toxics
        assert (active.type, active.stream, active.toxicity) == (type_, "upstream", 1.0)
        assert active.attributes == toxic.attributes
        await asyncio.to_thread(link.remove, toxic)
    assert (await asyncio.to_thread(server.snapshot)).leftovers == ()


async def test_a_latency_is_felt_by_an_open_connection_and_gone_when_healed(link: Link) -> None:
    async with client(link) as kept:
        toxic = Toxic(type="latency", attributes={"latency": 300})
        await asyncio.to_thread(link.add, toxic)
        began = time.monotonic()
        assert await kept.echoes()
        assert time.monotonic() - began >= 0.3
        await asyncio.to_thread(link.heal)
        assert (await asyncio.to_thread(link.state)).toxics == ()
        assert await kept.echoes()


async def test_what_the_server_refuses_is_an_error_that_says_why(link: Link) -> None:
    toxic = Toxic(type="latency", attributes={"latency": 5})
    with pytest.raises(ToxiproxyError, match=r"remove latency_downstream .*HTTP 404"):
        await asyncio.to_thread(link.remove, toxic)
    await asyncio.to_thread(link.add, toxic)
    with pytest.raises(ToxiproxyError, match=r"add latency_downstream .*HTTP 409"):
        await asyncio.to_thread(link.add, toxic)


async def test_an_attribute_that_the_server_would_ignore_never_reaches_it(link: Link) -> None:
    with pytest.raises(UsageError, match="no attribute 'latncy'"):
        await asyncio.to_thread(link.add, Toxic(type="latency", attributes={"latncy": 5}))
    assert (await asyncio.to_thread(link.state)).toxics == ()


async def test_a_snapshot_shows_what_was_not_healed(server: Toxiproxy, link: Link) -> None:
    await asyncio.to_thread(link.add, Toxic(type="latency", attributes={"latency": 5}))
    await asyncio.to_thread(link.cut)
    assert (await asyncio.to_thread(server.snapshot)).leftovers == (
        "worker-engine is down",
        "worker-engine still has latency_downstream",
    )
    await asyncio.to_thread(link.heal)
    assert (await asyncio.to_thread(server.snapshot)).leftovers == ()


async def test_a_snapshot_misses_a_link_that_is_gone(server: Toxiproxy, link: Link) -> None:
    def remove() -> None:
        assert requests.delete(f"http://{server.address}/proxies/{link.name}", timeout=5).ok

    await asyncio.to_thread(remove)
    assert (await asyncio.to_thread(server.snapshot)).leftovers == ("worker-engine is gone",)


async def test_links_of_two_servers_are_not_mixed_up(
    server: Toxiproxy, link: Link, program: Path, echo: str
) -> None:
    with running(program) as (other, _):
        twin = await asyncio.to_thread(other.create, "worker-engine", echo)
        await asyncio.to_thread(twin.cut)
        assert (await asyncio.to_thread(link.state)).enabled
        assert await asyncio.to_thread(answer, link) == ACCEPTED
        assert await asyncio.to_thread(answer, twin) == REFUSED


async def test_a_stopped_server_is_an_error_within_the_deadline(
    started: tuple[Toxiproxy, int], link: Link
) -> None:
    server, pid = started
    hurried = Toxiproxy(*_address(server), call_s=0.3)
    os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    try:
        with pytest.raises(ToxiproxyError, match=r"did not list the links within 0.3 s"):
            await asyncio.to_thread(hurried.snapshot)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert time.monotonic() - began < WITHIN_S


def _address(server: Toxiproxy) -> tuple[str, int]:
    host, _, port = server.address.rpartition(":")
    return host, int(port)


# -- injection -----------------------------------------------------------------------------------


CUT = LinkCut(link="worker-engine", start_s=0.0, duration_s=0.5)
FOR_EVER = LinkCut(link="worker-engine", start_s=0.0, duration_s=600.0)


class Journal(list[Fault]):
    """The faults recorded; `bit` is set when one bit."""

    def __init__(self) -> None:
        self.bit = asyncio.Event()

    def __call__(self, record: Record) -> None:
        assert isinstance(record, Fault)
        self.append(record)
        if record.phase == "bit":
            self.bit.set()

    @property
    def phases(self) -> list[str]:
        return [fault.phase for fault in self]


async def test_an_injected_cut_bites_and_the_kernel_says_so(
    started: tuple[Toxiproxy, int], link: Link
) -> None:
    server, pid = started
    journal = Journal()
    async with client(link) as one, client(link) as two:
        await inject([CUT], {link.name: link}, journal, name="example", peers=peers_of(pid))
        assert await one.dropped()
        assert await two.dropped()
    assert journal.phases == ["planned", "injected", "bit", "healed"]
    assert journal[2].evidence == {
        "established_before": 2, "answer_before": ACCEPTED,
        "established_after": 0, "answer_after": REFUSED,
    }  # fmt: skip
    assert journal[3].evidence["whole_window"] is True
    assert (await asyncio.to_thread(server.snapshot)).leftovers == ()
    async with client(link):
        pass


async def test_our_own_knocks_are_no_evidence(started: tuple[Toxiproxy, int], link: Link) -> None:
    journal = Journal()
    schedule = [CUT, LinkCut(link="worker-engine", start_s=0.6, duration_s=0.3)]
    await inject(schedule, {link.name: link}, journal, name="example", peers=peers_of(started[1]))
    assert "bit" not in journal.phases
    assert journal.phases.count("healed") == 2


async def test_a_process_that_is_not_the_proxy_is_no_witness(link: Link) -> None:
    journal = Journal()
    async with client(link):
        peers = peers_of(os.getpid())
        await inject([CUT], {link.name: link}, journal, name="example", peers=peers)
    assert journal.phases == ["planned", "injected", "healed"]


async def test_cancellation_heals(started: tuple[Toxiproxy, int], link: Link) -> None:
    server, pid = started
    journal = Journal()
    async with client(link):
        task = asyncio.create_task(
            inject([FOR_EVER], {link.name: link}, journal, name="example", peers=peers_of(pid))
        )
        await journal.bit.wait()
        assert not (await asyncio.to_thread(link.state)).enabled
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert (await asyncio.to_thread(server.snapshot)).leftovers == ()
    assert journal.phases == ["planned", "injected", "bit", "healed"]
    async with client(link):
        pass


async def test_an_error_beside_the_injection_heals(
    started: tuple[Toxiproxy, int], link: Link
) -> None:
    server, pid = started
    journal = Journal()

    async def fail() -> None:
        await journal.bit.wait()
        raise ValueError("the load failed")

    async def injecting_beside_what_fails() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(
                inject([FOR_EVER], {link.name: link}, journal, name="example", peers=peers_of(pid))
            )
            tasks.create_task(fail())

    async with client(link):
        with pytest.raises(ExceptionGroup, match="unhandled errors"):
            await injecting_beside_what_fails()
    assert (await asyncio.to_thread(server.snapshot)).leftovers == ()
    assert journal.phases[-1] == "healed"
