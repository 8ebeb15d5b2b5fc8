"""Healing by construction and honest records, on a link made of one listening socket."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import threading
from collections.abc import Iterator

import pytest

from harness.errors import DriveError, UnavailableError, UsageError
from harness.faults.evidence import Look, cut_bit, peers_of
from harness.faults.inject import inject
from harness.faults.schedule import LinkCut
from harness.journal.records import Fault, Record


class SocketLink:
    """A link that listens, or not; `peers` are those that would be connected through it."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._port: int = self._server.getsockname()[1]
        self.listen = f"127.0.0.1:{self._port}"
        self.connected = frozenset({"127.0.0.1:1"})
        self.drops = True
        self.calls: list[str] = []
        self.up = True
        self.cutting = threading.Event()
        self.may_cut = threading.Event()
        self.may_cut.set()
        self.broken_heals = 0
        self.deaf_heals = 0
        self.seen: list[tuple[str, int]] = []

    def cut(self) -> None:
        self.cutting.set()
        self.may_cut.wait(5)
        self.calls.append("cut")
        self._server.close()
        self.up = False

    def heal(self) -> None:
        self.calls.append("heal")
        if self.broken_heals:
            self.broken_heals -= 1
            raise UnavailableError("the instrument does not answer")
        if self.deaf_heals:
            self.deaf_heals -= 1
            return
        if not self.up:
            self._server = socket.create_server(("127.0.0.1", self._port))
            self.up = True

    def peers(self, listen: str) -> frozenset[str] | None:
        assert listen == self.listen
        return self.connected if self.up or not self.drops else frozenset()

    def accepted(self) -> list[tuple[str, int]]:
        """All clients of whom this was ever asked while it was up."""
        with contextlib.suppress(OSError):
            self._server.setblocking(False)
            while True:
                connection, address = self._server.accept()
                connection.close()
                self.seen.append(address)
        return self.seen

    def close(self) -> None:
        self._server.close()


@pytest.fixture
def link() -> Iterator[SocketLink]:
    made = SocketLink()
    yield made
    made.close()


class Journal(list[Fault]):
    """The faults recorded, in order; `seen` is set at each phase."""

    def __init__(self) -> None:
        self._seen: dict[str, asyncio.Event] = {}

    def __call__(self, record: Record) -> None:
        assert isinstance(record, Fault)
        self.append(record)
        self.seen(record.phase).set()

    def seen(self, phase: str) -> asyncio.Event:
        return self._seen.setdefault(phase, asyncio.Event())

    @property
    def phases(self) -> list[str]:
        return [fault.phase for fault in self]


def cut(start_s: float = 0.0, duration_s: float = 0.1, link: str = "worker-engine") -> LinkCut:
    return LinkCut(link=link, start_s=start_s, duration_s=duration_s)


async def test_a_cut_leaves_all_four_phases_with_their_evidence(link: SocketLink) -> None:
    journal = Journal()
    await inject([cut()], {"worker-engine": link}, journal, name="example", peers=link.peers)
    assert journal.phases == ["planned", "injected", "bit", "healed"]
    assert {(each.fault_id, each.name, each.target) for each in journal} == {
        ("example/1", "link_cut", "worker-engine")
    }
    planned, injected, bit, healed = journal
    assert planned.evidence == {
        "kind": "link_cut", "link": "worker-engine", "start_s": 0.0, "duration_s": 0.1,
    }  # fmt: skip
    assert bit.evidence == {
        "established_before": 1, "answer_before": "accepted",
        "established_after": 0, "answer_after": "refused",
    }  # fmt: skip
    assert healed.evidence["whole_window"] is True
    assert healed.evidence["established_at_end"] == 0
    assert healed.evidence["answer_at_end"] == "refused"
    assert healed.evidence["answer_after"] == "accepted"
    assert injected.evidence["asked_ns"] <= injected.at_ns <= healed.evidence["asked_ns"]
    assert healed.evidence["asked_ns"] - injected.at_ns >= 100_000_000
    assert link.up


async def test_without_anyone_who_knows_the_connections_nothing_bit(link: SocketLink) -> None:
    journal = Journal()
    await inject([cut()], {"worker-engine": link}, journal, name="example")
    assert journal.phases == ["planned", "injected", "healed"]


async def test_a_link_that_nobody_used_was_not_bitten(link: SocketLink) -> None:
    journal = Journal()
    link.connected = frozenset()
    await inject([cut()], {"worker-engine": link}, journal, name="example", peers=link.peers)
    assert journal.phases == ["planned", "injected", "healed"]


async def test_the_knocks_of_an_earlier_fault_are_no_evidence_for_a_later_one() -> None:
    class Lingering(SocketLink):
        """Its proxy is slow to notice that a client has gone."""

        def peers(self, listen: str) -> frozenset[str] | None:
            self.connected = frozenset(f"{host}:{port}" for host, port in self.accepted())
            return super().peers(listen)

    journal, link = Journal(), Lingering()
    schedule = [cut(), cut(start_s=0.3)]
    with contextlib.closing(link):
        await inject(schedule, {"worker-engine": link}, journal, name="x", peers=link.peers)
    assert link.seen, "without connections this shows nothing"
    assert "bit" not in journal.phases


async def test_a_connection_that_survives_the_cut_was_not_bitten(link: SocketLink) -> None:
    journal = Journal()
    link.drops = False
    await inject([cut()], {"worker-engine": link}, journal, name="example", peers=link.peers)
    assert journal.phases == ["planned", "injected", "healed"]


@pytest.mark.parametrize(
    ("before", "after", "bit"),
    [
        ((1, "accepted"), (0, "refused"), True),
        ((9, "accepted"), (0, "refused"), True),
        ((0, "accepted"), (0, "refused"), False),
        ((None, "accepted"), (None, "refused"), False),
        ((1, "accepted"), (None, "refused"), False),
        ((1, "accepted"), (1, "refused"), False),
        ((1, "accepted"), (0, "accepted"), False),
        ((1, "accepted"), (0, "timed out"), False),
        ((1, "refused"), (0, "refused"), False),
    ],
)
def test_what_counts_as_a_bite(
    before: tuple[int | None, str], after: tuple[int | None, str], bit: bool
) -> None:
    one, two = (Look(established=count, answer=answer) for count, answer in (before, after))
    assert cut_bit(one, two) is bit


def test_a_process_that_is_gone_tells_nothing() -> None:
    with subprocess.Popen(["true"]) as ended:
        ended.wait()
    assert peers_of(ended.pid)("127.0.0.1:1") is None


async def test_cancelling_within_the_window_heals_before_it_returns(link: SocketLink) -> None:
    journal = Journal()
    task = asyncio.create_task(
        inject([cut(duration_s=600)], {"worker-engine": link}, journal, name="x", peers=link.peers)
    )
    await journal.seen("bit").wait()
    assert not link.up
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert link.up
    assert journal.phases == ["planned", "injected", "bit", "healed"]
    assert journal[-1].evidence["whole_window"] is False


async def test_cancelling_while_the_cut_is_under_way_heals_after_it(link: SocketLink) -> None:
    journal = Journal()
    link.may_cut.clear()
    task = asyncio.create_task(
        inject([cut(duration_s=600)], {"worker-engine": link}, journal, name="example")
    )
    await asyncio.to_thread(link.cutting.wait, 5)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    link.may_cut.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert link.calls == ["cut", "heal"]
    assert link.up
    assert journal.phases == ["planned", "healed"]


def test_the_end_of_the_event_loop_heals_a_task_that_nobody_awaits() -> None:
    link, journal = SocketLink(), Journal()

    async def main() -> None:
        task = asyncio.create_task(
            inject([cut(duration_s=600)], {"worker-engine": link}, journal, name="example")
        )
        await journal.seen("injected").wait()
        assert not task.done()

    with contextlib.closing(link):
        asyncio.run(main())
        assert link.up
        assert journal.phases == ["planned", "injected", "healed"]


async def test_a_cancellation_before_the_first_fault_touches_nothing(link: SocketLink) -> None:
    journal = Journal()
    task = asyncio.create_task(
        inject([cut(start_s=600)], {"worker-engine": link}, journal, name="example")
    )
    await journal.seen("planned").wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert link.calls == []


async def test_an_error_of_one_fault_heals_the_others_and_is_raised_as_itself(
    link: SocketLink,
) -> None:
    class Refusing(SocketLink):
        def cut(self) -> None:
            raise UnavailableError("cut refused")

    journal, refusing = Journal(), Refusing()
    schedule = [cut(duration_s=600), cut(start_s=0.2, link="worker-pdp")]
    with contextlib.closing(refusing), pytest.raises(UnavailableError, match="cut refused"):
        await inject(
            schedule, {"worker-engine": link, "worker-pdp": refusing}, journal, name="example"
        )
    assert link.up
    assert [each.fault_id for each in journal if each.phase == "healed"] == [
        "example/2",
        "example/1",
    ]


async def test_a_journal_that_cannot_be_written_heals_all_the_same(link: SocketLink) -> None:
    def full(record: Record) -> None:
        assert isinstance(record, Fault)
        if record.phase == "injected":
            raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        await inject([cut(duration_s=600)], {"worker-engine": link}, full, name="example")
    assert link.up


async def test_healing_is_tried_again_until_the_link_takes_connections(link: SocketLink) -> None:
    journal = Journal()
    link.broken_heals = 1
    link.deaf_heals = 1
    await inject([cut()], {"worker-engine": link}, journal, name="example")
    assert link.calls == ["cut", "heal", "heal", "heal"]
    assert link.up


async def test_a_link_that_cannot_be_healed_is_an_error_and_not_recorded_as_healed(
    link: SocketLink,
) -> None:
    journal = Journal()
    link.broken_heals = 1_000
    with pytest.raises(DriveError, match=r"worker-engine could not be healed within 0.3 s"):
        await inject([cut()], {"worker-engine": link}, journal, name="example", heal_within_s=0.3)
    assert journal.phases == ["planned", "injected"]


async def test_a_link_that_takes_no_connections_is_not_healed(link: SocketLink) -> None:
    link.deaf_heals = 1_000
    with pytest.raises(DriveError, match="a new connection was refused"):
        await inject([cut()], {"worker-engine": link}, Journal(), name="example", heal_within_s=0.3)


async def test_faults_of_one_link_run_in_their_order_however_they_are_listed(
    link: SocketLink,
) -> None:
    journal = Journal()
    await inject(
        [cut(start_s=0.1), cut(start_s=0.0, duration_s=0.1)],
        {"worker-engine": link},
        journal,
        name="example",
    )
    assert [each.fault_id for each in journal if each.phase == "healed"] == [
        "example/2",
        "example/1",
    ]


async def test_a_schedule_against_its_rules_is_refused_before_anything_is_done(
    link: SocketLink,
) -> None:
    journal = Journal()
    schedule = [cut(), cut(start_s=0.05), cut(link="nowhere")]
    with pytest.raises(UsageError, match=r"fault 2: .*cut again.*fault 3: no link 'nowhere'"):
        await inject(schedule, {"worker-engine": link}, journal, name="example")
    assert journal == []
    assert link.calls == []
