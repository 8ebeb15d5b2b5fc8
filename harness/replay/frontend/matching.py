"""Matching: tasks that wait for a poll, polls that wait for a task, answers that are awaited."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

LONG_POLL_S: Final = 50.0
SETTLED_S: Final = 10.0
ROUNDS: Final = 12  # of the loop, within which a player compares an answer and offers what is next
Queue = tuple[str, str]  # namespace, name of the task queue


class NotPolled(Exception):
    """Nobody polled the task's queue in time."""


class NotAnswered(Exception):
    """The worker took the task, and did not answer in time."""


class WorkerGone(Exception):
    """The worker's process ended while it had the task; the message says how."""


class WorkerStuck(WorkerGone):
    """The worker answered nothing at all while it had the task: it must be started again."""


@dataclass(slots=True, kw_only=True, eq=False)
class Offer:
    """A task that is offered: `build` makes the poll's answer for a task token."""

    queue: Queue
    build: Callable[[bytes], bytes]
    run_id: str
    true_run_id: str
    history: Callable[[], bytes]
    taken: asyncio.Future[None]
    answer: asyncio.Future[Any]


@dataclass(slots=True)
class Matching:
    """All queues. `polled` counts the polls of each queue, `identities` who polled, `given_out` and
    `answers` the tasks."""

    polled: Counter[Queue] = field(default_factory=Counter)
    identities: defaultdict[tuple[str, str, int], set[str]] = field(
        default_factory=lambda: defaultdict(set)
    )
    normal: set[Queue] = field(default_factory=set)
    new_queue: asyncio.Event = field(default_factory=asyncio.Event)
    given_out: int = 0
    answers: int = 0
    _newest: float = 0.0
    _waiting: defaultdict[Queue, deque[Offer]] = field(default_factory=lambda: defaultdict(deque))
    _polls: defaultdict[Queue, deque[asyncio.Future[Offer]]] = field(
        default_factory=lambda: defaultdict(deque)
    )
    _given: dict[bytes, Offer] = field(default_factory=dict)
    _runs: dict[str, Offer] = field(default_factory=dict)
    _inline: dict[str, asyncio.Future[Offer]] = field(default_factory=dict)
    _first_polls: defaultdict[Queue, asyncio.Event] = field(
        default_factory=lambda: defaultdict(asyncio.Event)
    )

    # --- the player's side

    async def first_poll(self, queue: Queue, ready_by: float) -> None:
        """Wait until a queue is polled for the first time; raises `NotPolled`.

        That is when it was not by `ready_by`, or no queue was polled for the first time for a
        while: a worker begins with all of them.
        """
        loop = asyncio.get_running_loop()
        while not self.polled[queue]:
            settled = self._newest + SETTLED_S if self.normal else ready_by
            left_s = min(ready_by, settled) - loop.time()
            if left_s <= 0:
                raise NotPolled
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._first_polls[queue].wait(), left_s)

    async def ask(self, offer: Offer, polled_within_s: float, answered_within_s: float) -> Any:
        """Offer a task and wait for its answer.

        Raises `NotPolled`, `NotAnswered`, `WorkerStuck` or `WorkerGone`.
        """
        self._runs[offer.run_id] = offer
        try:
            self._offer(offer)
            await _within(offer.taken, polled_within_s, NotPolled)
            answers = self.answers
            try:
                return await _within(offer.answer, answered_within_s, NotAnswered)
            except NotAnswered:
                if self.answers > answers:
                    raise
                raise WorkerStuck(f"does not answer within {answered_within_s:g} s") from None
        finally:
            self._forget(offer)

    def _offer(self, offer: Offer) -> None:
        inline = self._inline.get(offer.run_id)
        if inline is not None and not inline.done():
            inline.set_result(offer)
            return
        polls = self._polls[offer.queue]
        while polls:
            poll = polls.popleft()
            if not poll.done():
                poll.set_result(offer)
                return
        self._waiting[offer.queue].append(offer)

    def _forget(self, offer: Offer) -> None:
        for each in (offer.taken, offer.answer):
            each.cancel()
        if self._runs.get(offer.run_id) is offer:
            del self._runs[offer.run_id]
        if offer in self._waiting[offer.queue]:
            self._waiting[offer.queue].remove(offer)

    # --- the worker's side

    async def poll(self, queue: Queue) -> bytes:
        """The next task of a queue as a poll's answer; empty if there is none for a long time."""
        self.polled[queue] += 1
        self._first_polls[queue].set()
        waiting = self._waiting[queue]
        while waiting:
            offer = waiting.popleft()
            if not offer.taken.done():
                return self._hand_out(offer)
        poll: asyncio.Future[Offer] = asyncio.get_running_loop().create_future()
        self._polls[queue].append(poll)
        try:
            await asyncio.wait({poll}, timeout=LONG_POLL_S)
        except asyncio.CancelledError:
            if poll.done():  # the poll went away with a task
                self._offer(poll.result())
            raise
        finally:
            poll.cancel()
        return b"" if poll.cancelled() else self._hand_out(poll.result())

    def polls(self, queue: Queue) -> None:
        """A worker polls a normal queue."""
        if queue not in self.normal:
            self.normal.add(queue)
            self.new_queue.set()
            self._newest = asyncio.get_running_loop().time()

    async def nothing(self) -> bytes:
        """What a poll gets of a queue that never has anything."""
        await asyncio.sleep(LONG_POLL_S)
        return b""

    def _hand_out(self, offer: Offer) -> bytes:
        token = secrets.token_bytes(12)
        self._given[token] = offer
        self.given_out += 1
        if not offer.taken.done():
            offer.taken.set_result(None)
        return offer.build(token)

    def offer_of(self, token: bytes) -> Offer | None:
        """The task that a token was given with; once, for it is answered once."""
        return self._given.pop(token, None)

    def answered(self, offer: Offer, answer: Any) -> None:
        """Hand an answer to whom awaits it; one that comes late is dropped."""
        self.answers += 1
        if not offer.answer.done():
            offer.answer.set_result(answer)

    async def next_of(self, offer: Offer, answer: Any) -> bytes | None:
        """Hand an answer over; the run's next task, if it is offered at once.

        A worker that asks for it with its answer needs no poll for it, as before a real engine.
        """
        inline: asyncio.Future[Offer] = asyncio.get_running_loop().create_future()
        self._inline[offer.run_id] = inline
        try:
            self.answered(offer, answer)
            for _ in range(ROUNDS):
                await asyncio.sleep(0)
                if inline.done():
                    return self._hand_out(inline.result())
            return None
        finally:
            del self._inline[offer.run_id]
            inline.cancel()

    def history_of(self, run_id: str) -> bytes | None:
        """The history of a run that is being served, for a worker that asks for it."""
        offer = self._runs.get(run_id)
        return offer.history() if offer else None

    def worker_gone(self, how: str) -> None:
        """Fail every task that the worker had; what it polled is polled by nobody now."""
        for offer in self._given.values():
            if not offer.answer.done():
                offer.answer.set_exception(WorkerGone(how))
        self._given.clear()
        self._polls.clear()
        self.identities.clear()


async def _within(future: asyncio.Future[Any], seconds: float, error: type[Exception]) -> Any:
    try:
        return await asyncio.wait_for(asyncio.shield(future), seconds)
    except TimeoutError:
        raise error from None
