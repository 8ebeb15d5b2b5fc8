"""The replay frontend's parts: what is served as bytes, tasks that wait for polls, ids mapped."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from temporalio.api.history.v1 import History, HistoryEvent
from temporalio.api.workflowservice.v1 import (
    GetWorkflowExecutionHistoryResponse,
    PollWorkflowTaskQueueResponse,
)

from harness.cli.replay import as_json, as_text
from harness.journal.records import Difference
from harness.outcome import Outcome
from harness.replay.frontend.matching import (
    Matching,
    NotAnswered,
    NotPolled,
    Offer,
    WorkerGone,
    WorkerStuck,
)
from harness.replay.frontend.served import Served
from harness.replay.frontend.server import _mapped_back
from harness.replay.frontend.tasks import Task, evenly
from harness.replay.verdicts import HistoryVerdict

QUEUE = ("alpha", "sagas")
A, B = "0" * 36, "1" * 36


def offer(run_id: str = A, queue: tuple[str, str] = QUEUE) -> Offer:
    loop = asyncio.get_running_loop()
    return Offer(
        queue=queue,
        build=lambda token: token,
        run_id=run_id,
        true_run_id=A,
        history=lambda: b"history",
        taken=loop.create_future(),
        answer=loop.create_future(),
    )


# --- bytes


@pytest.mark.parametrize("size", [0, 1, 127, 128, 20_000])
def test_a_part_of_a_history_is_served_as_the_message_would_be(size: int) -> None:
    events = [HistoryEvent(event_id=n, task_id=n) for n in range(1, 6)]
    events[2].user_metadata.summary.data = b"x" * size
    served = Served(events)
    head = PollWorkflowTaskQueueResponse(task_token=b"t").SerializeToString()
    polled = PollWorkflowTaskQueueResponse.FromString(head + served.of_poll(2, 4))
    assert (polled.task_token, polled.history) == (b"t", History(events=events[1:4]))
    got = GetWorkflowExecutionHistoryResponse.FromString(served.of_get(3))
    assert got.history == History(events=events[:3])


def test_the_run_id_that_was_served_is_mapped_back_wherever_it_stands() -> None:
    async def mapped(raw: bytes, served: str) -> bytes:
        return _mapped_back(raw, offer(served))

    raw = b"in a key: " + B.encode() + b", and in a result"
    assert asyncio.run(mapped(raw, B)) == raw.replace(B.encode(), A.encode())
    assert asyncio.run(mapped(raw, A)) is raw
    assert asyncio.run(mapped(raw, "short")) is raw


def task(number: int) -> Task:
    return Task(
        completed_id=number,
        started_id=number,
        previous_started_id=0,
        recorded=(),
        messages=(),
        last=False,
    )


@pytest.mark.parametrize(("count", "most", "drawn"), [(3, 5, 3), (100, 5, 5), (65, 64, 64)])
def test_a_sample_of_tasks_has_the_first_and_the_last(count: int, most: int, drawn: int) -> None:
    tasks = [task(n) for n in range(count)]
    found = evenly(tasks, most)
    assert (len(found), found[0], found[-1]) == (drawn, tasks[0], tasks[-1])
    assert len({each.completed_id for each in found}) == drawn


# --- polls and tasks


async def answering(matching: Matching, answer: Any) -> None:
    token = await matching.poll(QUEUE)
    given = matching.offer_of(token)
    assert given is not None
    matching.answered(given, answer)


@pytest.mark.parametrize("poll_first", [True, False])
async def test_a_task_and_a_poll_find_each_other(poll_first: bool) -> None:
    matching = Matching()
    asking = matching.ask(offer(), 1, 1)
    parts = [answering(matching, "done"), asking]
    _, answer = await asyncio.gather(*(parts if poll_first else reversed(parts)))
    assert "done" in (_, answer)


async def test_a_task_that_nobody_polls_for_is_given_up() -> None:
    matching = Matching()
    with pytest.raises(NotPolled):
        await matching.ask(offer(), 0.01, 1)
    poll = asyncio.create_task(matching.poll(QUEUE))
    await asyncio.sleep(0.01)
    assert not poll.done()  # it is not handed out later
    poll.cancel()


async def test_a_poll_that_went_away_takes_no_task_with_it() -> None:
    matching = Matching()
    poll = asyncio.create_task(matching.poll(QUEUE))
    await asyncio.sleep(0)
    asking = asyncio.create_task(matching.ask(offer(), 1, 1))
    await asyncio.sleep(0)
    poll.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await poll
    await answering(matching, "done")
    assert await asking == "done"


async def test_no_answer_is_told_from_a_worker_that_answers_nothing_at_all() -> None:
    matching = Matching()
    poll = asyncio.create_task(matching.poll(QUEUE))
    with pytest.raises(WorkerStuck):
        await matching.ask(offer(), 1, 0.01)
    await poll
    slow = asyncio.create_task(matching.ask(offer(), 1, 0.05))
    await matching.poll(QUEUE)
    quick = asyncio.create_task(matching.ask(offer(B), 1, 1))
    await answering(matching, "done")
    assert await quick == "done"
    with pytest.raises(NotAnswered):
        await slow


async def test_the_tasks_of_a_worker_that_is_gone_fail_at_once() -> None:
    matching = Matching()
    asking = asyncio.create_task(matching.ask(offer(), 1, 10))
    await matching.poll(QUEUE)
    matching.worker_gone("ended with exit code 9")
    with pytest.raises(WorkerGone, match="exit code 9"):
        await asking


async def test_a_runs_next_task_comes_with_the_answer_to_its_last() -> None:
    matching = Matching()

    async def two_tasks() -> list[Any]:
        first = await matching.ask(offer(), 1, 1)
        return [first, await matching.ask(offer(queue=("alpha", "sticky")), 1, 1)]

    playing = asyncio.create_task(two_tasks())
    first = matching.offer_of(await matching.poll(QUEUE))
    assert first is not None
    token = await matching.next_of(first, "one")
    assert token is not None
    second = matching.offer_of(token)
    assert second is not None
    assert await matching.next_of(second, "two") is None  # there is no other
    assert await playing == ["one", "two"]


async def test_a_queue_is_not_waited_for_once_the_worker_polls_others_only() -> None:
    matching = Matching()
    loop = asyncio.get_running_loop()
    with pytest.raises(NotPolled):
        await matching.first_poll(QUEUE, loop.time() + 0.01)
    matching.polls(("alpha", "other"))
    matching._newest -= 60
    with pytest.raises(NotPolled):
        await matching.first_poll(QUEUE, loop.time() + 3600)


# --- what is printed


def verdict(file: str, outcome: Outcome, mode: str = "warm", **fields: Any) -> HistoryVerdict:
    return HistoryVerdict(file=file, mode=mode, outcome=outcome, workflow_type="Saga", **fields)


INPUT = Difference(event_id=5, attribute="input", recorded="1", replayed="2", severity="error")
TIMEOUT = Difference(event_id=5, attribute="timeout", recorded="1", replayed="9", severity="info")


def test_a_failed_history_is_shown_with_its_first_difference_once() -> None:
    modes = [
        verdict("a.json", Outcome.FAIL, mode, differences=[TIMEOUT, INPUT], message="1 differ")
        for mode in ("warm", "cold")
    ]
    assert as_text(modes, 1.0).splitlines()[:3] == [
        "  fail            a.json  (Saga)",
        "      warm: event 5, input: recorded 1, answered 2",
        "      warm: event 5, timeout: recorded 1, answered 9 (legal evolution)",
    ]


def test_many_that_passed_are_counted_and_the_others_listed() -> None:
    passed = [verdict(f"{n}.json", Outcome.PASS, compared=2) for n in range(30)]
    open_ = verdict("odd.json", Outcome.INCONCLUSIVE, message="cut off")
    lines = as_text([*passed, open_], 1.0).splitlines()
    assert lines[0].startswith("  inconclusive    odd.json")
    assert "cut off" in lines[1]
    assert lines[2] == "  pass            30 histories"
    assert lines[-1].startswith("inconclusive: 1 inconclusive, 30 pass; 31 histories (warm), 60")


def test_a_history_of_which_nothing_was_executed_counts_for_nothing() -> None:
    idle = verdict("idle.json", Outcome.NOT_APPLICABLE, message="no workflow task")
    told = as_json([verdict("a.json", Outcome.PASS), idle], 1.0)
    assert (told["verdict"], told["exit_code"]) == ("pass", 0)
    assert told["counts"] == {"pass": 1, "not applicable": 1}
    assert as_json([idle], 1.0)["exit_code"] == 2
