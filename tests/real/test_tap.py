"""The tap on the way to a real engine: what each rule does to a call, and what is recorded."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from harness.contract.ready import READY
from harness.journal.records import Tapped
from harness.platform.engine import engine_command
from harness.platform.ports import free_ports
from harness.tap.client import TapClient
from harness.tap.messages import Addresses, Rule
from harness.tools.temporal import find_temporal

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]
PATIENCE_S = 30.0
SIGNAL = "SignalWorkflowExecution"
START = "StartWorkflowExecution"


@dataclass(frozen=True)
class Tapping:
    """A client that reaches the engine through the tap, and the tap's control."""

    client: Client
    tap: TapClient

    async def started(self, **options: Any) -> WorkflowHandle[Any, Any]:
        """A workflow that nobody serves."""
        return await self.client.start_workflow(
            "Nobody", id=options.pop("id", uuid.uuid4().hex), task_queue="nobody", **options
        )


@contextlib.asynccontextmanager
async def program(*command: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process of its own group, ended afterwards."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, start_new_session=True
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.wait(), PATIENCE_S)


async def connected(address: str) -> Client:
    """A client, once the engine serves."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return await Client.connect(address)
        except RuntimeError:
            assert time.monotonic() < deadline, "the engine does not serve"
            await asyncio.sleep(0.1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trial")
    (folder / "journal").mkdir()
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tapping(journal: Path) -> AsyncIterator[Tapping]:
    port, http, metrics = free_ports(3)
    engine = engine_command(find_temporal(), port, http, metrics, {}, None)
    address = f"127.0.0.1:{port}"
    async with program(*engine):
        await connected(address)
        command = [sys.executable, "-m", "harness.tap", "--journal", str(journal / "journal")]
        async with program(*command, "--trial", "t", "--engine", address, "--link", "a") as tap:
            assert tap.stdout is not None
            line = (await asyncio.wait_for(tap.stdout.readline(), PATIENCE_S)).decode()
            addresses = msgspec.json.decode(line.removeprefix(READY), type=Addresses)
            client = await connected(addresses.links["a"])
            yield Tapping(client, TapClient(addresses.control))


def records(journal: Path, rule: str) -> list[Tapped]:
    """What the tap has recorded of a rule so far: it writes each call as it ends."""
    lines = (journal / "journal" / "tap.jsonl").read_bytes().splitlines()[1:]
    found = [msgspec.json.decode(line, type=Tapped) for line in lines if b'"tapped"' in line]
    return [record for record in found if record.rule == rule]


async def signals(handle: WorkflowHandle[Any, Any]) -> list[str]:
    """The names of the signals in a history."""
    events = (await handle.fetch_history()).events
    named = [event.workflow_execution_signaled_event_attributes.signal_name for event in events]
    return [name for name in named if name]


async def test_a_lost_answer_of_a_start_leaves_one_run(tapping: Tapping, journal: Path) -> None:
    """The SDK asks again with the same request id, and is told of the run that there is."""
    name = uuid.uuid4().hex
    await tapping.tap.add([Rule(id="lost", method=START, action="lose-answer", keys=[name])])
    handle = await tapping.started(id=name)
    runs = [run.run_id async for run in tapping.client.list_workflows(f"WorkflowId = '{name}'")]
    assert set(runs) <= {handle.first_execution_run_id}
    first, second = records(journal, "lost")
    assert (first.action, first.status, first.engine_status) == ("lose-answer", "UNAVAILABLE", "OK")
    assert (second.action, second.status, second.again) == ("", "OK", True)


async def test_a_refused_call_does_not_reach_the_engine(tapping: Tapping, journal: Path) -> None:
    handle = await tapping.started()
    rule = Rule(id="refused", method=SIGNAL, action="refuse", keys=[handle.id], count=None)
    await tapping.tap.add([rule])
    with pytest.raises(RPCError) as refused:
        await handle.signal("no", rpc_timeout=timedelta(seconds=1))
    assert refused.value.status in (RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED)
    assert await signals(handle) == []
    assert {(each.sent, each.engine_status) for each in records(journal, "refused")} == {(0, "")}


async def test_a_call_that_is_sent_twice_counts_once(tapping: Tapping, journal: Path) -> None:
    """It carries one request id."""
    handle = await tapping.started()
    await tapping.tap.add([Rule(id="twice", method=SIGNAL, action="twice", keys=[handle.id])])
    await handle.signal("once")
    assert await signals(handle) == ["once"]
    assert [each.sent for each in records(journal, "twice")] == [2]


async def test_a_delayed_call_arrives_late(tapping: Tapping, journal: Path) -> None:
    handle = await tapping.started()
    rule = Rule(id="late", method=SIGNAL, action="delay", keys=[handle.id], delay_ms=400)
    await tapping.tap.add([rule])
    await handle.signal("late")
    assert await signals(handle) == ["late"]
    (record,) = records(journal, "late")
    assert record.at_ns - record.received_ns >= 400_000_000


@pytest.mark.parametrize(("how", "arrives"), [("forward", True), ("drop", False)])
async def test_a_held_call_waits_until_it_is_released(
    tapping: Tapping, journal: Path, how: Any, arrives: bool
) -> None:
    handle = await tapping.started()
    rule = f"held-{how}"
    held = Rule(id=rule, method=SIGNAL, action="hold", keys=[handle.id], count=1)
    beyond = Rule(id=f"{rule}-on", method=SIGNAL, action="refuse", keys=[handle.id], count=None)
    await tapping.tap.add([held] if arrives else [held, beyond])
    sending = asyncio.create_task(handle.signal("held", rpc_timeout=timedelta(seconds=5)))
    assert await tapping.tap.await_bitten([rule], timeout_ms=10_000) == []
    assert await signals(handle) == []
    assert await tapping.tap.release(rule, how)
    if arrives:
        await sending
        assert await signals(handle) == ["held"]
    else:
        await asyncio.wait({sending})
        first, *_ = records(journal, rule)
        assert (first.status, first.sent) == ("UNAVAILABLE", 0)


@pytest.mark.parametrize("how", ["forward", "drop"])
async def test_a_held_answer_is_of_a_call_that_took_place(
    tapping: Tapping, journal: Path, how: Any
) -> None:
    handle = await tapping.started()
    rule = f"answer-{how}"
    held = Rule(id=rule, method=SIGNAL, action="hold-answer", keys=[handle.id])
    await tapping.tap.add([held])
    sending = asyncio.create_task(handle.signal("held"))
    assert await tapping.tap.await_bitten([rule], timeout_ms=10_000) == []
    assert await signals(handle) == ["held"]
    assert not sending.done()
    assert await tapping.tap.release(rule, how)
    await sending  # what was dropped the SDK sends once more, and the engine knows it
    assert await signals(handle) == ["held"]
    first, *_ = records(journal, rule)
    assert (first.engine_status, first.sent) == ("OK", 1)
    assert first.status == {"forward": "OK", "drop": "UNAVAILABLE"}[how]


async def test_only_the_first_call_of_a_key_is_bitten(tapping: Tapping, journal: Path) -> None:
    """Others pass, and so do the same method's calls for another workflow."""
    one, other = await tapping.started(), await tapping.started()
    rule = Rule(id="second", method=SIGNAL, action="lose-answer", keys=[one.id], first=2)
    await tapping.tap.add([rule])
    await other.signal("a")
    await one.signal("a")
    await one.signal("b")
    assert await signals(one) == ["a", "b"]
    actions = [each.action for each in records(journal, "second")]
    assert actions == ["", "lose-answer", ""]  # the last is the SDK's own retry


async def test_the_tap_passes_errors_on_as_they_are(tapping: Tapping) -> None:
    with pytest.raises(RPCError) as missing:
        await tapping.client.get_workflow_handle("nowhere").signal("x")
    assert missing.value.status is RPCStatusCode.NOT_FOUND


async def test_the_segment_can_be_read_while_it_is_written(tapping: Tapping, journal: Path) -> None:
    handle = await tapping.started()
    await tapping.tap.add([Rule(id="read", method=SIGNAL, action="twice", keys=[handle.id])])
    await handle.signal("x")
    (record,) = records(journal, "read")
    assert record.link == "a"
    assert record.request_bytes > len(handle.id)
